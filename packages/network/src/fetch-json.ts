import { BadStatusError, MalformedResponseError, ResponseTooLargeError, TimedOutError, UnreachableError } from './errors.ts'

/** Settings of {@link fetchJson}. */
export type FetchJsonOptions = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Largest answer that is read. Default 1 MiB. */
  readonly maxBytes?: number
  /** Default 15 s, for the whole exchange. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Default: the global fetch. */
  readonly fetch?: typeof globalThis.fetch
}

/**
 * Fetches a JSON value, bounded in size and time. The value is untrusted: parse it before use.
 * @example
 * const ranking = parseRanking(await fetchJson(`${dispatcher}/v1/ranking`))
 * @throws UnreachableError, TimedOutError, BadStatusError (with the parsed body), ResponseTooLargeError, MalformedResponseError,
 * or the reason of `signal`.
 */
export async function fetchJson(url: string, options: FetchJsonOptions = {}): Promise<unknown> {
  const { method = options.body === undefined ? 'GET' : 'POST', body, headers = {}, maxBytes = 2 ** 20, timeoutMs = 15_000 } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  const request = body === undefined ? {} : { body: JSON.stringify(body) }
  const contentType = body === undefined ? {} : { 'content-type': 'application/json' }
  try {
    const response = await (options.fetch ?? globalThis.fetch)(url, {
      method,
      headers: { accept: 'application/json', ...contentType, ...headers },
      redirect: 'error',
      signal,
      ...request,
    })
    const text = await readText(response, { url, maxBytes })
    const value = parse(text)
    if (!response.ok) throw new BadStatusError({ url, status: response.status, body: value })
    if (value === undefined) throw new MalformedResponseError(url)
    return value
  } catch (cause) {
    options.signal?.throwIfAborted()
    if (timeout.aborted) throw new TimedOutError(url, timeoutMs)
    if (cause instanceof BadStatusError || cause instanceof ResponseTooLargeError || cause instanceof MalformedResponseError) throw cause
    throw new UnreachableError(url, { cause })
  }
}

async function readText(response: Response, { url, maxBytes }: { readonly url: string; readonly maxBytes: number }): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.length
    if (size > maxBytes) {
      await reader.cancel()
      throw new ResponseTooLargeError({ url, limitBytes: maxBytes })
    }
    text += decoder.decode(value, { stream: true })
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
