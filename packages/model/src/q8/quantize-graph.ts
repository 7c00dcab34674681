import { ModelInputError } from '../errors.ts'
import type { Graph } from '../graph.ts'
import { foldConstants } from '../interpret/fold-constants.ts'
import { type NamedTensors, runGraph } from '../interpret/run-graph.ts'
import { getNumber, type Tensor } from '../tensor.ts'
import { calibrate } from './calibrate.ts'
import { fuseBatchNormalization } from './fuse-batch-normalization.ts'
import { importQ8 } from './import-q8.ts'
import { insertQuantization } from './insert-quantization.ts'
import { boundaryName, type Q8Model } from './q8-model.ts'
import { argmaxRows, quantizeInput, runQ8 } from './run-q8.ts'

/** What quantisation learns from, and what it is judged by. */
export type Calibration = {
  /** Typical inputs; ranges come from these. */
  readonly inputs: readonly NamedTensors[]
  /** Inputs that the report is about; the calibration inputs if absent. */
  readonly evaluation?: readonly NamedTensors[]
  /** The right class of each evaluation input, for accuracies. */
  readonly labels?: readonly number[]
}

/** How the q8 form compares with the float graph on the evaluation inputs; about the first output. */
export type QuantizationReport = {
  readonly samples: number
  /** Share of samples whose largest value along the last axis is at the same index. */
  readonly agreement: number
  readonly maxAbsError: number
  readonly meanAbsError: number
  /** Shares of right answers, when labels were given. */
  readonly floatAccuracy?: number
  readonly q8Accuracy?: number
  readonly boundaries: readonly BoundaryReport[]
}

/** One boundary of the report. */
export type BoundaryReport = {
  readonly name: string
  readonly scale: number
  readonly zeroPoint: number
  /** Share of evaluation values at the ends of the range (for ReLU the zeros are not counted). */
  readonly saturated: number
}

/** The result of {@link quantizeGraph}. */
export type Quantized = {
  /** The QDQ graph, which any ONNX runtime can run (see `graphToOnnx`). */
  readonly graph: Graph
  readonly q8: Q8Model
  readonly report: QuantizationReport
}

/**
 * Post-training quantisation: the q8 form of a float graph, with ranges from calibration inputs and an honest report.
 * @example
 *   const { q8, report } = quantizeGraph(parseOnnx(bytes), { inputs: samples })
 * @throws Q8UnsupportedError, Q8OverflowError, ModelInputError
 */
export function quantizeGraph(graph: Graph, calibration: Calibration): Quantized {
  if (calibration.inputs.length === 0) throw new ModelInputError(graph.inputs.join(', '), 'needs at least one calibration sample')
  const prepared = fuseBatchNormalization(foldConstants(graph))
  const quantized = insertQuantization(prepared, calibrate(prepared, calibration.inputs))
  const q8 = importQ8(quantized)
  return { graph: quantized, q8, report: compareQ8(graph, q8, calibration) }
}

/** Runs the float graph and its q8 form side by side. */
export function compareQ8(graph: Graph, q8: Q8Model, calibration: Calibration): QuantizationReport {
  const samples = calibration.evaluation ?? calibration.inputs
  const saturated = q8.boundaries.map(() => ({ count: 0, total: 0 }))
  const totals = { agree: 0, maxAbsError: 0, sum: 0, values: 0, floatRight: 0, q8Right: 0 }
  for (const [index, sample] of samples.entries()) {
    const expected = Object.values(runGraph(graph, sample))[0]
    const run = runQ8(
      q8,
      graph.inputs.map((id, input) => quantizeSample(q8, input, sample[id])),
    )
    if (expected === undefined) continue
    for (const [boundary, activation] of run.activations.entries()) countSaturated(q8, boundary, activation, saturated[boundary])
    const answer = run.answers[0]
    const floats = Array.from({ length: expected.data.length }, (_, i) => getNumber(expected.data, i))
    const columns = answer?.answer === 'argmax' ? 1 : (expected.shape.at(-1) ?? 1)
    const [wanted, got] =
      answer?.answer === 'values'
        ? [largestOfRows(floats, columns), largestQ8(q8, run.activations, columns)]
        : [Int32Array.from(floats), answer?.indices ?? new Int32Array(0)]
    if (wanted.every((value, row) => value === got[row])) totals.agree++
    if (calibration.labels?.[index] === wanted[0]) totals.floatRight++
    if (calibration.labels?.[index] === got[0]) totals.q8Right++
    if (answer?.answer === 'values')
      for (const [i, value] of floats.entries()) {
        const error = Math.abs(value - (answer.values[i] ?? 0))
        totals.maxAbsError = Math.max(totals.maxAbsError, error)
        totals.sum += error
        totals.values++
      }
  }
  return {
    samples: samples.length,
    agreement: totals.agree / samples.length,
    maxAbsError: totals.maxAbsError,
    meanAbsError: totals.values === 0 ? 0 : totals.sum / totals.values,
    ...(calibration.labels === undefined
      ? {}
      : { floatAccuracy: totals.floatRight / samples.length, q8Accuracy: totals.q8Right / samples.length }),
    boundaries: q8.boundaries.map(({ scale, zeroPoint }, index) => {
      const { count = 0, total = 1 } = saturated[index] ?? {}
      return { name: boundaryName(index), scale, zeroPoint, saturated: total === 0 ? 0 : count / total }
    }),
  }
}

function quantizeSample(q8: Q8Model, input: number, tensor: Tensor | undefined): Int8Array {
  const boundary = q8.boundaries[input]
  if (boundary === undefined || !(tensor?.data instanceof Float32Array)) throw new ModelInputError(boundaryName(input), 'must be float32')
  return quantizeInput(boundary, tensor.data)
}

function countSaturated(q8: Q8Model, index: number, activation: Int8Array, into: { count: number; total: number } | undefined): void {
  const boundary = q8.boundaries[index]
  if (boundary === undefined || into === undefined) return
  into.total += activation.length
  for (const value of activation) if (value === boundary.hi || (value === boundary.lo && boundary.lo !== boundary.zeroPoint)) into.count++
}

function largestOfRows(values: readonly number[], columns: number): Int32Array {
  return Int32Array.from({ length: values.length / columns }, (_, row) => {
    let best = 0
    for (let i = 1; i < columns; i++) if ((values[row * columns + i] ?? 0) > (values[row * columns + best] ?? 0)) best = i
    return best
  })
}

function largestQ8(q8: Q8Model, activations: readonly Int8Array[], columns: number): Int32Array {
  return argmaxRows(activations[q8.outputs[0]?.boundary ?? 0] ?? new Int8Array(0), columns)
}
