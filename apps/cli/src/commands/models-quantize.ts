// tacit models quantize: a float network to int8, from typical inputs, and what that costs in accuracy.
import { writeFileSync } from 'node:fs'
import { basename, extname } from 'node:path'
import {
  elementCount,
  float32,
  type Graph,
  type GraphNode,
  graphToOnnx,
  type NamedTensors,
  type QuantizationReport,
  quantizeGraph,
} from '@tacit/model'
import { type Invocation, textOf } from '../command.ts'
import { FileUnusableError, UsageError } from '../errors.ts'
import { printable } from '../format.ts'
import { readJsonFile } from '../module-files.ts'
import { readOnnx } from '../read-onnx.ts'

const maxSamplesBytes = 2 ** 28

/** Inputs with the right classes, where somebody knows them. */
type Samples = { readonly inputs: readonly NamedTensors[]; readonly labels?: readonly number[] }

export async function quantize({ values, say, json }: Invocation, file: string, usage: string): Promise<number> {
  const calibrationPath = textOf(values, 'calibration')
  if (calibrationPath === undefined) throw new UsageError('--calibration names a file with typical inputs.', usage)
  const out = textOf(values, 'out') ?? `${basename(file, extname(file))}.int8.onnx`
  if (!out.endsWith('.onnx')) throw new UsageError('--out names an .onnx file.', usage)
  const { graph, dropped } = withoutFinalSoftmax(readOnnx(file, values, usage))
  const calibration = readSamples(calibrationPath, graph)
  const evaluationPath = textOf(values, 'evaluation')
  const evaluation = evaluationPath === undefined ? calibration : readSamples(evaluationPath, graph)
  const { graph: quantized, report } = quantizeGraph(graph, {
    inputs: calibration.inputs,
    evaluation: evaluation.inputs,
    ...(evaluation.labels === undefined ? {} : { labels: evaluation.labels }),
  })
  const bytes = graphToOnnx(quantized)
  writeFileSync(out, bytes)
  say(`quantised ${printable(out)}, ${bytes.length} bytes, from ${calibration.inputs.length} calibration inputs`)
  if (dropped !== undefined) say(`answers   end before ${printable(dropped)}, which does not change which one is largest`)
  sayReport(report, evaluationPath === undefined ? 'the calibration inputs, which flatters' : 'inputs of their own', say)
  say(`next      tacit models compile ${printable(out)} --profile q8`)
  if (json)
    console.log(
      JSON.stringify({ ok: true, out, bytes: bytes.length, calibration: calibration.inputs.length, dropped: dropped ?? null, report }),
    )
  return 0
}

function sayReport(report: QuantizationReport, judged: string, say: Invocation['say']): void {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  say(`judged    on ${report.samples} samples: ${judged}`)
  say(
    `same      largest answer in ${percent(report.agreement)}; error of an answer ${report.meanAbsError.toPrecision(3)} on average, ${report.maxAbsError.toPrecision(3)} at most`,
  )
  if (report.floatAccuracy !== undefined && report.q8Accuracy !== undefined)
    say(`right     ${percent(report.floatAccuracy)} in floats, ${percent(report.q8Accuracy)} in int8`)
  const saturated = report.boundaries.filter((boundary) => boundary.saturated > 0.01)
  for (const { name, saturated: share } of saturated)
    say(`ends      ${percent(share)} of ${name} lie at the ends of the calibrated range or beyond`)
}

/** A network of classes without the softmax at its end, which int8 does not have. */
function withoutFinalSoftmax(graph: Graph): { readonly graph: Graph; readonly dropped: string | undefined } {
  const [output] = graph.outputs
  const last = graph.nodes.find(({ outputs }) => output !== undefined && outputs.includes(output))
  if (graph.outputs.length !== 1 || last === undefined || !isSoftmax(last)) return { graph, dropped: undefined }
  const nodes = graph.nodes.filter((node) => node !== last)
  return { graph: { ...graph, nodes, outputs: last.inputs.slice(0, 1) }, dropped: last.operation.operator }
}

function isSoftmax({ operation }: GraphNode): boolean {
  return operation.operator === 'Softmax' || operation.operator === 'LogSoftmax'
}

/**
 * `[{ "x": [0.5, …] }, …]`, or `{ "inputs": […], "labels": [3, …] }`; a sample is a list alone where the network has one input.
 * @throws FileUnusableError
 */
function readSamples(path: string, graph: Graph): Samples {
  const json = readJsonFile(path, maxSamplesBytes)
  const record: Readonly<Record<string, unknown>> =
    Array.isArray(json) || json === null || typeof json !== 'object' ? { inputs: json } : { ...json }
  const { inputs, labels } = record
  if (!Array.isArray(inputs) || inputs.length === 0) throw new FileUnusableError(path, 'is not a list of samples')
  const samples = inputs.map((sample: unknown, index) => readSample(path, sample, { graph, index }))
  if (labels === undefined) return { inputs: samples }
  if (!isNumbers(labels) || labels.length !== samples.length) throw new FileUnusableError(path, 'needs one label for each sample')
  return { inputs: samples, labels }
}

function readSample(path: string, sample: unknown, { graph, index }: { readonly graph: Graph; readonly index: number }): NamedTensors {
  const [single] = graph.inputs
  const named: unknown = Array.isArray(sample) && graph.inputs.length === 1 && single !== undefined ? { [single]: sample } : sample
  return Object.fromEntries(
    graph.inputs.map((id) => {
      const { shape = [], elementType } = graph.types.get(id) ?? {}
      if (elementType !== 'float32') throw new FileUnusableError(path, `cannot hold the input ${printable(id)}, which is ${elementType}`)
      const given: unknown =
        named !== null && typeof named === 'object' ? Object.entries(named).find(([key]) => key === id)?.[1] : undefined
      if (!isNumbers(given) || given.length !== elementCount(shape))
        throw new FileUnusableError(path, `needs a list of ${elementCount(shape)} numbers for ${printable(id)} in sample ${index + 1}`)
      return [id, float32(shape, given)]
    }),
  )
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}
