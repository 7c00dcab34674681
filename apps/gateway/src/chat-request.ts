// Reads an OpenAI chat request. What cannot be honoured is refused by name: nothing is ignored that would change the answer.
import type { InferRequest } from '@tacit/client'
import { inputBytes, type JobInput, jobInputSchema } from '@tacit/exchange'
import { MalformedError, parseJson, type Privacy, type StreamMode, type Verification } from '@tacit/protocol'
import { RequestError } from './errors.ts'

export type ChatRequest = {
  readonly request: InferRequest
  readonly model: string
  readonly stream: boolean
  readonly includeUsage: boolean
}

const maxBodyBytes = 1 << 20
const defaultMaxTokens = 256
/** These do not change what is answered. */
const harmless = new Set(['user', 'metadata', 'store', 'service_tier', 'safety_identifier', 'prompt_cache_key', 'parallel_tool_calls'])
/** These do, and are understood. */
const understood = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'seed',
  'stop',
  'n',
  'provider',
  'frequency_penalty',
  'presence_penalty',
  'response_format',
  'logprobs',
  'tools',
  'tool_choice',
])

/** @throws RequestError */
export function readChatRequest(bytes: Uint8Array): ChatRequest {
  const body = readObject(bytes)
  for (const key of Object.keys(body)) if (!harmless.has(key) && !understood.has(key)) throw unsupported(key)
  refuseUnsupported(body)
  const { model } = body
  if (typeof model !== 'string' || model === '') throw new RequestError(400, 'missing_required_parameter', 'Name a model.', 'model')
  const maxTokens = integer(body, 'max_completion_tokens', 1, 1 << 20) ?? integer(body, 'max_tokens', 1, 1 << 20) ?? defaultMaxTokens
  const options = body['stream_options']
  const includeUsage = typeof options === 'object' && options !== null && (options as Record<string, unknown>)['include_usage'] === true
  const input: JobInput = {
    kind: 'chat',
    messages: readMessages(body['messages']),
    maxTokens,
    temperatureMilli: Math.round((number(body, 'temperature', 0, 2) ?? 1) * 1000),
    topPMilli: Math.max(1, Math.round((number(body, 'top_p', 0, 1) ?? 1) * 1000)),
    seed: integer(body, 'seed', 0, 2 ** 32 - 1) ?? Math.floor(Math.random() * 2 ** 32),
    stop: readStop(body['stop']),
  }
  assertSendable(input)
  return {
    model,
    stream: body['stream'] === true,
    includeUsage,
    request: {
      model,
      ...readProvider(body['provider']),
      input,
    },
  }
}

// What the network cannot carry (half a character, a thousand messages) is the caller's to mend, so it is said before a worker is asked.
function assertSendable(input: JobInput): void {
  try {
    inputBytes(jobInputSchema(input, 'The request'))
  } catch (error) {
    if (error instanceof MalformedError) throw new RequestError(400, 'invalid_value', error.message, 'messages')
    throw error
  }
}

function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  if (body['n'] !== undefined && body['n'] !== null && body['n'] !== 1) throw unsupported('n')
  for (const name of ['frequency_penalty', 'presence_penalty'])
    if (body[name] !== undefined && body[name] !== null && body[name] !== 0) throw unsupported(name)
  if (body['logprobs'] === true) throw unsupported('logprobs')
  const format = body['response_format']
  if (format !== undefined && format !== null && (format as { type?: unknown }).type !== 'text') throw unsupported('response_format')
  if (Array.isArray(body['tools']) && body['tools'].length > 0) throw unsupported('tools')
}

function readObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const body = parseJson(bytes, 'The request', maxBodyBytes)
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
  }
  throw new RequestError(400, 'invalid_json', 'The body is not a JSON object.')
}

type Message = { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }

function readMessages(value: unknown): readonly Message[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new RequestError(400, 'missing_required_parameter', 'There are no messages.', 'messages')
  return value.map((item: unknown, index): Message => {
    const { role, content } = (typeof item === 'object' && item !== null ? item : {}) as { role?: unknown; content?: unknown }
    const param = `messages[${index}]`
    const known = role === 'developer' ? 'system' : role
    if (known !== 'system' && known !== 'user' && known !== 'assistant')
      throw new RequestError(400, 'invalid_value', 'The role of a message is system, developer, user or assistant.', `${param}.role`)
    return { role: known, content: readContent(content, `${param}.content`) }
  })
}

function readContent(content: unknown, param: string): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new RequestError(400, 'invalid_value', 'The content of a message is text.', param)
  return content
    .map((part: unknown) => {
      const { type, text } = (typeof part === 'object' && part !== null ? part : {}) as { type?: unknown; text?: unknown }
      if (type !== 'text' || typeof text !== 'string')
        throw new RequestError(400, 'unsupported_content', 'Only text is understood; images and audio are not.', param)
      return text
    })
    .join('')
}

function readStop(value: unknown): readonly string[] {
  if (value === undefined || value === null) return []
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length > 4 || !list.every((item): item is string => typeof item === 'string' && item !== ''))
    throw new RequestError(400, 'invalid_value', 'stop is up to four texts.', 'stop')
  return list
}

/** Extensions live under `provider`: the two dials, the stream mode, the price limit, the worker. */
function readProvider(value: unknown): Pick<InferRequest, 'levels' | 'streamMode' | 'maxPrice'> {
  if (value === undefined || value === null) return {}
  if (typeof value !== 'object') throw new RequestError(400, 'invalid_value', 'provider is an object.', 'provider')
  const provider = value as Record<string, unknown>
  for (const key of Object.keys(provider))
    if (!['privacy', 'verification', 'stream', 'max_price'].includes(key)) throw unsupported(`provider.${key}`)
  const maxPrice = provider['max_price']
  if (maxPrice !== undefined && (typeof maxPrice !== 'string' || !/^\d{1,38}$/.test(maxPrice)))
    throw new RequestError(
      400,
      'invalid_value',
      'max_price is a whole number as a text, in the smallest unit of the token.',
      'provider.max_price',
    )
  return {
    levels: {
      privacy: oneOf<Privacy>(provider, 'privacy', ['sealed', 'attested', 'encrypted']),
      verification: oneOf<Verification>(provider, 'verification', ['signed', 'audited', 'replayed', 'proved']),
    },
    streamMode: oneOf<StreamMode>(provider, 'stream', ['paced', 'immediate']),
    ...(typeof maxPrice === 'string' ? { maxPrice: BigInt(maxPrice) } : {}),
  }
}

function oneOf<T extends string>(values: Readonly<Record<string, unknown>>, name: string, allowed: readonly [T, ...T[]]): T {
  const value = values[name] ?? allowed[0]
  const found = allowed.find((item) => item === value)
  if (found === undefined) throw new RequestError(400, 'invalid_value', `${name} is one of ${allowed.join(', ')}.`, `provider.${name}`)
  return found
}

function number(body: Readonly<Record<string, unknown>>, name: string, min: number, max: number): number | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !(value >= min && value <= max))
    throw new RequestError(400, 'invalid_value', `${name} is a number from ${min} to ${max}.`, name)
  return value
}

function integer(body: Readonly<Record<string, unknown>>, name: string, min: number, max: number): number | undefined {
  const value = number(body, name, min, max)
  if (value !== undefined && !Number.isInteger(value)) throw new RequestError(400, 'invalid_value', `${name} is a whole number.`, name)
  return value
}

function unsupported(param: string): RequestError {
  return new RequestError(400, 'unsupported_parameter', `This gateway does not support ${param}; it is refused rather than ignored.`, param)
}
