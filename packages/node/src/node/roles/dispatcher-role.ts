import { connectChain, fetchEligibility, fetchStake, fetchWorkerIds } from '@tacit/chain'
import { WireChannel } from '@tacit/client'
import { createNodeDialer, serveHttp } from '@tacit/network/node'
import {
  bytes32,
  cardHash,
  MalformedError,
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
import { Dispatcher, type Probe } from '../../dispatcher/dispatcher.ts'
import { loadFastSignatures } from '../fast-signatures.ts'
import { openKeyFile } from '../key-file.ts'
import type { DispatcherConfig, RoleEvent } from './role-config.ts'
import type { Role } from './role-host.ts'

type Ask = { readonly session: SessionId; readonly model: ModelId; readonly client: Bytes32 }
const askSchema: Schema<Ask> = object<Ask>({ session: sessionId, model: modelId, client: bytes32 })

const eligibleSeconds = 5
const probeTimeoutMs = 3_000

/** The dispatcher as an HTTP service: `POST /v1/recommend`, `GET /v1/models`, `GET /health`. */
export async function startDispatcherRole(config: DispatcherConfig, say: (event: RoleEvent) => void): Promise<Role> {
  const signatures = await loadFastSignatures()
  const signer = openKeyFile(join(config.dataDir, 'dispatcher.key'), signatures)
  const chain = await connectChain(config.chainUrl, { deployment: config.deployment })
  const dialer = createNodeDialer()
  const dispatcher = new Dispatcher({
    domain: { chainId: chain.chainId, contract: config.deployment.contracts.paymentPool },
    signer,
    now: () => Math.floor(Date.now() / 1000),
    eligible: remember(eligibleSeconds, async (model: ModelId) => {
      const [block, workers] = await Promise.all([chain.client.getBlockNumber(), fetchWorkerIds(chain)])
      const eligible = await Promise.all(
        workers.map(async (worker) =>
          (await fetchEligibility(chain, worker, model))
            ? { worker, stake: (await fetchStake(chain, worker, model)).stakedWei }
            : undefined,
        ),
      )
      return { block, workers: eligible.filter((entry) => entry !== undefined) }
    }),
    probe: async (worker): Promise<Probe> => {
      const signal = AbortSignal.timeout(probeTimeoutMs)
      const channel = new WireChannel(await dialer.dial(`${config.relayUrl}/connect/${worker}`, { signal }))
      try {
        await channel.send({ type: 'status-request' })
        const frame = await channel.next(signal)
        if (frame?.type !== 'status') throw new MalformedError('A status', 'did not come')
        return frame
      } finally {
        await channel.close()
      }
    },
  })
  const http = await serveHttp({
    ...config.listen,
    maxBodyBytes: 4096,
    onError: (error, request) =>
      say({
        event: 'log',
        level: 'error',
        message: `${request.method} ${request.path}: ${error instanceof Error ? error.message : 'failed'}`,
      }),
    routes: {
      'GET /health': () => ({ json: { ok: true, address: signer.address } }),
      'GET /v1/models': () => ({ json: config.models.map(({ id, card }) => ({ id, card, cardHash: cardHash(card) })) }),
      'POST /v1/recommend': async ({ body }) => {
        try {
          return { json: await dispatcher.recommend(askSchema(parseJson(body, 'A request', 4096), 'request')) }
        } catch (error) {
          if (error instanceof MalformedError) return { status: 400, json: { error: { code: error.code, message: error.message } } }
          throw error
        }
      },
    },
  })
  say({ event: 'ready', url: http.url, address: signer.address, pid: process.pid })
  return { command: async () => {}, stop: () => http.close() }
}

// One answer per key, shared while it is fresh.
function remember<K, V>(seconds: number, load: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const held = new Map<K, { readonly at: number; readonly value: Promise<V> }>()
  return (key) => {
    const found = held.get(key)
    if (found !== undefined && Date.now() - found.at < seconds * 1000) return found.value
    const value = load(key)
    held.set(key, { at: Date.now(), value })
    value.catch(() => held.delete(key))
    return value
  }
}
