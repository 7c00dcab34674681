// One job on the worker: executes what the state machine decides, in its order, and keeps the journal ahead of the wire.
import {
  advanceWorkerJob,
  type ClientMessage,
  type EngineEnd,
  encodeMessage,
  type Order,
  parseClientMessage,
  type QuoteRequest,
  type Refusal,
  refusal,
  type WorkerContext,
  type WorkerEffect,
  type WorkerEvent,
  type WorkerJob,
  type WorkerStream,
  wantsOutput,
} from '@tacit/exchange'
import {
  deriveTraceKey,
  documentId,
  type JobId,
  type SessionId,
  MalformedError,
  parseBytes32,
  parseHex,
  type Quote,
  type Signed,
  signDocument,
  toHex,
} from '@tacit/protocol'
import { SessionError } from '@tacit/session'
import type { WireChannel } from '@tacit/client'
import { offerQuote } from './offer-quote.ts'
import type { RunEvent } from './served-model.ts'
import type { ChannelKey, WorkerServices } from './services.ts'
import type { OpenSession } from './session-table.ts'

/** How long a job waits for its client to come back before it is cancelled. */
const detachedMs = 20_000
/** How long a stream may stay open without an order. */
const orderMs = 30_000
const maxQueuedBytes = 1 << 20

export class Job {
  readonly index: number
  readonly attemptNonce: Uint8Array
  readonly #services: WorkerServices
  readonly #open: OpenSession
  readonly #stream: WorkerStream
  readonly #contextOf: (session: SessionId) => WorkerContext
  #context: WorkerContext | undefined
  readonly #engineStop = new AbortController()
  #state: WorkerJob = { phase: 'idle' }
  #channel: WireChannel | undefined
  #pumpTimer: ReturnType<typeof setTimeout> | undefined
  #guardTimer: ReturnType<typeof setTimeout> | undefined
  #sending: Promise<void> = Promise.resolve()
  #journaled = 0
  #released = false
  /** An order came; there is one in a stream. */
  #ordered = false
  #admitted = false
  /** The client's final chunk came. */
  #heardAll = false
  #broken = false
  #channelKey: ChannelKey | undefined
  /** Opens the input's commitment; together with the output's key it makes the key of the trace. */
  #requestKey: Order['frankingKey'] | undefined
  #engineWake: (() => void) | undefined
  #lastEnd: Omit<EngineEnd, 'voucherSalt'> | undefined
  readonly #onEnd: () => void

  constructor(options: {
    readonly services: WorkerServices
    readonly open: OpenSession
    readonly index: number
    readonly attemptNonce: Uint8Array
    readonly stream: WorkerStream
    /** What the machine works with, once the session's name in documents is known. */
    readonly context: (session: SessionId) => WorkerContext
    readonly onEnd: () => void
  }) {
    this.#services = options.services
    this.#open = options.open
    this.index = options.index
    this.attemptNonce = options.attemptNonce
    this.#stream = options.stream
    this.#contextOf = options.context
    this.#onEnd = options.onEnd
    this.#guard(orderMs)
  }

  /** Attaches the channel on which this job talks from now on; an older one is let go. */
  attach(channel: WireChannel): void {
    this.#channel = channel
    if (this.#state.phase !== 'idle') this.#guardDeadline()
  }

  /** The channel is gone; the client has a while to come back. */
  detach(channel: WireChannel): void {
    if (this.#channel !== channel) return
    this.#channel = undefined
    if (!this.#stream.done) this.#guard(detachedMs)
    else this.#onEnd()
  }

  /** The client goes on with another job on this channel. What was never ordered is over; a job that runs may be resumed. */
  leave(channel: WireChannel): void {
    if (this.running || this.#channel !== channel) return this.detach(channel)
    this.#channel = undefined
    this.#end()
  }

  start(channel: WireChannel): void {
    this.attach(channel)
    this.#send(() => channel.send({ type: 'started', attemptNonce: this.#stream.attemptNonce }))
    this.#pump()
  }

  /** Continues on another channel: the same ciphertext again, from where the client has it. */
  resume(channel: WireChannel, next: number): void {
    const chunks = this.#stream.log.from(next)
    this.attach(channel)
    this.#send(async () => {
      await channel.send({ type: 'resumed', next: this.#stream.received, attemptNonce: this.#stream.attemptNonce })
      for (const chunk of chunks) await channel.send({ type: 'cell', chunk })
    })
  }

  /** Opens one chunk from the client. A chunk that does not open ends nothing: the right one may still come. */
  receive(chunk: Uint8Array): void {
    const { messages, final } = this.#stream.receive(chunk)
    try {
      for (const bytes of messages) this.#handle(parseOrRefuse(bytes))
      this.#heardAll ||= final
      this.#pump()
    } catch (error) {
      if (isPeerError(error)) throw error
      this.#giveUp(error)
    }
  }

  /** Stops the engine and says why; used when the worker shuts down. */
  cancel(): void {
    this.#advance({ type: 'cancel', end: this.#endNow() })
    this.#pump()
  }

  /** Lets go of everything at once: no timer of it is left. */
  drop(): void {
    this.#broken = true
    this.#engineStop.abort(new DOMException('The worker was stopped.', 'AbortError'))
    this.#end()
    this.#engineWake?.()
  }

  /** Whether it takes one of the places that the worker has. */
  get running(): boolean {
    return this.#admitted || this.#state.phase === 'running'
  }

  #handle(message: ClientMessage | Refusal): void {
    switch (message.t) {
      case 'refused':
        return this.#sayLast(message)
      case 'quote-request':
        return this.#state.phase === 'idle' && !this.#ordered ? this.#sayLast(this.#quote(message)) : undefined
      case 'order':
        if (this.#state.phase !== 'idle' || this.#ordered) return
        this.#ordered = true
        this.#takeOrder(message).catch((error: unknown) => this.#giveUp(error))
        return
      case 'voucher':
        // Each one that does not pay is answered: a client that does not read must not fill the memory with answers.
        if (this.#stream.queuedBytes > maxQueuedBytes) return
        return this.#advance({ type: 'voucher', voucher: message.voucher })
      case 'cancel':
        return this.#advance({ type: 'cancel', end: this.#endNow() })
      case 'done':
        return
    }
  }

  #quote(request: QuoteRequest): { readonly t: 'quote'; readonly quote: Signed<Quote> } | Refusal {
    const { domain, signer, now } = this.#services
    const offer = offerQuote(request, this.#open, this.#services)
    if ('t' in offer) return offer
    const { session, document } = offer
    const quote = signDocument('Quote', document, { session, job: noJob }, domain, signer)
    for (const [id, { expiresAt }] of this.#open.quotes) if (expiresAt < now()) this.#open.quotes.delete(id)
    this.#open.quotes.set(documentId(document), document)
    this.#open.id = session
    return { t: 'quote', quote }
  }

  async #takeOrder(order: Order): Promise<void> {
    const services = this.#services
    const { model } = this.#open
    let preflight: Refusal | null = null
    let channel: Awaited<ReturnType<WorkerServices['channel']>>
    try {
      const key = { payer: order.request.document.payer, model: model.id, salt: order.channelSalt }
      channel = await services.channel(key, { needs: BigInt(order.voucher.maxClaimableAmount) })
      // Nobody without a lock gets the engine to look at anything.
      if (channel === undefined) preflight = refusal('channel-unusable', 'the channel does not exist on chain')
      else if (services.draining()) preflight = refusal('draining', 'this worker is shutting down')
      else if (!services.admit()) preflight = refusal('busy', 'this worker has no free place now')
      else {
        // Counted from here on: orders that come while this one is looked at must not get its place too.
        this.#admitted = true
        const verdict = await model.preflight(order.input, { signal: this.#engineStop.signal })
        if (!verdict.ok) preflight = refusal(verdict.code, verdict.message)
      }
    } catch (error) {
      this.#services.report(error)
      preflight ??= refusal('engine-failed', 'this worker could not check the order; try again or use another worker')
    }
    if (this.#state.phase !== 'idle') return
    this.#requestKey = order.frankingKey
    this.#advance(
      {
        type: 'order',
        order,
        quote: this.#open.quotes.get(order.request.document.quote),
        channel,
        preflight,
        frankingKey: toHex(services.random(32)),
      },
      order,
    )
    this.#admitted = false
    if (this.running) this.#guardDeadline()
    this.#pump()
  }

  #advance(event: EventBody, order?: Order): void {
    const { journal, now } = this.#services
    const channelId = this.#channelId(order)
    const ledger = channelId === undefined ? { credited: 0n, reserved: 0n } : journal.ledger(channelId)
    if (this.#open.id === undefined) return this.#sayLast(refusal('quote-expired', 'ask for a quote first'))
    this.#context ??= this.#contextOf(this.#open.id)
    const step = advanceWorkerJob(this.#state, { ...event, now: now(), ledger } as WorkerEvent, this.#context)
    this.#state = step.job
    for (const effect of step.effects) this.#execute(effect, this.#context.job, channelId)
    if (step.job.phase === 'finished') this.#stream.finish()
    this.#engineWake?.()
  }

  #execute(effect: WorkerEffect, job: JobId, channelId: Order['request']['document']['channel'] | undefined): void {
    const { journal } = this.#services
    switch (effect.type) {
      case 'persist-voucher':
        return this.#recordVoucher(job, effect)
      case 'persist-ledger':
        if (channelId !== undefined) journal.recordLedger(channelId, job, effect.ledger)
        return
      case 'persist-receipt':
        if (channelId !== undefined) journal.recordReceipt(channelId, effect.receipt)
        return
      case 'send':
        return this.#stream.send(encodeMessage(effect.message))
      case 'run':
        this.#runEngine(effect.input, effect.maxTokens).catch((error: unknown) => this.#giveUp(error))
        return
      case 'stop-engine':
        return this.#engineStop.abort(new DOMException('The job was stopped.', 'AbortError'))
    }
  }

  #recordVoucher(job: JobId, { voucher, ledger, acceptance }: Extract<WorkerEffect, { type: 'persist-voucher' }>): void {
    // The last voucher may end the job in the same step: by then the state no longer names the channel.
    if (this.#state.phase === 'running') this.#channelKey ??= this.#state.channel
    if (this.#channelKey === undefined) throw new Error('unreachable: a job runs once its first voucher is taken')
    const { payer, model, salt } = this.#channelKey
    this.#services.journal.recordVoucher({ job, channel: { payer, model, salt }, voucher, ledger, acceptance })
  }

  async #runEngine(input: Order['input'], maxTokens: number): Promise<void> {
    const { signal } = this.#engineStop
    try {
      for await (const event of this.#open.model.run(input, { maxTokens, signal, traceKey: this.#traceKey() })) {
        this.#take(event)
        await this.#release()
        while (this.#state.phase === 'running' && event.type === 'output' && !wantsOutput(this.#state)) {
          await new Promise<void>((resolve) => {
            this.#engineWake = resolve
          })
        }
        if (this.#state.phase !== 'running') break
      }
    } catch (error) {
      // After a stop at the paid limit the answer ends there; any other failure ends the job without charge.
      if (signal.aborted) this.#advance({ type: 'engine-end', end: this.#endNow() })
      else this.#advance({ type: 'engine-failed', message: describe(error) })
    }
    if (this.#state.phase === 'running' && this.#state.end === null) this.#advance({ type: 'engine-end', end: this.#endNow() })
    this.#pump()
  }

  #traceKey(): Uint8Array {
    if (this.#state.phase !== 'running' || this.#requestKey === undefined || this.#context === undefined)
      throw new Error('unreachable: the engine runs after an order was taken')
    const { session, job } = this.#context
    const requestKey = parseHex(this.#requestKey, 'A franking key', 32)
    const responseKey = parseHex(this.#state.frankingKey, 'A franking key', 32)
    return deriveTraceKey({ requestKey, responseKey, session, job })
  }

  // The first part leaves at once; later ones share cells and journal entries with whatever the engine gives in the same
  // turn of the event loop. Waiting for the next turn also lets the network breathe when an engine never pauses.
  async #release(): Promise<void> {
    if (!this.#released) this.#pump()
    this.#released = true
    await nextTurn()
    this.#pump()
  }

  #take(event: RunEvent): void {
    if (event.type === 'output') return this.#advance({ type: 'output', item: { output: event.output, tokens: event.tokens } })
    this.#lastEnd = event
    this.#advance({ type: 'engine-end', end: this.#endNow() })
  }

  #endNow(): EngineEnd {
    const voucherSalt = parseBytes32(toHex(this.#services.random(32)))
    if (this.#lastEnd !== undefined) return { ...pickEnd(this.#lastEnd), voucherSalt }
    const outputUnits = this.#state.phase === 'running' ? this.#state.outputTokens : 0
    return { finishReason: 'cancelled', inputUnits: 0, outputUnits, profile: this.#open.model.name, traceRoot: null, voucherSalt }
  }

  #sayLast(message: Parameters<typeof encodeMessage>[0]): void {
    if (this.#state.phase !== 'idle') return
    this.#state = { phase: 'finished', outcome: 'refused', receipt: null }
    this.#stream.send(encodeMessage(message))
    this.#stream.finish()
  }

  #channelId(order: Order | undefined): Order['request']['document']['channel'] | undefined {
    if (this.#state.phase === 'running') return this.#state.channel.id
    return order?.request.document.channel
  }

  // Sends what is due, journal first, and comes back when the next cell is.
  #pump(): void {
    clearTimeout(this.#pumpTimer)
    if (this.#broken) return
    const { chunks, nextMs } = this.#stream.release(this.#services.nowMs())
    if (chunks.length > 0) {
      this.#services.journal.appendChunks(this.#open.handle, this.index, this.#journaled, chunks, this.#stream.done)
      this.#journaled += chunks.length
      const channel = this.#channel
      if (channel !== undefined) {
        this.#send(async () => {
          for (const chunk of chunks) await channel.send({ type: 'cell', chunk })
        })
      }
    }
    if (nextMs !== undefined)
      this.#pumpTimer = setTimeout(
        this.#guarded(() => this.#pump()),
        Math.max(0, nextMs - this.#services.nowMs()),
      )
    if (this.#stream.done && (this.#heardAll || this.#channel === undefined)) this.#end()
  }

  // Frames leave in order; a channel that breaks is noticed by whoever reads from it.
  #send(task: () => Promise<void>): void {
    this.#sending = this.#sending.then(task).catch(() => {})
  }

  // Nobody catches what a timer throws: it would end the process and every other job with it.
  #guarded(task: () => void): () => void {
    return () => {
      try {
        task()
      } catch (error) {
        this.#giveUp(error)
      }
    }
  }

  // Something here broke (the disk, say): nothing more is answered, because nothing more can be journaled.
  #giveUp(error: unknown): void {
    if (this.#broken) return
    this.#broken = true
    this.#state = { phase: 'finished', outcome: 'failed', receipt: null }
    this.#admitted = false
    this.#engineStop.abort(error)
    this.#engineWake?.()
    this.#services.report(error)
    clearTimeout(this.#pumpTimer)
    clearTimeout(this.#guardTimer)
    void this.#channel?.close().catch(() => {})
    this.#onEnd()
  }

  #guardDeadline(): void {
    if (this.#state.phase !== 'running') {
      clearTimeout(this.#guardTimer)
      return
    }
    this.#guard(Math.max(0, (this.#state.request.document.deadline - this.#services.now() + 1) * 1000))
  }

  #guard(ms: number): void {
    clearTimeout(this.#guardTimer)
    if (this.#broken) return
    const onTime = (): void => {
      if (this.#state.phase === 'idle') this.#sayLast(refusal('deadline-passed', 'no order came'))
      else this.#advance({ type: 'cancel', end: this.#endNow() })
      this.#pump()
    }
    this.#guardTimer = setTimeout(this.#guarded(onTime), ms)
    // A process that has nothing else to do need not wait for it. Tabs give numbers here.
    if (typeof this.#guardTimer === 'object') this.#guardTimer.unref()
  }

  #end(): void {
    clearTimeout(this.#guardTimer)
    clearTimeout(this.#pumpTimer)
    this.#onEnd()
  }
}

type EventBody = WorkerEvent extends infer Event ? (Event extends WorkerEvent ? Omit<Event, 'now' | 'ledger'> : never) : never

const noJob = parseBytes32(`0x${'00'.repeat(32)}`)

function pickEnd({
  finishReason,
  inputUnits,
  outputUnits,
  profile,
  traceRoot,
}: Omit<EngineEnd, 'voucherSalt'>): Omit<EngineEnd, 'voucherSalt'> {
  return { finishReason, inputUnits, outputUnits, profile, traceRoot }
}

function parseOrRefuse(bytes: Uint8Array): ClientMessage | Refusal {
  try {
    return parseClientMessage(bytes)
  } catch (error) {
    if (error instanceof MalformedError) return refusal('bad-request', error.message.slice(0, 200))
    throw error
  }
}

/** The next turn of the event loop; tabs have no setImmediate. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}

// Engine errors have stable codes and never contain prompts; anything else is not shown.
function describe(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
  return `the engine failed (${code})`
}

/** Whether an error is the peer's doing and ends only this stream. */
export function isPeerError(error: unknown): boolean {
  return error instanceof SessionError || error instanceof MalformedError
}
