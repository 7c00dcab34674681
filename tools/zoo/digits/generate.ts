// Trains the digit classifiers on the real handwritten digits and writes float and int8 ONNX files with their cards.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import {
  type Digit,
  digitInput,
  float32,
  graphToOnnx,
  importQ8,
  modelDigest,
  type NamedTensors,
  parseDigits,
  parseOnnx,
  type QuantizationReport,
  q8Commitment,
  quantizeGraph,
  splitDigits,
} from '../../../packages/model/src/index.ts'
import { repositoryRoot } from '../../repository.ts'
import { convolutionalToOnnx, toOnnx } from './to-onnx.ts'
import { type Recipe, train } from './train.ts'
import { trainConvolutional } from './train-cnn.ts'

const dataPath = 'zoo/data/digits/digits.csv.gz'
/** One network of the zoo: its recipe, how it is trained, and the shape of its input. */
type Entry = {
  readonly name: string
  readonly architecture: string
  readonly recipe: Recipe
  readonly inputShape: readonly number[]
  readonly build: (name: string, digits: readonly Digit[], recipe: Recipe) => Uint8Array
}

const base: Omit<Recipe, 'rate'> = { seed: 42, epochs: 40, decay: 1e-4, averagedEpochs: 10 }
const entries: readonly Entry[] = [
  {
    name: 'digits-relu',
    architecture: '64-32-10, relu activation',
    recipe: { ...base, rate: 0.08 },
    inputShape: [1, 64],
    build: (name, digits, recipe) => toOnnx(name, train(digits, 'relu', recipe)),
  },
  {
    name: 'digits-square',
    architecture: '64-32-10, square activation',
    recipe: { ...base, rate: 0.02 },
    inputShape: [1, 64],
    build: (name, digits, recipe) => toOnnx(name, train(digits, 'square', recipe)),
  },
  {
    name: 'digits-cnn',
    architecture: 'conv 3x3 with 8 channels, relu, average pool 2x2, 128-10',
    recipe: { ...base, rate: 0.1 },
    inputShape: [1, 1, 8, 8],
    build: (name, digits, recipe) => convolutionalToOnnx(name, trainConvolutional(digits, recipe)),
  },
]

/** The digits as they lie in the repository, unpacked. */
export function readDigits(): readonly Digit[] {
  return parseDigits(gunzipSync(readFileSync(join(repositoryRoot, dataPath))).toString())
}

/** A digit as a model's named input. */
export function sampleOf(digit: Digit, shape: readonly number[] = [1, 64]): NamedTensors {
  return { x: float32(shape, digitInput(digit)) }
}

/** Trains, quantises and writes everything under zoo/digits; about six seconds. */
export async function generate(): Promise<ReadonlyMap<string, string | Uint8Array>> {
  const { train: training, heldOut } = splitDigits(readDigits())
  const files = new Map<string, string | Uint8Array>()
  for (const entry of entries) {
    const samplesOf = (digits: readonly Digit[]) => digits.map((digit) => sampleOf(digit, entry.inputShape))
    const float = entry.build(entry.name, training, entry.recipe)
    const graph = parseOnnx(float)
    const labels = heldOut.map((digit) => digit.label)
    const { graph: quantized, report } = quantizeGraph(graph, { inputs: samplesOf(training), evaluation: samplesOf(heldOut), labels })
    const int8 = graphToOnnx(quantized)
    files.set(`zoo/digits/${entry.name}.onnx`, float)
    files.set(`zoo/digits/${entry.name}.int8.onnx`, int8)
    files.set(`zoo/digits/${entry.name}.card.json`, card(entry, entry.name, float, measured('f32', report)))
    const q8 = { ...measured('q8', report), sameAnswerAsFloat: report.agreement, q8Commitment: q8Commitment(importQ8(parseOnnx(int8))) }
    files.set(`zoo/digits/${entry.name}.int8.card.json`, card(entry, `${entry.name}.int8`, int8, q8))
  }
  return files
}

function measured(profile: 'f32' | 'q8', report: QuantizationReport): Readonly<Record<string, unknown>> {
  const accuracy = (profile === 'f32' ? report.floatAccuracy : report.q8Accuracy) ?? 0
  return { profile, heldOutImages: report.samples, correct: Math.round(accuracy * report.samples), accuracy }
}

function card(entry: Entry, name: string, file: Uint8Array, figures: Readonly<Record<string, unknown>>): string {
  const content = {
    generatedBy: 'tools/zoo/digits/generate.ts',
    name,
    file: `${name}.onnx`,
    sizeBytes: file.length,
    sha256: modelDigest(file).slice(2),
    task: 'one handwritten digit, 8 x 8 pixels, to one of ten classes',
    architecture: entry.architecture,
    input: {
      name: 'x',
      shape: entry.inputShape,
      elementType: 'float32',
      meaning: 'ink from 0 (paper) to 1, row by row; the data set counts 0..16, divide by 16',
    },
    output: { name: 'logits', shape: [1, 10], elementType: 'float32', answer: 'argmax, ties to the lowest index' },
    labels: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    measured: figures,
    training: {
      ...entry.recipe,
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
