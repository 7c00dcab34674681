// The part of Ollama's HTTP API that is used here (docs/api.md of ollama, read at v0.17.4): /api/tags, /api/show,
// /api/version. What comes back is parsed like anything from outside, with its length bounded.
import type { ModelDigest } from '../engine.ts'
import { OllamaFailedError, OllamaUnreachableError } from '../errors.ts'

/** A model that a local Ollama offers. */
export type OllamaModel = {
  readonly name: string
  /** Of Ollama's manifest, as Ollama reports it. */
  readonly digest: ModelDigest
  readonly sizeBytes: number
  /** True for a model that Ollama only forwards to a server of its own: prompts would leave this machine. */
  readonly remote: boolean
}

/** A running Ollama and what it offers. */
export type DetectedOllama = { readonly address: string; readonly models: readonly OllamaModel[] }

/** Where Ollama listens unless told otherwise. */
export const defaultOllamaAddress = 'http://127.0.0.1:11434'
const replyLimitBytes = 16 << 20

/**
 * The base address for a value of OLLAMA_HOST, which may lack scheme, host or port; the default without one.
 * @example ollamaAddress('0.0.0.0:11500') // 'http://127.0.0.1:11500'
 */
export function ollamaAddress(host: string | undefined): string {
  const text = host?.trim() ?? ''
  if (text === '') return defaultOllamaAddress
  const withScheme = /^https?:\/\//.test(text) ? text : `http://${text.startsWith(':') ? `127.0.0.1${text}` : text}`
  if (!URL.canParse(withScheme)) throw new OllamaUnreachableError(text)
  const url = new URL(withScheme)
  // What a server listens on is not what a client can call.
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1'
  if (url.hostname === '[::]') url.hostname = '[::1]'
  if (url.port === '' && !/^https?:\/\//.test(text)) url.port = '11434'
  return url.href.replace(/\/+$/, '')
}

/**
 * Looks for an Ollama and lists its models in one call; undefined when none answers.
 *
 * @example
 * const found = await detectOllama({ host: process.env.OLLAMA_HOST })
 * found?.models.map(({ name }) => name)
 */
export async function detectOllama(
  options: { readonly host?: string | undefined; readonly signal?: AbortSignal } = {},
): Promise<DetectedOllama | undefined> {
  const address = ollamaAddress(options.host)
  const timeout = AbortSignal.timeout(2000)
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
  try {
    return { address, models: await listModels(address, signal) }
  } catch {
    options.signal?.throwIfAborted()
    return undefined
  }
}

/** @throws OllamaUnreachableError, OllamaFailedError */
export async function listModels(address: string, signal: AbortSignal): Promise<readonly OllamaModel[]> {
  const { models } = await callOllama(address, '/api/tags', signal)
  if (!Array.isArray(models)) throw new OllamaFailedError('its list of models is not a list')
  return models.flatMap((entry: unknown): readonly OllamaModel[] => {
    const { name, digest, size, remote_host: remoteHost } = asRecord(entry)
    if (typeof name !== 'string' || typeof digest !== 'string' || !/^(sha256:)?[0-9a-f]{64}$/.test(digest)) return []
    const remote = typeof remoteHost === 'string' && remoteHost !== ''
    return [{ name, digest: `sha256:${digest.replace('sha256:', '')}`, sizeBytes: typeof size === 'number' ? size : 0, remote }]
  })
}

/** One JSON reply. */
export async function callOllama(address: string, path: string, signal: AbortSignal, body?: unknown): Promise<Record<string, unknown>> {
  const response = await sendToOllama(address, path, signal, body)
  if (!response.ok) throw await failureOf(response)
  const text = await readBounded(response, replyLimitBytes)
  try {
    return asRecord(JSON.parse(text))
  } catch {
    throw new OllamaFailedError('its reply is not JSON')
  }
}

/** Sends a request; rejects with the signal's reason when aborted, and with a named error when nobody answers. */
export async function sendToOllama(address: string, path: string, signal: AbortSignal, body?: unknown): Promise<Response> {
  try {
    return await fetch(`${address}${path}`, {
      signal,
      redirect: 'error',
      ...(body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw new OllamaUnreachableError(address, { cause: error })
  }
}

/** The named error for a refused request. Ollama's own words may quote the prompt, so only known ones are repeated. */
export async function failureOf(response: Response): Promise<OllamaFailedError> {
  const text = await readBounded(response, 1 << 16).catch(() => '')
  return new OllamaFailedError(`${describeFailure(text)} (status ${response.status})`)
}

/** What kind of failure a text of Ollama's speaks of. */
export function describeFailure(text: string): string {
  const known: readonly (readonly [pattern: RegExp, meaning: string])[] = [
    [/exceeds? .*context/i, 'the input is longer than the context'],
    [/not found/i, 'it does not have this model'],
    [/system memory|out of memory|requires more/i, 'the model needs more memory than there is'],
    [/busy|maximum pending/i, 'it is busy'],
    [/runner|terminated|exit status|signal/i, 'its runner crashed'],
  ]
  return known.find(([pattern]) => pattern.test(text))?.[1] ?? 'it reported an error'
}

async function readBounded(response: Response, limitBytes: number): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > limitBytes) throw new OllamaFailedError('its reply is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** The fields of an object from outside; none when it is something else. */
export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
