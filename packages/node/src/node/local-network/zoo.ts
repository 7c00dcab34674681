// The models that this repository makes itself, as cards to publish and files to serve.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ModelCard, parseBytes32 } from '@tacit/protocol'

/** A model with its file, ready to be published and served. */
export type ZooModel = { readonly card: ModelCard; readonly path: string }

/** Where the zoo lies: beside the packages of a checkout. */
export const zooDirectory: string = resolve(fileURLToPath(new URL('.', import.meta.url)), '../../../../../zoo')

/** The zoo's models that a local network serves from the start. */
export function loadZoo(directory: string = zooDirectory): readonly ZooModel[] {
  return [...loadLanguage(join(directory, 'language')), ...loadDigits(join(directory, 'digits'))]
}

type LanguageCard = {
  readonly name: string
  readonly notice: string
  readonly licence: string
  readonly architecture: { readonly contextTokens: number }
  readonly files: readonly {
    readonly name: string
    readonly file: string
    readonly encoding: string
    readonly sizeBytes: number
    readonly sha256: string
  }[]
}

// One encoding is served by default; the others are there for `tacit models add` and for telling them apart.
function loadLanguage(directory: string): readonly ZooModel[] {
  const source = readCard<LanguageCard>(join(directory, 'card.json'))
  const file = source?.files.find(({ encoding }) => encoding === 'q8_0')
  if (source === undefined || file === undefined) return []
  const card: ModelCard = {
    type: 'tacit-model-card/1',
    name: source.name,
    description: 'A byte-level LLaMA-style language model trained from scratch in this repository.',
    kind: 'language',
    format: 'gguf',
    sizeBytes: file.sizeBytes,
    commitments: { artifact: parseBytes32(`0x${file.sha256}`), q8: null, proof: null, fhe: null },
    contextTokens: source.architecture.contextTokens,
    inputs: [],
    outputs: [],
    labels: [],
    inputDivisor: 1,
    notice: source.notice,
    licence: source.licence,
  }
  return [{ card, path: join(directory, file.file) }]
}

type DigitsCard = {
  readonly file: string
  readonly sizeBytes: number
  readonly sha256: string
  readonly task: string
  readonly architecture: string
  readonly input: { readonly name: string; readonly shape: readonly number[] }
  readonly output: { readonly name: string; readonly shape: readonly number[] }
  readonly labels: readonly string[]
  readonly measured: { readonly accuracy: number; readonly q8Commitment?: string }
  readonly licence: string
}

/** Ink counts 0..16 in the data set. */
const inkLevels = 16

function loadDigits(directory: string): readonly ZooModel[] {
  return [
    { name: 'digits', source: 'digits-relu.int8' },
    { name: 'digits-square', source: 'digits-square.int8' },
  ].flatMap(({ name, source }) => {
    const digits = readCard<DigitsCard>(join(directory, `${source}.card.json`))
    if (digits === undefined) return []
    const { q8Commitment } = digits.measured
    const card: ModelCard = {
      type: 'tacit-model-card/1',
      name,
      description: `${digits.task}; ${digits.architecture}, int8; ${(digits.measured.accuracy * 100).toFixed(1)} % right on held-out images.`,
      kind: 'tensor',
      format: 'onnx',
      sizeBytes: digits.sizeBytes,
      commitments: {
        artifact: parseBytes32(`0x${digits.sha256}`),
        q8: q8Commitment === undefined ? null : parseBytes32(q8Commitment),
        proof: null,
        fhe: null,
      },
      contextTokens: 0,
      inputs: [{ name: digits.input.name, type: 'f32', shape: digits.input.shape }],
      outputs: [{ name: digits.output.name, type: 'f32', shape: digits.output.shape }],
      labels: digits.labels,
      inputDivisor: inkLevels,
      notice: '',
      licence: digits.licence,
    }
    return [{ card, path: join(directory, digits.file) }]
  })
}

function readCard<T>(path: string): T | undefined {
  if (!existsSync(path) || !statSync(path).isFile()) return undefined
  return JSON.parse(readFileSync(path, 'utf8')) as T // written by the zoo's own scripts and checked in
}
