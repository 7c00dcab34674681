import type { Graph, ValueId } from '../graph.ts'
import { type NamedTensors, runGraph } from '../interpret/run-graph.ts'
import { getNumber, type Tensor } from '../tensor.ts'

/** The smallest and largest element that a value took. */
export type ValueRange = { readonly min: number; readonly max: number }

/** Runs a float graph over calibration inputs and records the range of every value. */
export function calibrate(graph: Graph, inputs: readonly NamedTensors[]): ReadonlyMap<ValueId, ValueRange> {
  const ranges = new Map<ValueId, ValueRange>()
  const observe = (id: ValueId, tensor: Tensor) => {
    if (tensor.elementType !== 'float32') return
    let { min, max } = ranges.get(id) ?? { min: 0, max: 0 }
    for (let i = 0; i < tensor.data.length; i++) {
      const value = getNumber(tensor.data, i)
      if (!Number.isFinite(value)) continue
      min = Math.min(min, value)
      max = Math.max(max, value)
    }
    ranges.set(id, { min, max })
  }
  for (const sample of inputs) {
    for (const [id, tensor] of Object.entries(sample)) observe(id, tensor)
    runGraph(graph, sample, { observe })
  }
  return ranges
}

/** Scale and zero point (int8) that cover a range with zero exactly representable. */
export function quantizationOf(range: ValueRange): { readonly scale: number; readonly zeroPoint: number } {
  const span = Math.fround((range.max - range.min) / 255)
  const scale = span > 0 && Number.isFinite(span) ? span : 1
  const zeroPoint = Math.min(Math.max(-128 - Math.round(range.min / scale), -128), 127)
  return { scale, zeroPoint }
}
