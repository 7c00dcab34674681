// What a model's owner publishes about it. The registry holds the card's hash and the root over its weight commitments.
import { parseHex, utf8 } from './bytes.ts'
import { canonicalBytes, type Json } from './canonical-json.ts'
import { type Bytes32, keccak } from './identifiers.ts'
import { bytes32, integer, list, nullable, object, oneOf, type Schema, text } from './schema.ts'

/** A tensor that the model takes or gives. A dimension of -1 is free. */
export type TensorDescription = {
  readonly name: string
  readonly type: 'f32' | 'i8' | 'u8' | 'i32' | 'i64'
  readonly shape: readonly number[]
}

/** The four commitments to one set of weights; null where a form does not exist. */
export type WeightCommitments = {
  /** SHA-256 of the artifact that a worker opens: module, GGUF or ONNX file. */
  readonly artifact: Bytes32
  /** Canonical q8 tensors (docs/spec/q8.md). */
  readonly q8: Bytes32 | null
  /** Rows of the layer proofs (docs/spec/proofs.md). */
  readonly proof: Bytes32 | null
  /** Plaintexts of the encrypted plan (docs/spec/fhe.md). */
  readonly fhe: Bytes32 | null
}

export type ModelCard = {
  readonly type: 'tacit-model-card/1'
  readonly name: string
  readonly description: string
  readonly kind: 'language' | 'tensor'
  readonly format: 'gguf' | 'onnx' | 'ollama'
  readonly sizeBytes: number
  readonly commitments: WeightCommitments
  /** Prompt and answer together, in tokens; 0 for tensor models. */
  readonly contextTokens: number
  readonly inputs: readonly TensorDescription[]
  readonly outputs: readonly TensorDescription[]
  /** Names of the classes of a classifier, in the order of its output; empty otherwise. */
  readonly labels: readonly string[]
  /** Every input value is divided by this before it is fed; 1 when it is taken as it is. */
  readonly inputDivisor: number
  /** Shown beside every answer, such as "this model babbles"; empty when there is nothing to say. */
  readonly notice: string
  readonly licence: string
}

const tensorDescription: Schema<TensorDescription> = object({
  name: text(256),
  type: oneOf('f32', 'i8', 'u8', 'i32', 'i64'),
  shape: list(integer(-1, 2 ** 31 - 1), 8),
})

export const modelCardSchema: Schema<ModelCard> = object({
  type: oneOf('tacit-model-card/1'),
  name: text(64),
  description: text(1024),
  kind: oneOf('language', 'tensor'),
  format: oneOf('gguf', 'onnx', 'ollama'),
  sizeBytes: integer(0, 2 ** 43),
  commitments: object({ artifact: bytes32, q8: nullable(bytes32), proof: nullable(bytes32), fhe: nullable(bytes32) }),
  contextTokens: integer(0, 2 ** 24),
  inputs: list(tensorDescription, 64),
  outputs: list(tensorDescription, 64),
  labels: list(text(128), 65_536),
  inputDivisor: integer(1, 65_536),
  notice: text(512),
  licence: text(256),
})

/** keccak256 of the canonical JSON: what the registry calls the manifest hash. */
export function cardHash(card: ModelCard): Bytes32 {
  return keccak(canonicalBytes(card as unknown as Json)) // plain data by construction
}

/** keccak256("tacit/model-root/1" | artifact | q8 | proof | fhe), 32 zero bytes for a form that does not exist. */
export function modelRoot({ artifact, q8, proof, fhe }: WeightCommitments): Bytes32 {
  const word = (value: Bytes32 | null): Uint8Array => (value === null ? new Uint8Array(32) : parseHex(value, 'A commitment', 32))
  return keccak(utf8('tacit/model-root/1'), word(artifact), word(q8), word(proof), word(fhe))
}
