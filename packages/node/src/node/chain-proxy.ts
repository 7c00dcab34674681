// The chain of a local network for other machines. The node behind it obeys whoever reaches it (it mints, rewinds and
// impersonates on request), so it stays on loopback, and only what a stranger may ask of a chain passes here.
import { fetchJson } from '@tacit/network'
import { type HttpServer, serveHttp } from '@tacit/network/node'
import type { ListenConfig } from './roles/role-config.ts'

/** Reading, and sending what its sender has signed. Nothing that the node would sign, change or tell about itself. */
const allowedMethods: ReadonlySet<string> = new Set([
  'eth_blockNumber',
  'eth_call',
  'eth_chainId',
  'eth_estimateGas',
  'eth_feeHistory',
  'eth_gasPrice',
  'eth_getBalance',
  'eth_getBlockByHash',
  'eth_getBlockByNumber',
  'eth_getBlockReceipts',
  'eth_getCode',
  'eth_getLogs',
  'eth_getProof',
  'eth_getStorageAt',
  'eth_getTransactionByHash',
  'eth_getTransactionCount',
  'eth_getTransactionReceipt',
  'eth_maxPriorityFeePerGas',
  'eth_sendRawTransaction',
  'eth_syncing',
  'net_version',
])

const maxBodyBytes = 1 << 18
const maxBatch = 32
const maxAnswerBytes = 16 << 20
/** Requests of one address in a minute. A client needs a few for a payment and one or two for an answer. */
const requestsPerMinute = 3_000

type Call = { readonly jsonrpc: string; readonly id: string | number | null; readonly method: string; readonly params: readonly unknown[] }

/**
 * Serves the harmless part of a node's JSON-RPC.
 * @throws ListenFailedError, NotLoopbackError
 */
export function serveChainProxy(nodeUrl: string, listen: ListenConfig): Promise<HttpServer> {
  const counts = new Map<string, number>()
  let windowStartMs = performance.now()
  const isWithinRate = (remote: string, requests: number): boolean => {
    if (performance.now() - windowStartMs > 60_000) {
      counts.clear()
      windowStartMs = performance.now()
    }
    const count = (counts.get(remote) ?? 0) + requests
    if (counts.size < 100_000) counts.set(remote, count)
    return count <= requestsPerMinute
  }
  return serveHttp({
    ...listen,
    maxBodyBytes,
    routes: {
      'GET /health': () => ({ json: { ok: true } }),
      'POST /': async ({ body, remote, signal }) => {
        const calls = parseCalls(body)
        if (calls === undefined) return { status: 400, json: failure(null, -32600, 'not a JSON-RPC request') }
        if (!isWithinRate(remote, calls.list.length)) return { status: 429, json: failure(null, -32005, 'too many requests') }
        const answers = await Promise.all(calls.list.map((call) => forward(nodeUrl, call, signal)))
        return { json: calls.isBatch ? answers : answers[0] }
      },
    },
  })
}

async function forward(nodeUrl: string, call: Call, signal: AbortSignal): Promise<unknown> {
  if (!allowedMethods.has(call.method)) return failure(call.id, -32601, 'this method is not served to other machines')
  try {
    return await fetchJson(nodeUrl, { body: call, signal, maxBytes: maxAnswerBytes, timeoutMs: 20_000 })
  } catch {
    return failure(call.id, -32603, 'the node did not answer')
  }
}

function parseCalls(body: Uint8Array): { readonly list: readonly Call[]; readonly isBatch: boolean } | undefined {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
  const entries: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (entries.length === 0 || entries.length > maxBatch) return undefined
  const list = entries.map(parseCall)
  return list.every((call) => call !== undefined) ? { list, isBatch: Array.isArray(value) } : undefined
}

// Rebuilt from what was read, so that nothing else of the request reaches the node.
function parseCall(value: unknown): Call | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id = null, method, params = [] } = value as { id?: unknown; method?: unknown; params?: unknown }
  if (typeof method !== 'string' || !Array.isArray(params)) return undefined
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') return undefined
  return { jsonrpc: '2.0', id, method, params }
}

function failure(id: string | number | null, code: number, message: string): object {
  return { jsonrpc: '2.0', id, error: { code, message } }
}
