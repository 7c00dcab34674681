// A second opinion from outside: onnxruntime on the same random files. Floats may differ by rounding; a quantised activation may
// fall to the other side of a tie after such a difference, which moves an answer by whole steps, so those are compared more loosely.
import assert from 'node:assert/strict'
import { type Graph, runGraph, type Tensor } from '@tacit/model'
import { compileModel, UnsupportedNodeError } from '../src/index.ts'
import { randomCase } from './random-graphs.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'

/** |ours - theirs| <= absolute + relative * |theirs| */
const floatTolerance = { absolute: 2e-5, relative: 2e-5 }
const quantizedTolerance = { absolute: 0.25, relative: 0.02 }

/** Compares the graphs of some seeds; graphs with nodes that cannot be compiled are not counted. */
export async function compareWithOnnxruntime(first: number, last: number): Promise<{ compared: number; seen: ReadonlySet<string> }> {
  const seen = new Set<string>()
  let [compared, unoptimised] = [0, 0]
  for (let seed = first; seed <= last; seed++) {
    const { onnx, graph, input, operators } = await randomCase(seed)
    // Rounding operators after a float difference, a quantiser, or a cast to integers, turn the last bit into a step.
    const steps = ['QuantizeLinear', 'DynamicQuantizeLinear', 'Cast', 'Floor', 'Ceil', 'Round', 'Sign'].some((operator) =>
      operators.includes(operator),
    )
    const tolerance = steps ? quantizedTolerance : floatTolerance
    try {
      const { output } = runCompiled(await compileModel(graph, { profile: 'f32' }), bytesOf(input.data))
      const ours = new Float32Array(output.slice().buffer)
      if (castsBeyondRange(graph, input)) continue
      const { values: theirs, isOptimised } = await runOnnxruntime(onnx, input)
      if (!isOptimised) unoptimised++
      assert.equal(ours.length, theirs.length)
      const scale = theirs.reduce((largest, value) => (Number.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest), 1)
      for (const [i, value] of theirs.entries()) {
        const [a = Number.NaN, limit] = [ours[i], tolerance.absolute * scale + tolerance.relative * Math.abs(value)]
        assert.ok(
          Object.is(a, value) || Math.abs(a - value) <= limit || (Number.isNaN(a) && Number.isNaN(value)),
          `seed ${seed}, ${i}: ${a} and ${value} (${operators.join(', ')})`,
        )
      }
      compared++
      for (const operator of operators) seen.add(operator)
    } catch (error) {
      if (!(error instanceof UnsupportedNodeError)) throw error
    }
  }
  assert.ok(unoptimised <= 1 + compared / 50, `${unoptimised} of ${compared} graphs only ran unoptimised`)
  return { compared, seen }
}

/** Whether a float that is cast to integers lies outside of them: ONNX leaves the result open. */
function castsBeyondRange(graph: Graph, input: Tensor): boolean {
  const values = new Map<string, Tensor>([['x', input]])
  runGraph(graph, { x: input }, { observe: (name, value) => void values.set(name, value) })
  return graph.nodes.some(({ operation, inputs, outputs }) => {
    const [from, to] = [values.get(inputs[0] ?? ''), values.get(outputs[0] ?? '')]
    if (operation.operator !== 'Cast' || from?.elementType !== 'float32' || to === undefined || to.elementType === 'float32') return false
    return Array.from(from.data, Number).some((value) => !(Math.abs(value) < 2 ** 31))
  })
}

type OrtTensor = { readonly data: Float32Array }
type OrtSession = { run(feeds: Record<string, unknown>): Promise<Record<string, OrtTensor>>; release(): Promise<void> }
type Ort = {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> }
  readonly Tensor: new (type: string, data: Float32Array, dims: readonly number[]) => unknown
}

/**
 * What onnxruntime answers. Its optimiser (1.30) turns some valid graphs into ones that it then refuses itself: a Reshape moved between
 * QuantizeLinear to uint8 and DequantizeLinear gives a node of type int8, a Softmax between quantised values must have one scale. Those
 * graphs run unoptimised, and are counted.
 */
async function runOnnxruntime(onnx: Uint8Array, input: Tensor): Promise<{ values: Float32Array; isOptimised: boolean }> {
  const { default: ort } = (await import('onnxruntime-node')) as unknown as { default: Ort } // its own types have no default export
  const create = (graphOptimizationLevel: 'all' | 'disabled') =>
    ort.InferenceSession.create(onnx, { graphOptimizationLevel, intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 })
  const optimised = await create('all').catch(() => undefined)
  const session = optimised ?? (await create('disabled'))
  const results = await session.run({ x: new ort.Tensor('float32', input.data as Float32Array, input.shape) })
  await session.release()
  return { values: results['y']?.data ?? new Float32Array(0), isOptimised: optimised !== undefined }
}
