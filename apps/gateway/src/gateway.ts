// An OpenAI-compatible server in front of a Tacit client: point any OpenAI client at it and keep the receipts.
import type { TacitClient } from '@tacit/client'
import { type HttpHandler, type HttpRequest, type HttpServer, serveHttp } from '@tacit/network/node'
import { apiError } from './api-error.ts'
import { completeChat } from './chat-completion.ts'
import { readChatRequest } from './chat-request.ts'
import { RequestError } from './errors.ts'

export type GatewayOptions = {
  readonly client: TacitClient
  readonly host?: string
  readonly port?: number
  readonly exposeBeyondLoopback?: boolean
  /** Finds a stored receipt by its id or its job. */
  readonly findReceipt: (id: string) => Promise<unknown>
  readonly onError?: (error: unknown) => void
}

/** @throws ListenFailedError, NotLoopbackError */
export function startGateway(options: GatewayOptions): Promise<HttpServer> {
  const { client, findReceipt, onError, host, port, exposeBeyondLoopback } = options
  const answering =
    (handler: HttpHandler): HttpHandler =>
    async (request) => {
      try {
        refuseForeignPages(request.headers)
        return await handler(request)
      } catch (error) {
        if (request.signal.aborted) throw error
        const { status, body } = apiError(error)
        if (status >= 500) onError?.(error)
        return { status, json: body }
      }
    }
  return serveHttp({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(exposeBeyondLoopback === undefined ? {} : { exposeBeyondLoopback }),
    maxBodyBytes: 1 << 20,
    routes: {
      'GET /health': () => ({ json: { ok: true } }),
      'GET /v1/models': answering(async () => ({ json: { object: 'list', data: await listModels(client) } })),
      'GET /v1/models/:id': answering(async ({ params }) => {
        const { card, id } = await client.model(params['id'] ?? '')
        return { json: describe(card?.name ?? id) }
      }),
      'POST /v1/chat/completions': answering(({ body, signal }) => completeChat(client, readChatRequest(body), signal)),
      'GET /v1/receipts/:id': answering(async ({ params }) => {
        const found = await findReceipt(params['id'] ?? '')
        if (found === undefined) throw new RequestError(404, 'receipt_not_found', 'There is no such receipt here.', 'id')
        return { json: found }
      }),
    },
  })
}

// A page of any site may post to loopback without asking, and every answer is paid for. Browsers name the page in `Origin`;
// programs send none.
function refuseForeignPages({ origin }: HttpRequest['headers']): void {
  if (origin === undefined) return
  if (typeof origin === 'string' && URL.canParse(origin) && ownHosts.has(new URL(origin).hostname)) return
  throw new RequestError(403, 'origin_not_allowed', 'Pages of other sites may not use this gateway.')
}

const ownHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

async function listModels(client: TacitClient): Promise<readonly object[]> {
  return (await client.models()).filter(({ card }) => card?.kind === 'language').map(({ id, card }) => describe(card?.name ?? id))
}

function describe(id: string): object {
  return { id, object: 'model', created: 0, owned_by: 'tacit' }
}
