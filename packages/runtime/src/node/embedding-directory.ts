// A user's own embedding model, in the folder layout of sentence-transformers: `tokenizer.json` beside `model.onnx` or `onnx/model.onnx`,
// perhaps `1_Pooling/config.json`; or a folder with one GGUF file. Nothing in it is executed, and nothing is downloaded.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { parseOnnx } from '@tacit/model'
import type { ModelDigest, Tensor, TensorEngine } from '../engine.ts'
import { ContextExceededError, ModelMalformedError, ModelNotFoundError } from '../errors.ts'
import { openReferenceEngine } from '../reference-engine.ts'
import { type GgufEmbedding, openGgufEmbedding } from './gguf-embedding.ts'
import type { EmbeddingModel } from './ollama-embedding.ts'

/** How an ONNX file becomes an engine; sizes are fixed before it is opened. */
export type OpenTensorModel = (
  onnx: Uint8Array,
  options: { readonly digest: ModelDigest; readonly dimensions: Readonly<Record<string, number>> },
) => Promise<TensorEngine>

/** Which folder, and within which limits. */
export type EmbeddingDirectoryOptions = {
  readonly directory: string
  /** Longest text in tokens, special ones included: every text is padded to it. */
  readonly maxTokens?: number
  /** How to run the ONNX file. The reference interpreter is exact and slow; a compiled module gives the same bits many times faster. */
  readonly open?: OpenTensorModel
  readonly signal?: AbortSignal
}

type Pooling = 'mean' | 'first'
type OwnEmbedding = EmbeddingModel & AsyncDisposable

const onnxLimitBytes = 2 ** 31
const descriptionLimitBytes = 64 << 20
const longestToken = 256

/** The names that exporters give to the two free sizes of an encoder. */
const batchNames = ['batch_size', 'batch', 'N']
const lengthNames = ['sequence_length', 'sequence', 'seq_length', 'seq_len', 'length', 'L']

/**
 * Opens the model of a folder.
 *
 * @example
 * await using model = await openEmbeddingDirectory({ directory: 'models/my-encoder' })
 * const embedder = createSemanticEmbedder(model, 384) // of @tacit/routing
 *
 * @throws ModelNotFoundError, ModelMalformedError, what `parseOnnx` throws, and what `openGgufEmbedding` throws
 */
export async function openEmbeddingDirectory(options: EmbeddingDirectoryOptions): Promise<OwnEmbedding | GgufEmbedding> {
  const { directory, maxTokens = 128, open = openReference } = options
  const file = ['model.onnx', 'onnx/model.onnx'].map((name) => join(directory, name)).find((path) => existsSync(path))
  if (file === undefined) return openOnlyGguf(options)
  const [onnx, description, settings] = await Promise.all([
    readBounded(file, onnxLimitBytes),
    readOptional(join(directory, 'tokenizer.json')),
    readOptional(join(directory, 'tokenizer_config.json')),
  ])
  if (description === undefined) throw new ModelNotFoundError(join(directory, 'tokenizer.json'))
  const pooling = await readPooling(directory)
  const encode = createEncoder(description, settings)
  const digest: ModelDigest = `sha256:${sha256(onnx)}`
  const sizes = [...batchNames.map((name) => [name, 1] as const), ...lengthNames.map((name) => [name, maxTokens] as const)]
  const engine = await open(Uint8Array.from(onnx), { digest, dimensions: Object.fromEntries(sizes) })
  assertEncoder(engine, file)
  return {
    // Whatever decides a vector names the space: weights, vocabulary with its settings, pooling. The padded length does not change it.
    model: `onnx/${digest}/${nameTokenizer(description, settings)}/${pooling}`,
    embed: async (texts, { signal } = {}) => {
      const vectors: Float64Array[] = []
      for (const text of texts) {
        signal?.throwIfAborted()
        // No token is longer than this on average: a book is refused before it is cut into words.
        if (text.length > maxTokens * longestToken)
          throw new ContextExceededError({ promptTokens: Math.ceil(text.length / longestToken), contextTokens: maxTokens })
        const ids = encode(text)
        if (ids.length > maxTokens) throw new ContextExceededError({ promptTokens: ids.length, contextTokens: maxTokens })
        const { outputs } = await engine.run(encoderInputs(engine, ids, maxTokens), signal === undefined ? {} : { signal })
        vectors.push(pool(outputs, ids.length, pooling))
      }
      return vectors
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}

const openReference: OpenTensorModel = async (onnx, { digest, dimensions }) =>
  openReferenceEngine(parseOnnx(onnx, { dimensions }), { digest })

async function openOnlyGguf({ directory, maxTokens, signal }: EmbeddingDirectoryOptions): Promise<GgufEmbedding> {
  const names = await readdir(directory).catch(() => [])
  const files = names.filter((name) => name.toLowerCase().endsWith('.gguf'))
  const [only] = files
  if (only === undefined || files.length > 1)
    throw new ModelNotFoundError(`${directory} as model.onnx, onnx/model.onnx or a single .gguf file (it holds ${files.length})`)
  return openGgufEmbedding({
    file: join(directory, only),
    ...(maxTokens === undefined ? {} : { contextTokens: maxTokens }),
    ...(signal === undefined ? {} : { signal }),
  })
}

function createEncoder(description: Buffer, settings: Buffer | undefined): (text: string) => readonly number[] {
  let tokenizer: Tokenizer
  try {
    tokenizer = new Tokenizer(JSON.parse(description.toString()), settings === undefined ? {} : JSON.parse(settings.toString()))
  } catch {
    throw new ModelMalformedError('tokenizer.json', 'it does not describe a tokenizer')
  }
  return (text) => tokenizer.encode(text).ids
}

// Pooling of sentence-transformers; a folder without the file means mean pooling, as theirs does.
async function readPooling(directory: string): Promise<Pooling> {
  const bytes = await readOptional(join(directory, '1_Pooling', 'config.json'))
  if (bytes === undefined) return 'mean'
  let config: Record<string, unknown>
  try {
    config = JSON.parse(bytes.toString())
  } catch {
    throw new ModelMalformedError('1_Pooling/config.json', 'it is not JSON')
  }
  const chosen = Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && config[key] === true)
  if (chosen.length === 1 && chosen[0] === 'pooling_mode_mean_tokens') return 'mean'
  if (chosen.length === 1 && chosen[0] === 'pooling_mode_cls_token') return 'first'
  throw new ModelMalformedError(
    '1_Pooling/config.json',
    `it asks for ${chosen.join(', ') || 'no pooling'}; mean or first token is supported`,
  )
}

function assertEncoder({ inputs, outputs }: TensorEngine, file: string): void {
  const known = ['input_ids', 'attention_mask', 'token_type_ids']
  const wrong = inputs.find(({ name, type }) => !known.includes(name) || (type !== 'i64' && type !== 'i32'))
  if (wrong !== undefined || !inputs.some(({ name }) => name === 'input_ids'))
    throw new ModelMalformedError(file, 'it is no text encoder: its inputs are not input_ids, attention_mask, token_type_ids')
  const vector = outputs.find(({ type, shape }) => type === 'f32' && (shape.length === 2 || shape.length === 3))
  if (vector === undefined) throw new ModelMalformedError(file, 'it gives no vector: no float output of two or three dimensions')
}

function encoderInputs({ inputs }: TensorEngine, ids: readonly number[], length: number): Record<string, Tensor> {
  const values = (name: string, i: number): number => {
    if (name === 'token_type_ids' || i >= ids.length) return 0
    return name === 'attention_mask' ? 1 : (ids[i] ?? 0)
  }
  return Object.fromEntries(
    inputs.map(({ name, type }): [string, Tensor] => {
      const numbers = Array.from({ length }, (_, i) => values(name, i))
      const shape = [1, length]
      return [
        name,
        type === 'i64'
          ? { type, shape, data: BigInt64Array.from(numbers, BigInt) }
          : { type: 'i32', shape, data: Int32Array.from(numbers) },
      ]
    }),
  )
}

// A sentence vector if the model gives one; otherwise the tokens' vectors, pooled over those that are not padding.
function pool(outputs: Readonly<Record<string, Tensor>>, count: number, pooling: Pooling): Float64Array {
  const floats = Object.values(outputs).filter((output) => output.type === 'f32')
  const sentence = floats.find(({ shape }) => shape.length === 2)
  const tokens = floats.find(({ shape }) => shape.length === 3)
  if (tokens === undefined) return Float64Array.from(sentence?.data ?? [])
  const width = tokens.shape[2] ?? 0
  const used = pooling === 'first' ? 1 : count
  return Float64Array.from({ length: width }, (_, j) => {
    let sum = 0
    for (let i = 0; i < used; i++) sum += tokens.data[i * width + j] ?? 0
    return sum / used
  })
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  return existsSync(path) ? await readBounded(path, descriptionLimitBytes) : undefined
}

// A folder, a pipe or a device under the name of a file would be read for ever, or not at all.
async function readBounded(path: string, limitBytes: number): Promise<Buffer> {
  const facts = await stat(path)
  if (!facts.isFile()) throw new ModelMalformedError(path, 'it is not a file')
  if (facts.size > limitBytes) throw new ModelMalformedError(path, `it has more than ${limitBytes} bytes`)
  return await readFile(path)
}

// Settings say, for example, whether words are lowered: with others the same vocabulary gives other tokens.
function nameTokenizer(description: Buffer, settings: Buffer | undefined): string {
  return sha256(settings === undefined ? description : Buffer.from(`${sha256(description)}${sha256(settings)}`)).slice(0, 16)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
