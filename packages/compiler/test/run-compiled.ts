import type { ModuleTensor } from '@tacit/protocol'
import { moduleTensorBytes } from '@tacit/protocol'
import type { CompiledModel } from '../src/index.ts'

/** Outputs and canonical boundaries of one run on this thread. */
export type DirectRun = { readonly output: Uint8Array; readonly boundaries: readonly Uint8Array[] }

export function runCompiled({ wasm, manifest, weights }: CompiledModel, input: Uint8Array): DirectRun {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm))
  const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
  const call = (name: string): void => (exports[name] as () => void)()
  const read = (tensor: ModuleTensor | undefined): Uint8Array =>
    tensor === undefined ? new Uint8Array(0) : memory.slice(tensor.offset, tensor.offset + moduleTensorBytes(tensor))
  if (weights !== undefined && manifest.weights.kind === 'external') memory.set(weights, manifest.weights.offset)
  memory.set(input, manifest.inputs[0]?.offset ?? 0)
  const boundaries: Uint8Array[] = []
  for (const layer of manifest.layers) {
    call(layer.runExport)
    call(layer.traceExport)
    boundaries[layer.index] = read(layer.boundary)
  }
  call(manifest.outputsExport)
  const stepwise = read(manifest.outputs[0])
  call(manifest.runExport)
  const output = read(manifest.outputs[0])
  if (!output.every((byte, i) => byte === stepwise[i])) throw new Error('run and layer by layer differ')
  return { output, boundaries }
}

export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
