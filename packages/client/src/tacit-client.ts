// What an app imports: choose a model, say how private and how verified, get an answer and a receipt.
import { type ChainConnection, fetchEligibility, type TransactionSender } from '@tacit/chain'
import {
  type ClientOrder,
  type ClientReceipt,
  inputBytes,
  type JobInput,
  jobInputSchema,
  type JobOutput,
  QuoteRejectedError,
  RefusedError,
} from '@tacit/exchange'
import type { Dialer } from '@tacit/network'
import {
  type Address,
  type JobId,
  type Levels,
  type ModelId,
  parseBytes32,
  parseUint,
  type Quote,
  type SignatureBackend,
  type Signed,
  type Signer,
  type StreamMode,
  toHex,
} from '@tacit/protocol'
import type { AeadBackend, RandomSource } from '@tacit/session'
import { chooseWorkers, type WorkerChoice, wholeFirst } from './choose-workers.ts'
import type { ClientStore } from './client-store.ts'
import {
  NoWorkerError,
  PrekeyRefusedError,
  StreamLostError,
  UnknownModelError,
  WorkerIneligibleError,
  WorkerUnreachableError,
} from './errors.ts'
import { type FiledReceipt, fileReceipt } from './file-receipt.ts'
import { findModels, type ListedModel } from './find-models.ts'
import type { NetworkDescription } from './network-description.ts'
import { OwnChannels } from './own-channels.ts'
import { abortable } from './wire-channel.ts'
import { WorkerSession } from './worker-session.ts'

export type TacitClientOptions = {
  readonly network: NetworkDescription
  readonly chain: ChainConnection
  readonly payer: Signer
  /** Sends the payer's transactions: locks, when there is none that suits. */
  readonly sender: TransactionSender
  readonly store: ClientStore
  readonly dialer: Dialer
  readonly random: RandomSource
  readonly signatures: SignatureBackend
  readonly aead?: AeadBackend
  /** Seconds since 1970. */
  readonly now: () => number
}

export type InferRequest = {
  /** Name or id. */
  readonly model: string
  readonly input: JobInput
  readonly levels?: Levels
  readonly streamMode?: StreamMode
  /**
   * In the token's smallest unit; the request fails before it costs more, all workers that try it taken together. Without it the
   * limit of each worker is the published price of the steps that the answer needs.
   */
  readonly maxPrice?: bigint
  readonly deadlineSeconds?: number
  /** Use this worker and no other. */
  readonly worker?: Address
}

export type InferEvent =
  | { readonly type: 'worker'; readonly worker: Address; readonly choice: WorkerChoice }
  | { readonly type: 'quote'; readonly quote: Signed<Quote> }
  | { readonly type: 'started'; readonly job: JobId }
  | { readonly type: 'notice'; readonly notice: string }
  | { readonly type: 'output'; readonly output: JobOutput }
  | { readonly type: 'resumed'; readonly attempt: number }
  /** The worker failed; another one starts over. What was delivered before is void. */
  | { readonly type: 'restarted'; readonly reason: string }
  | { readonly type: 'answered'; readonly result: ClientReceipt; readonly price: bigint }
  | ({ readonly type: 'receipt' } & FiledReceipt)
const defaultLevels: Levels = { privacy: 'sealed', verification: 'signed' }
/** Output tokens of a step of a language model. */
const usualStepTokens = 32
/** How long a worker may take to open a session. */
const openMs = 20_000

/** A limit for all workers that try a request together, or the usual one for each of them. */
type Budget = { left: bigint } | { readonly each: bigint }

type HeldSession = { readonly session: WorkerSession; readonly quotes: Map<string, Signed<Quote>> }

/**
 * A client of one network.
 * @example
 * for await (const event of client.infer({ model: 'digits', input })) if (event.type === 'output') show(event.output)
 */
export class TacitClient {
  readonly #options: TacitClientOptions
  readonly #sessions = new Map<string, Promise<HeldSession>>()
  readonly #channels: OwnChannels
  #models: { readonly at: number; readonly list: Promise<readonly ListedModel[]> } | undefined

  constructor(options: TacitClientOptions) {
    this.#options = options
    this.#channels = new OwnChannels(options)
  }

  get payer(): Address {
    return this.#options.payer.address
  }

  /** The models of the network, as the registry has them. */
  models({ signal }: { readonly signal?: AbortSignal } = {}): Promise<readonly ListedModel[]> {
    const now = this.#options.now()
    if (this.#models !== undefined && now - this.#models.at < 30) return this.#models.list
    const list = findModels(this.#options.chain, this.#options.network.dispatcherUrl, signal)
    list.catch(() => {
      this.#models = undefined
    })
    this.#models = { at: now, list }
    return list
  }

  /** @throws UnknownModelError */
  async model(nameOrId: string): Promise<ListedModel> {
    const models = await this.models()
    const found = models.find(({ id, card }) => id === nameOrId || card?.name === nameOrId)
    if (found === undefined)
      throw new UnknownModelError(
        nameOrId,
        models.flatMap(({ card }) => (card === null ? [] : [card.name])),
      )
    return found
  }

  /** Quotes of up to `limit` workers. Costs nothing. */
  async quotes(
    request: Omit<InferRequest, 'maxPrice'>,
    { limit = 3, signal }: { readonly limit?: number; readonly signal?: AbortSignal } = {},
  ): Promise<readonly Signed<Quote>[]> {
    const model = await this.model(request.model)
    const choice = await this.#choose(model.id, request, signal)
    const quotes = await Promise.allSettled(
      choice.ranking.slice(0, limit).map(async (worker) => (await this.#quote(worker, model.id, request, signal)).quote),
    )
    const good = quotes.flatMap((quote) => (quote.status === 'fulfilled' ? [quote.value] : []))
    if (good.length > 0) return good
    throw noWorker(quotes.flatMap((quote) => (quote.status === 'rejected' ? [quote.reason] : [])))
  }

  /**
   * Runs a request and yields what happens; ends with the verified receipt.
   * @throws UnknownModelError, NoWorkerError, PoolEmptyError, RefusedError, QuoteRejectedError, MisbehaviourError, StreamLostError.
   */
  async *infer(request: InferRequest, { signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<InferEvent, void, undefined> {
    inputBytes(jobInputSchema(request.input, 'The input'))
    const model = await this.model(request.model)
    const choice = await this.#choose(model.id, request, signal)
    const budget: Budget = request.maxPrice === undefined ? { each: usualPrice(model, request.input) } : { left: request.maxPrice }
    if (choice.ranking.length === 0) throw new NoWorkerError('no eligible worker serves this model')
    const failures: unknown[] = []
    for (const worker of choice.ranking) {
      // A worker that was restarted does not know a session that was opened before: then the request opens a new one.
      for (let tries = this.#sessions.has(`${worker}/${model.id}`) ? 2 : 1; tries > 0; tries--) {
        let delivered = false
        try {
          yield { type: 'worker', worker, choice }
          for await (const event of this.#inferWith(worker, model, request, budget, signal)) {
            delivered ||= event.type === 'output'
            yield event
          }
          return
        } catch (error) {
          if (signal?.aborted || !isAnotherWorkerWorthIt(error)) throw error
          // A refusal says nothing against the session, which other requests may be using.
          if (!(error instanceof RefusedError || error instanceof QuoteRejectedError)) this.#forget(worker, model.id)
          if (tries > 1 && !delivered && error instanceof StreamLostError) continue
          failures.push(error)
          if (delivered)
            yield { type: 'restarted', reason: error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'the worker failed' }
          break
        }
      }
    }
    throw noWorker(failures)
  }

  /** Locks funds for every worker of a model now, so that no request waits for the chain. */
  async prepare(modelName: string): Promise<void> {
    const model = await this.model(modelName)
    const { ranking } = await this.#choose(model.id, {}, undefined)
    for (const worker of ranking) (await this.#channels.reserve(worker, model, model.stepPriceWei)).release()
  }

  /** Ends every session. */
  async close(): Promise<void> {
    const held = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.all(held.map(async (opening) => (await opening.catch(() => undefined))?.session.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async *#inferWith(
    worker: Address,
    model: ListedModel,
    request: InferRequest,
    budget: Budget,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<InferEvent, void, undefined> {
    const levels = request.levels ?? defaultLevels
    const streamMode = request.streamMode ?? 'paced'
    // A quote is good in its own session only.
    const { quote, session } = await this.#quote(worker, model.id, request, signal)
    yield { type: 'quote', quote }
    const stepPrice = parseUint(quote.document.stepPrice, 'A price', 128)
    const steps =
      quote.document.stepTokens === 0 || request.input.kind !== 'chat'
        ? 1n
        : BigInt(Math.ceil(request.input.maxTokens / quote.document.stepTokens))
    // Nothing is locked for a worker that is too expensive.
    const maxPrice = 'left' in budget ? budget.left : budget.each
    if (stepPrice > maxPrice) throw new QuoteRejectedError(`one step costs ${stepPrice}, more than the limit of ${maxPrice}`)
    const wanted = stepPrice * steps
    const reservation = await this.#channels.reserve(worker, model, wanted < maxPrice ? wanted : maxPrice)
    const { channel } = reservation
    const order: ClientOrder = {
      payer: this.payer,
      channel: channel.id,
      channelSalt: channel.salt,
      levels,
      streamMode,
      input: request.input,
      maxPrice,
      allowedReaders: [],
      deadlineSeconds: request.deadlineSeconds ?? 300,
    }
    const outputs: JobOutput[] = []
    const onCommitted = (amount: bigint): void => {
      reservation.commit(amount)
      if ('left' in budget) budget.left -= amount
    }
    try {
      for await (const event of session.run(order, quote, { onCommitted, ...(signal === undefined ? {} : { signal }) })) {
        if (event.type === 'output') outputs.push(event.output)
        if (event.type !== 'receipt') {
          yield event
          continue
        }
        yield { type: 'answered', result: event.result, price: stepPrice * BigInt(event.result.steps) }
        yield { type: 'receipt', ...(await fileReceipt(event.result, { ...this.#options, order, outputs })) }
      }
    } finally {
      reservation.release()
    }
  }

  async #choose(model: ModelId, request: Pick<InferRequest, 'worker'>, signal: AbortSignal | undefined): Promise<WorkerChoice> {
    if (request.worker !== undefined) return { ranking: [request.worker], recommendation: null, note: 'the caller chose the worker' }
    const { chain, network, now, random } = this.#options
    const choice = await chooseWorkers(chain, network, {
      model,
      sessionSalt: parseBytes32(toHex(random(32))),
      clientNonce: parseBytes32(toHex(random(32))),
      now: now(),
      ...(signal === undefined ? {} : { signal }),
    })
    return { ...choice, ranking: wholeFirst(choice.ranking, model, this.#options.store) }
  }

  async #quote(
    worker: Address,
    model: ModelId,
    request: Pick<InferRequest, 'levels' | 'streamMode' | 'input'>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly quote: Signed<Quote>; readonly session: WorkerSession }> {
    const levels = request.levels ?? defaultLevels
    const streamMode = request.streamMode ?? 'paced'
    const held = await this.#session(worker, model, signal)
    const key = `${levels.privacy}/${levels.verification}/${streamMode}`
    const known = held.quotes.get(key)
    const { session } = held
    if (known !== undefined && known.document.expiresAt > this.#options.now() + 30) return { quote: known, session }
    const quote = await session.quote(levels, streamMode, request.input, signal === undefined ? {} : { signal })
    held.quotes.set(key, quote)
    return { quote, session }
  }

  // Requests side by side share one session; none of them can take it away from the others by being cancelled.
  #session(worker: Address, model: ModelId, signal: AbortSignal | undefined): Promise<HeldSession> {
    const key = `${worker}/${model}`
    let opening = this.#sessions.get(key)
    if (opening === undefined) {
      opening = this.#openSession(worker, model)
      this.#sessions.set(key, opening)
      const forget = (): void => {
        if (this.#sessions.get(key) === opening) this.#sessions.delete(key)
      }
      opening.catch(forget)
    }
    return abortable(opening, signal)
  }

  // Whoever named the worker is not believed: the chain is asked before anything is locked for it or sent to it. A chain that
  // stalls stops no work for which there is a lock already.
  async #assertEligible(worker: Address, model: ModelId): Promise<void> {
    const { chain, store } = this.#options
    const eligible = await fetchEligibility(chain, worker, model).catch((error: unknown) => {
      if (store.channel(worker, model) === undefined) throw error
      return true
    })
    if (!eligible) throw new WorkerIneligibleError(worker)
  }

  async #openSession(worker: Address, model: ModelId): Promise<HeldSession> {
    const { dialer, network, chain, payer, store, random, now, signatures, aead } = this.#options
    await this.#assertEligible(worker, model)
    const tooLong = AbortSignal.timeout(openMs)
    const session = await WorkerSession.open(
      {
        dial: (options) => dialer.dial(`${network.relayUrl}/connect/${worker}`, options),
        worker,
        model,
        domain: { chainId: chain.chainId, contract: network.deployment.contracts.paymentPool },
        payer,
        ledgers: store.ledgers,
        random,
        now,
        signatures,
        ...(aead === undefined ? {} : { aead }),
      },
      { signal: tooLong },
    ).catch((error: unknown) => {
      throw tooLong.aborted ? new WorkerUnreachableError(worker, { details: ['It did not open a session in time.'] }) : error
    })
    return { session, quotes: new Map<string, Signed<Quote>>() }
  }

  #forget(worker: Address, model: ModelId): void {
    const key = `${worker}/${model}`
    const held = this.#sessions.get(key)
    this.#sessions.delete(key)
    held?.then(({ session }) => session.close()).catch(() => {})
  }
}

// What an answer may cost when the caller says nothing: the published price of a step, for every `usualStepTokens` of it.
function usualPrice(model: ListedModel, input: JobInput): bigint {
  return model.stepPriceWei * BigInt(input.kind === 'chat' ? Math.ceil(input.maxTokens / usualStepTokens) : 1)
}

function isAnotherWorkerWorthIt(error: unknown): boolean {
  if (error instanceof RefusedError)
    return ['busy', 'draining', 'engine-failed', 'channel-unusable', 'unknown-model', 'quote-expired', 'voucher-short'].includes(
      error.reason,
    )
  if (error instanceof QuoteRejectedError) return true
  return (
    error instanceof WorkerUnreachableError ||
    error instanceof WorkerIneligibleError ||
    error instanceof StreamLostError ||
    error instanceof PrekeyRefusedError
  )
}

function noWorker(failures: readonly unknown[]): Error {
  const [first] = failures
  if (first instanceof Error && (failures.length === 1 || failures.every((failure) => failure instanceof QuoteRejectedError))) return first
  return new NoWorkerError('every worker that could serve it failed', {
    cause: failures.at(-1),
    details: failures.map((failure) => (failure instanceof Error ? (failure.message.split('\n')[0] ?? '') : String(failure))),
  })
}
