// The baseline of the compiler benchmark: ONNX Runtime, native and WebAssembly, as its documentation advises for speed on one
// thread: every graph optimisation, sequential execution, one thread, input tensors allocated once and reused.
import type { Tensor } from '@tacit/model'

/** A loaded model that can be run again and again on the same input. */
export type Baseline = {
  readonly name: string
  run(): Promise<Float32Array>
  release(): Promise<void>
}

type OrtTensor = { readonly data: Float32Array }
type OrtSession = { run(feeds: Record<string, unknown>): Promise<Record<string, OrtTensor>>; release(): Promise<void> }
type Ort = {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> }
  readonly Tensor: new (type: string, data: Float32Array, dims: readonly number[]) => unknown
  readonly env: { logLevel?: string; wasm?: { numThreads?: number } }
}

/** onnxruntime-node: native code, AVX-512 where the machine has it. */
export async function openOrtNode(onnx: Uint8Array, input: Tensor): Promise<Baseline> {
  const { default: ort } = (await import('onnxruntime-node')) as unknown as { default: Ort }
  return open(ort, { name: 'onnxruntime-node', onnx, input, providers: ['cpu'] })
}

/** onnxruntime-web: its WebAssembly SIMD build. */
export async function openOrtWeb(onnx: Uint8Array, input: Tensor): Promise<Baseline> {
  const ort = (await import('onnxruntime-web')) as unknown as Ort
  if (ort.env.wasm !== undefined) ort.env.wasm.numThreads = 1
  ort.env.logLevel = 'error'
  return open(ort, { name: 'onnxruntime-web', onnx, input, providers: ['wasm'] })
}

type Opening = { readonly name: string; readonly onnx: Uint8Array; readonly input: Tensor; readonly providers: readonly string[] }

async function open(ort: Ort, { name, onnx, input, providers }: Opening): Promise<Baseline> {
  const session = await ort.InferenceSession.create(onnx, {
    executionProviders: providers,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  })
  const feeds = { x: new ort.Tensor('float32', input.data as Float32Array, input.shape) }
  return {
    name,
    run: async () => {
      const results = await session.run(feeds)
      return results['y']?.data ?? new Float32Array(0)
    },
    release: () => session.release(),
  }
}
