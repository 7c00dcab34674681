// What is asked and what is answered, as the canonical bytes that commitments cover.
import { canonicalBytes, hex, type Hex, integer, type Json, list, object, oneOf, type Schema, text, variant } from '@tacit/protocol'

/** A tensor on the wire: row-major little-endian bytes as hex. */
export type WireTensor = {
  readonly name: string
  readonly type: 'f32' | 'i8' | 'u8' | 'i32' | 'i64'
  readonly shape: readonly number[]
  readonly data: Hex
}

export type ChatMessage = { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }

/** A conversation and how to continue it. Fractions are thousandths, so that the bytes have one form. */
export type ChatInput = {
  readonly kind: 'chat'
  readonly messages: readonly ChatMessage[]
  readonly maxTokens: number
  readonly temperatureMilli: number
  readonly topPMilli: number
  readonly seed: number
  readonly stop: readonly string[]
}

/** Inputs of a tensor model, by name. */
export type TensorInput = { readonly kind: 'tensors'; readonly tensors: readonly WireTensor[] }

export type JobInput = ChatInput | TensorInput

/** A part of an answer. Text parts join to the whole answer; tensors come in one part. */
export type JobOutput =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tensors'; readonly tensors: readonly WireTensor[] }

export const maxInputBytes = 1 << 20

const wireTensorSchema: Schema<WireTensor> = object({
  name: text(256),
  type: oneOf('f32', 'i8', 'u8', 'i32', 'i64'),
  shape: list(integer(0, 2 ** 31 - 1), 8),
  data: hex(0, maxInputBytes),
})

export const jobInputSchema: Schema<JobInput> = variant<JobInput>('kind', {
  chat: object<ChatInput>({
    kind: oneOf('chat'),
    messages: list(object<ChatMessage>({ role: oneOf('system', 'user', 'assistant'), content: text(maxInputBytes) }), 1024),
    maxTokens: integer(1, 1 << 20),
    temperatureMilli: integer(0, 2000),
    topPMilli: integer(1, 1000),
    seed: integer(0, 2 ** 32 - 1),
    stop: list(text(256), 8),
  }),
  tensors: object<TensorInput>({ kind: oneOf('tensors'), tensors: list(wireTensorSchema, 64) }),
})

export const jobOutputSchema: Schema<JobOutput> = variant<JobOutput>('kind', {
  text: object<Extract<JobOutput, { kind: 'text' }>>({ kind: oneOf('text'), text: text(maxInputBytes) }),
  tensors: object<Extract<JobOutput, { kind: 'tensors' }>>({ kind: oneOf('tensors'), tensors: list(wireTensorSchema, 64) }),
})

/** The bytes that the input commitment covers. */
export function inputBytes(input: JobInput): Uint8Array<ArrayBuffer> {
  return canonicalBytes(input as unknown as Json) // plain data by construction
}

/** The bytes that the output commitment covers: the text itself, or the canonical JSON of the tensors. */
export function outputBytes(parts: readonly JobOutput[]): Uint8Array<ArrayBuffer> {
  const first = parts[0]
  if (first?.kind === 'tensors') return canonicalBytes(first as unknown as Json)
  return new TextEncoder().encode(parts.map((part) => (part.kind === 'text' ? part.text : '')).join(''))
}
