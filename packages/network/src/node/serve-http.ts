import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { authority, closeServer, hasLoopbackHostHeader, isLoopback, type ListenOptions, listenHttp } from './listen.ts'

/** A request, its body read and within its limit. */
export type HttpRequest = {
  readonly method: string
  readonly path: string
  /** Named parts of the route: `:id` in `GET /v1/jobs/:id`. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Uint8Array
  readonly remote: string
  /** Aborts when the client goes away or the server stops. */
  readonly signal: AbortSignal
}

/** What a route answers: JSON, bytes or text, or a stream (which ends when its iterable does). */
export type HttpResponse = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly body?: Uint8Array | string
  readonly stream?: AsyncIterable<Uint8Array | string>
}

/** Answers one request. What it throws becomes a 500 that says nothing. */
export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

/** Handlers by `METHOD /path/:param`. */
export type HttpRoutes = Readonly<Record<string, HttpHandler>>

/** Settings of {@link serveHttp}. */
export type HttpOptions = ListenOptions & {
  readonly routes: HttpRoutes
  /** Largest request body. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** Requests at once, above which the answer is 503. Default 256. */
  readonly maxRequests?: number
  readonly signal?: AbortSignal
  /** What a handler threw, for logs. */
  readonly onError?: (error: unknown, request: { readonly method: string; readonly path: string }) => void
}

/** A running HTTP server. */
export type HttpServer = AsyncDisposable & { readonly url: string; readonly server: Server; close(): Promise<void> }

type Route = { readonly method: string; readonly parts: readonly string[]; readonly handler: HttpHandler }

/**
 * Serves a few JSON routes, on loopback unless told otherwise.
 * @example
 * await using http = await serveHttp({ routes: { 'GET /v1/health': () => ({ json: { ok: true } }) } })
 * @throws NotLoopbackError, ListenFailedError.
 */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  options.signal?.throwIfAborted()
  const { server, host, port } = await listenHttp(options)
  const routes = Object.entries(options.routes).map(([pattern, handler]): Route => {
    const [method = '', path = ''] = pattern.split(' ')
    return { method, parts: path.split('/'), handler }
  })
  const stop = new AbortController()
  let active = 0
  server.on('request', (request, response) => {
    if (active >= (options.maxRequests ?? 256)) return answerError(response, 503, 'busy')
    if (isLoopback(host) && !hasLoopbackHostHeader(request)) return answerError(response, 403, 'wrong host header')
    active++
    response.once('close', () => active--)
    void answer(request, response, { routes, stop: stop.signal, options })
  })
  const close = async (): Promise<void> => {
    options.signal?.removeEventListener('abort', onAbort)
    if (!stop.signal.aborted) stop.abort(new Error('the server is stopping'))
    if (server.listening) await closeServer(server)
  }
  const onAbort = (): void => void close()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  return { url: `http://${authority(host, port)}`, server, close, [Symbol.asyncDispose]: close }
}

type Context = { readonly routes: readonly Route[]; readonly stop: AbortSignal; readonly options: HttpOptions }

async function answer(request: IncomingMessage, response: ServerResponse, { routes, stop, options }: Context): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort(new Error('the client went away')))
  const method = request.method ?? 'GET'
  const url = parseUrl(request.url)
  if (url === undefined) return answerError(response, 400, 'malformed path')
  const parts = url.pathname.split('/')
  const matches = routes.flatMap((route) => {
    const params = matchParts(route.parts, parts)
    return params === undefined ? [] : [{ route, params }]
  })
  const match = matches.find(({ route }) => route.method === method)
  if (match === undefined)
    return answerError(response, matches.length > 0 ? 405 : 404, matches.length > 0 ? 'method not allowed' : 'not found')
  const body = await readBody(request, options.maxBodyBytes ?? 2 ** 20)
  if (body === 'too-large') return answerError(response, 413, 'body too large')
  if (body === 'aborted') return
  try {
    const answered = await match.route.handler({
      method,
      path: url.pathname,
      params: match.params,
      query: url.searchParams,
      headers: request.headers,
      body,
      remote: request.socket.remoteAddress ?? 'unknown',
      signal: AbortSignal.any([gone.signal, stop]),
    })
    await write(response, answered, gone.signal)
  } catch (error) {
    if (!gone.signal.aborted) options.onError?.(error, { method, path: url.pathname })
    if (response.headersSent) response.destroy()
    else answerError(response, 500, 'internal error')
  }
}

async function write(response: ServerResponse, answered: HttpResponse, gone: AbortSignal): Promise<void> {
  const { status = 200, headers = {}, json, body, stream } = answered
  if (stream !== undefined) {
    response.writeHead(status, headers)
    response.flushHeaders()
    for await (const piece of stream) {
      gone.throwIfAborted()
      if (!response.write(piece)) await drained(response, gone)
    }
    response.end()
    return
  }
  const bytes = json === undefined ? Buffer.from(body ?? '') : Buffer.from(JSON.stringify(json))
  const contentType = json === undefined ? {} : { 'content-type': 'application/json' }
  response.writeHead(status, { ...contentType, ...headers, 'content-length': String(bytes.length) })
  response.end(bytes)
}

function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(gone.reason)
    response.once('drain', () => {
      gone.removeEventListener('abort', abort)
      resolve()
    })
    gone.addEventListener('abort', abort, { once: true })
  })
}

function answerError(response: ServerResponse, status: number, message: string): void {
  const bytes = Buffer.from(JSON.stringify({ error: { message } }))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': String(bytes.length), connection: 'close' })
  response.end(bytes)
}

async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<Uint8Array | 'too-large' | 'aborted'> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return 'too-large'
  const pieces: Buffer[] = []
  let size = 0
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      size += piece.length
      if (size > maxBodyBytes) return 'too-large'
      pieces.push(piece)
    }
  } catch {
    return 'aborted'
  }
  return Uint8Array.from(Buffer.concat(pieces))
}

function parseUrl(target: string | undefined): URL | undefined {
  try {
    return new URL(target ?? '/', 'http://localhost')
  } catch {
    return undefined
  }
}

function matchParts(pattern: readonly string[], parts: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== parts.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, expected] of pattern.entries()) {
    const part = parts[i] ?? ''
    if (!expected.startsWith(':')) {
      if (expected !== part) return undefined
      continue
    }
    try {
      params[expected.slice(1)] = decodeURIComponent(part)
    } catch {
      return undefined
    }
  }
  return params
}
