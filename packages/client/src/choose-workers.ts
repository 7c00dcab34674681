// Who could serve: the dispatcher's advice when it is there and honest, the chain alone otherwise.
import { type ChainConnection, fetchEligibility, fetchStake, fetchStakerIds } from '@tacit/chain'
import { fetchJson } from '@tacit/network'
import {
  type Address,
  type Bytes32,
  isDocumentSignedBy,
  isRankingHonest,
  keccak,
  type ModelId,
  noScope,
  parseHex,
  parseSessionId,
  type Recommendation,
  rankCandidates,
  recommendationSchema,
  type SessionId,
  type Signed,
  signedSchema,
  utf8,
} from '@tacit/protocol'
import type { ClientStore } from './client-store.ts'
import type { NetworkDescription } from './network-description.ts'

export type WorkerChoice = {
  readonly ranking: readonly Address[]
  /** The advice that was followed; null when the chain alone decided. */
  readonly recommendation: Signed<Recommendation> | null
  /** Why there is no recommendation, or null. */
  readonly note: string | null
}

/** What the dispatcher's advice is bound to: the session's salt, which only the client knows, hashed. */
export function routeId(sessionSalt: Bytes32): SessionId {
  return parseSessionId(keccak(utf8('tacit/route/v1'), parseHex(sessionSalt, 'A session salt', 32)))
}

/** The workers to try, best first. */
export async function chooseWorkers(
  chain: ChainConnection,
  network: NetworkDescription,
  request: {
    readonly model: ModelId
    readonly sessionSalt: Bytes32
    readonly clientNonce: Bytes32
    readonly now: number
    readonly signal?: AbortSignal
  },
): Promise<WorkerChoice> {
  const session = routeId(request.sessionSalt)
  try {
    const recommendation = await askDispatcher(chain, network, session, request)
    if (recommendation !== null && recommendation.document.ranking.length > 0)
      return { ranking: recommendation.document.ranking, recommendation, note: null }
    return {
      ranking: await rankByStake(chain, request.model, session),
      recommendation: null,
      note: recommendation === null ? 'no dispatcher' : 'the dispatcher named nobody',
    }
  } catch (error) {
    request.signal?.throwIfAborted()
    return {
      ranking: await rankByStake(chain, request.model, session),
      recommendation: null,
      note: error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'the dispatcher failed',
    }
  }
}

async function askDispatcher(
  chain: ChainConnection,
  { dispatcherUrl, dispatcher, deployment }: NetworkDescription,
  session: SessionId,
  {
    model,
    clientNonce,
    now,
    signal,
  }: { readonly model: ModelId; readonly clientNonce: Bytes32; readonly now: number; readonly signal?: AbortSignal },
): Promise<Signed<Recommendation> | null> {
  if (dispatcherUrl === null || dispatcher === null) return null
  const client = keccak(parseHex(clientNonce, 'A nonce', 32))
  const json = await fetchJson(`${dispatcherUrl}/v1/recommend`, {
    body: { session, model, client },
    timeoutMs: 6_000,
    ...(signal === undefined ? {} : { signal }),
  })
  const signed = signedSchema(recommendationSchema)(json, 'recommendation')
  const { document } = signed
  const domain = { chainId: chain.chainId, contract: deployment.contracts.paymentPool }
  const honest =
    isDocumentSignedBy(dispatcher, 'Recommendation', signed, noScope, domain) &&
    document.chainId === chain.chainId.toString() &&
    document.session === session &&
    document.model === model &&
    document.client === client &&
    document.expiresAt > now &&
    isRankingHonest(document)
  if (!honest) throw new Error("the dispatcher's recommendation was refused: its signature, binding or ranking is wrong")
  return signed
}

async function rankByStake(chain: ChainConnection, model: ModelId, session: SessionId): Promise<readonly Address[]> {
  const workers = await fetchStakerIds(chain, model)
  const candidates = await Promise.all(
    workers.map(async (worker) => {
      if (!(await fetchEligibility(chain, worker, model))) return undefined
      const { stakedWei } = await fetchStake(chain, worker, model)
      return { worker, stake: stakedWei.toString(), capacity: 1, healthMilli: 1000, busy: 0 }
    }),
  )
  return rankCandidates(
    candidates.filter((candidate) => candidate !== undefined),
    session,
  ).map(({ worker }) => worker)
}

/** Workers with which a connection broke after a step was paid come last: one that cuts on purpose keeps a step each time. */
export function wholeFirst(ranking: readonly Address[], model: ModelId, store: ClientStore): readonly Address[] {
  const isInDoubt = (worker: Address): boolean => {
    const channel = store.channel(worker, model)
    return channel !== undefined && store.ledgers.read(channel.id).doubtful > 0n
  }
  return [...ranking.filter((worker) => !isInDoubt(worker)), ...ranking.filter(isInDoubt)]
}
