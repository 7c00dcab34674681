// What the engine and its child process say to each other. The child runs native code on untrusted files, so what it
// says is parsed like anything from outside.
import type { LanguageInput, ModelDigest } from '../engine.ts'

/** Longest message to the child: a prompt of a long-context model fits. */
export const requestLimitBytes: number = 16 << 20
/** Longest message from the child: a few characters of text, or the facts about the model. */
export const replyLimitBytes: number = 1 << 16
/** How many unread events may be under way to the parent. */
export const eventWindow = 64

/** To the child. */
export type ParentMessage =
  | ({ readonly type: 'open' } & OpenModel)
  | { readonly type: 'count'; readonly id: number; readonly input: LanguageInput }
  | { readonly type: 'embed'; readonly id: number; readonly text: string }
  | { readonly type: 'generate'; readonly id: number; readonly request: ChildRequest }
  | { readonly type: 'credit'; readonly id: number; readonly events: number }
  | { readonly type: 'cancel'; readonly id: number }

/** Which file to open, and how. */
export type OpenModel = {
  readonly file: string
  readonly digest?: ModelDigest
  readonly contextTokens: number
  readonly batchTokens: number
  readonly threads: number
  /** Open it as an embedding model: no text can be generated then. */
  readonly embeddings?: boolean
}

/** A request with every default filled in. */
export type ChildRequest = {
  readonly input: LanguageInput
  readonly maxTokens: number
  readonly temperature: number
  readonly topP: number
  readonly seed: number
  readonly stop: readonly string[]
}

/** Facts about the opened model. */
export type ModelFacts = {
  readonly digest: ModelDigest
  readonly build: string
  readonly contextTokens: number
  readonly threads: number
  readonly tokenizerHash: string
  readonly templateHash: string
}

/** Why the child refuses to open a file or to run a request; the parent turns it into a named error. */
export type Refusal =
  | { readonly reason: 'not-found' | 'changed' | 'platform' }
  | { readonly reason: 'digest'; readonly actual: ModelDigest }
  | { readonly reason: 'malformed' | 'load' | 'invalid' | 'template' | 'native'; readonly detail: string }
  | { readonly reason: 'context'; readonly promptTokens: number; readonly contextTokens: number }

/** From the child. */
export type ChildMessage =
  | { readonly type: 'ready'; readonly facts: ModelFacts }
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | { readonly type: 'counted'; readonly id: number; readonly tokens: number }
  | { readonly type: 'embedded'; readonly id: number; readonly vector: Float64Array }
  | { readonly type: 'progress'; readonly id: number }
  | { readonly type: 'text'; readonly id: number; readonly text: string; readonly tokens: number }
  | {
      readonly type: 'end'
      readonly id: number
      readonly finishReason: 'stop' | 'length'
      readonly promptTokens: number
      readonly completionTokens: number
    }
  | { readonly type: 'failed'; readonly id: number; readonly refusal: Refusal }
  | { readonly type: 'cancelled'; readonly id: number }

/** Longest vector of an embedding model: its message stays below {@link replyLimitBytes}. */
export const vectorLimit = 8192

/** A vector as it travels: base64 of little-endian single-precision numbers, which is what llama.cpp computes. */
export function encodeVector(vector: ArrayLike<number>): string {
  const bytes = Buffer.alloc(4 * vector.length)
  Array.from(vector).forEach((value, i) => void bytes.writeFloatLE(value, 4 * i))
  return bytes.toString('base64')
}

function decodeVector(value: unknown): Float64Array | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length === 0 || bytes.length % 4 !== 0 || bytes.length > 4 * vectorLimit) return undefined
  const vector = Float64Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i))
  return vector.every(Number.isFinite) ? vector : undefined
}

/** A message of the child, or nothing when it is not one. */
export function parseChildMessage(message: unknown): ChildMessage | undefined {
  if (!isRecord(message)) return undefined
  const { type, id } = message
  if (type === 'ready') return isFacts(message['facts']) ? { type, facts: message['facts'] } : undefined
  if (type === 'refused') return isRefusal(message['refusal']) ? { type, refusal: message['refusal'] } : undefined
  if (!isCount(id)) return undefined
  if (type === 'progress' || type === 'cancelled') return { type, id }
  if (type === 'failed') return isRefusal(message['refusal']) ? { type, id, refusal: message['refusal'] } : undefined
  if (type === 'counted') return isCount(message['tokens']) ? { type, id, tokens: message['tokens'] } : undefined
  if (type === 'embedded') {
    const vector = decodeVector(message['vector'])
    return vector === undefined ? undefined : { type, id, vector }
  }
  if (type === 'text') {
    const { text, tokens } = message
    return typeof text === 'string' && isCount(tokens) ? { type, id, text, tokens } : undefined
  }
  if (type !== 'end') return undefined
  const { finishReason, promptTokens, completionTokens } = message
  if (finishReason !== 'stop' && finishReason !== 'length') return undefined
  return isCount(promptTokens) && isCount(completionTokens) ? { type, id, finishReason, promptTokens, completionTokens } : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isDigest(value: unknown): value is ModelDigest {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
}

function isFacts(value: unknown): value is ModelFacts {
  if (!isRecord(value) || !isDigest(value['digest']) || !isCount(value['contextTokens']) || !isCount(value['threads'])) return false
  return [value['build'], value['tokenizerHash'], value['templateHash']].every((text) => typeof text === 'string' && text.length < 200)
}

function isRefusal(value: unknown): value is Refusal {
  if (!isRecord(value)) return false
  const { reason } = value
  if (reason === 'not-found' || reason === 'changed' || reason === 'platform') return true
  if (reason === 'digest') return isDigest(value['actual'])
  if (reason === 'context') return isCount(value['promptTokens']) && isCount(value['contextTokens'])
  const described = reason === 'malformed' || reason === 'load' || reason === 'invalid' || reason === 'template' || reason === 'native'
  return described && typeof value['detail'] === 'string' && value['detail'].length < 4000
}
