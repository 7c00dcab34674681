import { connectChain, fetchEligibility, fetchStake, fetchStakerIds } from '@tacit/chain'
import { createNodeDialer, serveHttp } from '@tacit/network/node'
import {
  bytes32,
  cardHash,
  MalformedError,
  modelCardSchema,
  type ModelId,
  modelId,
  object,
  parseJson,
  type Schema,
  sessionId,
  type Bytes32,
  type SessionId,
} from '@tacit/protocol'
import { join } from 'node:path'
import { Dispatcher } from '../../dispatcher/dispatcher.ts'
import { loadFastSignatures } from '../fast-signatures.ts'
import { openKeyFile } from '../key-file.ts'
import { probeWorker } from '../probe-worker.ts'
import { createCardShelf, type ShelvedCard } from './card-shelf.ts'
import { faucetRoutes } from './faucet-routes.ts'
import type { DispatcherConfig, RoleEvent } from './role-config.ts'
import type { Role } from './role-host.ts'

type Ask = { readonly session: SessionId; readonly model: ModelId; readonly client: Bytes32 }
const askSchema: Schema<Ask> = object<Ask>({ session: sessionId, model: modelId, client: bytes32 })
const offeredSchema: Schema<ShelvedCard> = object<ShelvedCard>({ id: modelId, card: modelCardSchema })
const maxCardBytes = 1 << 16

const eligibleSeconds = 5
const maxRemembered = 256

/**
 * The dispatcher as an HTTP service: `POST /v1/recommend`, `GET /v1/models`, `POST /v1/models` (a card that the registry holds
 * the hash of), `GET /health`; on local networks also `POST /v1/faucet`.
 */
export async function startDispatcherRole(config: DispatcherConfig, say: (event: RoleEvent) => void): Promise<Role> {
  const signatures = await loadFastSignatures()
  const signer = openKeyFile(join(config.dataDir, 'dispatcher.key'), signatures)
  const chain = await connectChain(config.chainUrl, { deployment: config.deployment })
  const dialer = createNodeDialer()
  const shelf = createCardShelf(chain, config.models)
  const dispatcher = new Dispatcher({
    domain: { chainId: chain.chainId, contract: config.deployment.contracts.paymentPool },
    signer,
    now: () => Math.floor(Date.now() / 1000),
    eligible: remember(eligibleSeconds, async (model: ModelId) => {
      const [block, workers] = await Promise.all([chain.client.getBlockNumber(), fetchStakerIds(chain, model)])
      const eligible = await Promise.all(
        workers.map(async (worker) =>
          (await fetchEligibility(chain, worker, model))
            ? { worker, stake: (await fetchStake(chain, worker, model)).stakedWei }
            : undefined,
        ),
      )
      return { block, workers: eligible.filter((entry) => entry !== undefined) }
    }),
    probe: (worker) => probeWorker(dialer, config.relayUrl, worker),
  })
  const http = await serveHttp({
    ...config.listen,
    maxBodyBytes: maxCardBytes,
    onError: (error, request) =>
      say({
        event: 'log',
        level: 'error',
        message: `${request.method} ${request.path}: ${error instanceof Error ? error.message : 'failed'}`,
      }),
    routes: {
      'GET /health': () => ({ json: { ok: true, address: signer.address } }),
      'GET /v1/models': () => ({ json: shelf.list().map(({ id, card }) => ({ id, card, cardHash: cardHash(card) })) }),
      'POST /v1/models': async ({ body }) => {
        try {
          const refusal = await shelf.add(offeredSchema(parseJson(body, 'A card', maxCardBytes), 'card'))
          return refusal === undefined
            ? { json: { ok: true } }
            : { status: 409, json: { error: { code: refusal, message: 'The registry does not hold this card.' } } }
        } catch (error) {
          if (error instanceof MalformedError) return malformed(error)
          throw error
        }
      },
      'POST /v1/recommend': async ({ body }) => {
        try {
          return { json: await dispatcher.recommend(askSchema(parseJson(body, 'A request', 4096), 'request')) }
        } catch (error) {
          if (error instanceof MalformedError) return malformed(error)
          throw error
        }
      },
      ...(config.faucet ? faucetRoutes(chain, signer) : {}),
    },
  })
  say({ event: 'ready', url: http.url, address: signer.address, pid: process.pid })
  return { command: async () => {}, stop: () => http.close() }
}

function malformed({ code, message }: MalformedError): { readonly status: number; readonly json: object } {
  return { status: 400, json: { error: { code, message } } }
}

// One answer per key, shared while it is fresh.
function remember<K, V>(seconds: number, load: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const held = new Map<K, { readonly at: number; readonly value: Promise<V> }>()
  return (key) => {
    const found = held.get(key)
    if (found !== undefined && Date.now() - found.at < seconds * 1000) return found.value
    const value = load(key)
    // Keys come from strangers: what has aged goes before the map grows.
    if (held.size >= maxRemembered) {
      const now = Date.now()
      for (const [old, { at }] of held) if (now - at >= seconds * 1000 || held.size >= 2 * maxRemembered) held.delete(old)
    }
    held.set(key, { at: Date.now(), value })
    value.catch(() => held.delete(key))
    return value
  }
}
