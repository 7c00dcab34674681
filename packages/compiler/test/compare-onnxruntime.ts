// A second opinion from outside: onnxruntime on the same random files. Floats may differ by rounding; a quantised activation may
// fall to the other side of a tie after such a difference, which moves an answer by whole steps, so those are compared more loosely.
import assert from 'node:assert/strict'
import { openOrtNode } from '../../../bench/baselines/onnxruntime.ts'
import { compileModel, UnsupportedNodeError } from '../src/index.ts'
import { randomCase } from './random-graphs.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'

/** |ours - theirs| <= absolute + relative * |theirs| */
const floatTolerance = { absolute: 2e-5, relative: 2e-5 }
const quantizedTolerance = { absolute: 0.25, relative: 0.02 }

/** Compares the graphs of some seeds; graphs with nodes that cannot be compiled are not counted. */
export async function compareWithOnnxruntime(first: number, last: number): Promise<{ compared: number; seen: ReadonlySet<string> }> {
  const seen = new Set<string>()
  let compared = 0
  for (let seed = first; seed <= last; seed++) {
    const { onnx, graph, input, operators } = await randomCase(seed)
    // Rounding operators after a float difference, or a quantiser, turn the last bit into a step.
    const steps = ['DynamicQuantizeLinear', 'Floor', 'Ceil', 'Round', 'Sign'].some((operator) => operators.includes(operator))
    const tolerance = steps ? quantizedTolerance : floatTolerance
    try {
      const { output } = runCompiled(await compileModel(graph, { profile: 'f32' }), bytesOf(input.data))
      const ours = new Float32Array(output.slice().buffer)
      const baseline = await openOrtNode(onnx, input)
      const theirs = await baseline.run()
      await baseline.release()
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
  return { compared, seen }
}
