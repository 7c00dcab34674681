// The dispatcher role: looks at stakes on chain and at the workers themselves, and says in signed words whom it would take.
// Nobody needs it: sessions open without a recommendation, and every number behind one is in it.
import {
  type Address,
  type Bytes32,
  type Candidate,
  type ModelId,
  noScope,
  type Recommendation,
  rankCandidates,
  type SessionId,
  type Signed,
  type Signer,
  type SigningDomain,
  signDocument,
} from '@tacit/protocol'

/** A worker as the chain shows it, for one model. */
export type EligibleWorker = { readonly worker: Address; readonly stake: bigint }

/** What one look at a worker gave. */
export type Probe = { readonly capacity: number; readonly running: number; readonly draining: boolean }

export type DispatcherOptions = {
  readonly domain: SigningDomain
  readonly signer: Signer
  readonly now: () => number
  /** Workers eligible for a model at a block. */
  readonly eligible: (model: ModelId) => Promise<{ readonly block: bigint; readonly workers: readonly EligibleWorker[] }>
  /** Asks a worker for its status; throws when it cannot be reached. */
  readonly probe: (worker: Address) => Promise<Probe>
}

/** How many past looks at a worker its health is measured over. */
const healthWindow = 32
const probeAgeSeconds = 3
const recommendationSeconds = 60

type Record = { readonly outcomes: readonly boolean[]; readonly probe: Probe | undefined; readonly probedAt: number }

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #records = new Map<Address, Record>()
  readonly #probing = new Map<Address, Promise<void>>()

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  get address(): Address {
    return this.#options.signer.address
  }

  /** Ranks the workers of a model for one session. */
  async recommend(request: {
    readonly session: SessionId
    readonly model: ModelId
    readonly client: Bytes32
  }): Promise<Signed<Recommendation>> {
    const { domain, signer, now, eligible } = this.#options
    const { block, workers } = await eligible(request.model)
    await Promise.all(workers.map(({ worker }) => this.#refresh(worker)))
    const candidates: Candidate[] = []
    const skipped: { worker: Address; reason: Recommendation['skipped'][number]['reason'] }[] = []
    for (const { worker, stake } of workers) {
      const record = this.#records.get(worker)
      const reason = skipReason(record)
      if (reason === undefined && record?.probe !== undefined)
        candidates.push({
          worker,
          stake: stake.toString(),
          capacity: record.probe.capacity,
          healthMilli: health(record),
          busy: record.probe.running,
        })
      else skipped.push({ worker, reason: reason ?? 'unreachable' })
    }
    const document: Recommendation = {
      type: 'tacit-recommendation/1',
      chainId: domain.chainId.toString(),
      session: request.session,
      model: request.model,
      client: request.client,
      block: block.toString(),
      candidates,
      ranking: rankCandidates(candidates, request.session).map(({ worker }) => worker),
      skipped,
      expiresAt: now() + recommendationSeconds,
    }
    return signDocument('Recommendation', document, noScope, domain, signer)
  }

  async #refresh(worker: Address): Promise<void> {
    const record = this.#records.get(worker)
    if (record !== undefined && this.#options.now() - record.probedAt < probeAgeSeconds) return
    const running = this.#probing.get(worker) ?? this.#probe(worker)
    this.#probing.set(worker, running)
    await running
  }

  async #probe(worker: Address): Promise<void> {
    let probe: Probe | undefined
    try {
      probe = await this.#options.probe(worker)
    } catch {
      probe = undefined // not reachable is what the record says
    }
    const outcomes = [...(this.#records.get(worker)?.outcomes ?? []), probe !== undefined].slice(-healthWindow)
    this.#records.set(worker, { outcomes, probe, probedAt: this.#options.now() })
    this.#probing.delete(worker)
  }
}

function skipReason(record: Record | undefined): Recommendation['skipped'][number]['reason'] | undefined {
  if (record?.probe === undefined) return 'unreachable'
  if (record.probe.draining) return 'draining'
  return record.probe.running >= record.probe.capacity ? 'full' : undefined
}

function health(record: Record): number {
  return Math.floor((1000 * record.outcomes.filter(Boolean).length) / record.outcomes.length)
}
