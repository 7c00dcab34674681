// Trains the digit classifiers on the real handwritten digits and writes float and int8 ONNX files with their cards.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import {
  type Digit,
  digitInput,
  float32,
  type Graph,
  graphToOnnx,
  importQ8,
  modelDigest,
  type NamedTensors,
  parseDigits,
  parseOnnx,
  type QuantizationReport,
  q8Commitment,
  quantizeGraph,
  runGraph,
  splitDigits,
} from '../../../packages/model/src/index.ts'
import { repositoryRoot } from '../../repository.ts'
import { toOnnx } from './to-onnx.ts'
import { type Activation, type Recipe, train } from './train.ts'

const dataPath = 'zoo/data/digits/digits.csv.gz'
const recipes: Readonly<Record<Activation, Recipe>> = {
  relu: { seed: 42, epochs: 40, rate: 0.08, decay: 1e-4, averagedEpochs: 10 },
  square: { seed: 42, epochs: 40, rate: 0.02, decay: 1e-4, averagedEpochs: 10 },
}

/** The digits as they lie in the repository, unpacked. */
export function readDigits(): readonly Digit[] {
  return parseDigits(gunzipSync(readFileSync(join(repositoryRoot, dataPath))).toString())
}

/** A digit as the models' named input. */
export function sampleOf(digit: Digit): NamedTensors {
  return { x: float32([1, 64], digitInput(digit)) }
}

/** Trains, quantises and writes everything under zoo/digits; about six seconds. */
export async function generate(): Promise<ReadonlyMap<string, string | Uint8Array>> {
  const { train: training, heldOut } = splitDigits(readDigits())
  const files = new Map<string, string | Uint8Array>()
  for (const activation of ['relu', 'square'] as const) {
    const name = `digits-${activation}`
    const recipe = recipes[activation]
    const float = toOnnx(name, train(training, activation, recipe))
    const graph = parseOnnx(float)
    const labels = heldOut.map((digit) => digit.label)
    const { graph: quantized, report } = quantizeGraph(graph, { inputs: training.map(sampleOf), evaluation: heldOut.map(sampleOf), labels })
    const int8 = graphToOnnx(quantized)
    files.set(`zoo/digits/${name}.onnx`, float)
    files.set(`zoo/digits/${name}.int8.onnx`, int8)
    files.set(`zoo/digits/${name}.card.json`, floatCard(name, activation, recipe, float, graph, heldOut))
    files.set(`zoo/digits/${name}.int8.card.json`, int8Card(name, activation, recipe, int8, report))
  }
  return files
}

function floatCard(
  name: string,
  activation: Activation,
  recipe: Recipe,
  file: Uint8Array,
  graph: Graph,
  heldOut: readonly Digit[],
): string {
  const correct = heldOut.filter((digit) => {
    const logits = runGraph(graph, sampleOf(digit))['logits']
    const values = logits === undefined ? [] : Array.from(logits.data, Number)
    return values.indexOf(Math.max(...values)) === digit.label
  }).length
  return card(name, activation, recipe, file, {
    profile: 'f32',
    heldOutImages: heldOut.length,
    correct,
    accuracy: correct / heldOut.length,
  })
}

function int8Card(name: string, activation: Activation, recipe: Recipe, file: Uint8Array, report: QuantizationReport): string {
  return card(`${name}.int8`, activation, recipe, file, {
    profile: 'q8',
    heldOutImages: report.samples,
    correct: Math.round((report.q8Accuracy ?? 0) * report.samples),
    accuracy: report.q8Accuracy ?? 0,
    sameAnswerAsFloat: report.agreement,
    q8Commitment: q8Commitment(importQ8(parseOnnx(file))),
  })
}

function card(name: string, activation: Activation, recipe: Recipe, file: Uint8Array, measured: Readonly<Record<string, unknown>>): string {
  const content = {
    generatedBy: 'tools/zoo/digits/generate.ts',
    name,
    file: `${name}.onnx`,
    sizeBytes: file.length,
    sha256: modelDigest(file).slice(2),
    task: 'one handwritten digit, 8 x 8 pixels, to one of ten classes',
    architecture: `64-32-10, ${activation} activation`,
    input: {
      name: 'x',
      shape: [1, 64],
      elementType: 'float32',
      meaning: 'ink from 0 (paper) to 1, row by row; the data set counts 0..16, divide by 16',
    },
    output: { name: 'logits', shape: [1, 10], elementType: 'float32', answer: 'argmax, ties to the lowest index' },
    labels: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    measured,
    training: {
      ...recipe,
      images: 1437,
      split: 'mulberry32 seed 42, last 360 of 1797 held out',
      optimizer: 'stochastic gradient descent, weights of the last epochs averaged',
    },
    data: {
      file: '../data/digits/digits.csv.gz',
      origin: 'https://doi.org/10.24432/C50P49',
      licence: 'CC BY 4.0, E. Alpaydin and C. Kaynak',
    },
    licence: 'Apache-2.0',
  }
  // Lists of plain values on one line, as the formatter has them.
  const text = JSON.stringify(content, null, 2).replace(
    /\[\s+([^[\]{}]*?)\s+\]/g,
    (_, items: string) => `[${items.replace(/\s*\n\s*/g, ' ')}]`,
  )
  return `${text}\n`
}
