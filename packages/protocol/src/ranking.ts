// The dispatcher's ranking: a published, deterministic function of public numbers, so that anybody can recompute it.
import type { Hex } from './bytes.ts'
import { parseHex } from './bytes.ts'
import { type Address, type Bytes32, keccak, type ModelId, type SessionId } from './identifiers.ts'
import { address, bytes32, integer, list, modelId, object, oneOf, type Schema, sessionId, uint } from './schema.ts'
import { parseUint, type UintString } from './uint.ts'

/** What the ranking looks at, for one worker and one model. */
export type Candidate = {
  readonly worker: Address
  /** Active stake for the model, in the token's smallest unit. */
  readonly stake: UintString
  /** Jobs the worker says it can run at once. */
  readonly capacity: number
  /** Measured by the dispatcher: share of recent probes and jobs that went well, in thousandths. */
  readonly healthMilli: number
  /** Jobs running now, as measured. */
  readonly busy: number
}

export const candidateSchema: Schema<Candidate> = object({
  worker: address,
  stake: uint(128),
  capacity: integer(0, 65_536),
  healthMilli: integer(0, 1000),
  busy: integer(0, 65_536),
})

/**
 * Orders the candidates, best first. Score = floor(sqrt(stake)) * health^2 * free capacity; workers with health below 500
 * or no free capacity come last, in the same order. Equal scores are ordered by keccak256(session | worker), so that no
 * worker can buy the first place by choosing its address and load spreads over sessions.
 */
export function rankCandidates(candidates: readonly Candidate[], session: SessionId): readonly Candidate[] {
  const scored = candidates.map((candidate) => ({ candidate, score: scoreOf(candidate), tie: tieBreak(session, candidate.worker) }))
  scored.sort((a, b) => (a.score !== b.score ? (a.score > b.score ? -1 : 1) : a.tie < b.tie ? -1 : 1))
  return scored.map(({ candidate }) => candidate)
}

function scoreOf(candidate: Candidate): bigint {
  const free = Math.max(0, candidate.capacity - candidate.busy)
  if (candidate.healthMilli < 500 || free === 0) return 0n
  const health = BigInt(candidate.healthMilli)
  return integerSquareRoot(parseUint(candidate.stake, 'A stake', 128)) * health * health * BigInt(free)
}

function tieBreak(session: SessionId, worker: Hex): Bytes32 {
  return keccak(parseHex(session, 'A session id', 32), parseHex(worker, 'A worker', 20))
}

/** floor(sqrt(value)) by Newton's iteration on integers (Cohen 1993, Algorithm 1.7.1). */
export function integerSquareRoot(value: bigint): bigint {
  if (value < 2n) return value
  let x = 1n << BigInt((value.toString(2).length + 1) >> 1)
  for (;;) {
    const next = (x + value / x) >> 1n
    if (next >= x) return x
    x = next
  }
}

/** A dispatcher's signed advice. A client may ignore it: sessions open without one. */
export type Recommendation = {
  readonly type: 'tacit-recommendation/1'
  readonly chainId: UintString
  readonly session: SessionId
  readonly model: ModelId
  /** keccak256 of the client's one-time nonce: binds the advice to who asked without naming them. */
  readonly client: Bytes32
  /** Block whose stakes were read. */
  readonly block: UintString
  readonly candidates: readonly Candidate[]
  /** The order of `rankCandidates` over exactly these candidates. */
  readonly ranking: readonly Address[]
  /** Why workers eligible on chain are not among the candidates. */
  readonly skipped: readonly { readonly worker: Address; readonly reason: 'unreachable' | 'no-prekey' | 'draining' | 'full' }[]
  readonly expiresAt: number
}

export const recommendationSchema: Schema<Recommendation> = object({
  type: oneOf('tacit-recommendation/1'),
  chainId: uint(256),
  session: sessionId,
  model: modelId,
  client: bytes32,
  block: uint(64),
  candidates: list(candidateSchema, 1024),
  ranking: list(address, 1024),
  skipped: list(object({ worker: address, reason: oneOf('unreachable', 'no-prekey', 'draining', 'full') }), 1024),
  expiresAt: integer(0, 2 ** 40),
})

/** Whether the ranking is what the published function gives for these candidates, each of them named once. */
export function isRankingHonest(recommendation: Recommendation): boolean {
  if (new Set(recommendation.ranking).size !== recommendation.ranking.length) return false
  const expected = rankCandidates(recommendation.candidates, recommendation.session).map((candidate) => candidate.worker)
  return expected.length === recommendation.ranking.length && expected.every((worker, index) => worker === recommendation.ranking[index])
}
