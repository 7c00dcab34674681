// Drives one job: executes what the client's state machine decides and keeps its sealed stream alive over broken channels.
import {
  advanceClientJob,
  type ClientContext,
  type ClientEvent,
  type ClientJob,
  type ClientLedger,
  type ClientOrder,
  type ClientReceipt,
  ClientStream,
  concedeStep,
  encodeMessage,
  type JobOutput,
  MisbehaviourError,
  parseWorkerMessage,
  RefusedError,
} from '@tacit/exchange'
import {
  createVoucherDigest,
  deriveJobId,
  type Hex,
  type JobId,
  type Levels,
  MalformedError,
  parseBytes32,
  parseHex,
  parseUint,
  type Quote,
  type SessionId,
  type Signed,
  type StreamMode,
  toHex,
  type Bytes32,
} from '@tacit/protocol'
import { frank, type ReleaseMode, type Session } from '@tacit/session'
import { StreamLostError } from './errors.ts'
import { faultError } from './fault-error.ts'
import { abortable, type WireChannel } from './wire-channel.ts'
import type { WorkerSessionOptions } from './worker-session.ts'

/** What arrives while a job runs. */
export type JobEvent =
  /** The job exists; its id will be in the receipt. */
  | { readonly type: 'started'; readonly job: JobId }
  | { readonly type: 'quote'; readonly quote: Signed<Quote> }
  | { readonly type: 'notice'; readonly notice: string }
  | { readonly type: 'output'; readonly output: JobOutput }
  | { readonly type: 'resumed'; readonly attempt: number }
  | { readonly type: 'receipt'; readonly result: ClientReceipt }

export type JobTask =
  | { readonly kind: 'quote'; readonly levels: Levels; readonly streamMode: StreamMode; readonly input: ClientOrder['input'] }
  | { readonly kind: 'order'; readonly order: ClientOrder; readonly quote: Signed<Quote> }

export type JobRun = {
  readonly task: JobTask
  readonly options: WorkerSessionOptions
  readonly session: Session
  /** Names the session on the wire. */
  readonly handle: SessionId
  /** Names it in documents. */
  readonly sessionId: SessionId
  readonly sessionSalt: Bytes32
  readonly jobIndex: number
  readonly job: JobId
  readonly mode: ReleaseMode
  /** A channel to the worker; a fresh one when the last one broke. */
  readonly takeChannel: (need: 'any' | 'fresh') => Promise<WireChannel>
  readonly giveChannel: (channel: WireChannel) => void
  /** Told what the job pays, step by step; negative when a step is taken back. */
  readonly onCommitted?: (amount: bigint) => void
  readonly signal: AbortSignal | undefined
}

const maxResumes = 6
const resumeDelayMs = 150
const longestDelayMs = 1_000
/** A channel on which nothing arrives for this long is taken for dead. */
const silenceMs = 15_000
/** How long an aborted job may take to say so. */
const farewellMs = 500
/** How long after its deadline a job may end. */
const graceSeconds = 60

export async function* runJob(run: JobRun): AsyncGenerator<JobEvent, void, undefined> {
  const driver = new JobDriver(run)
  yield { type: 'started', job: run.job }
  let lastError: unknown
  for (let attempt = 0; attempt <= maxResumes; attempt++) {
    if (attempt > 0) await pause(Math.min(longestDelayMs, resumeDelayMs * 2 ** (attempt - 1)), run.signal)
    let channel: WireChannel
    try {
      channel = await run.takeChannel(attempt === 0 ? 'any' : 'fresh')
    } catch (error) {
      run.signal?.throwIfAborted()
      lastError = error
      continue
    }
    let healthy = false
    let broken = false
    try {
      if (attempt > 0) yield { type: 'resumed', attempt }
      await driver.connect(channel)
      for (;;) {
        yield* driver.takeEvents()
        if (driver.finished) {
          healthy = true
          return
        }
        if (!(await driver.pump(channel))) break
      }
      broken = true
    } catch (error) {
      broken = !run.signal?.aborted
      if (run.signal?.aborted || driver.isFinal(error)) throw error
      lastError = error
    } finally {
      // Neither done nor broken: the caller stopped listening.
      if (!healthy && !broken) await driver.abandon(channel)
      if (healthy) run.giveChannel(channel)
      else await channel.close().catch(() => {})
    }
  }
  driver.lose(
    new StreamLostError(lastError instanceof Error ? (lastError.message.split('\n')[0] ?? 'unknown') : 'it closed again and again', {
      cause: lastError,
    }),
  )
}

class JobDriver {
  readonly #run: JobRun
  readonly #stream: ClientStream
  readonly #context: ClientContext
  readonly #order: ClientOrder
  readonly #endsBy: number
  readonly #events: JobEvent[] = []
  #job: ClientJob = { phase: 'quoting' }
  #error: Error | undefined
  #started = false
  #sentOrder = false
  #bound = false

  constructor(run: JobRun) {
    this.#run = run
    this.#stream = new ClientStream(run.session, deriveJobId(run.handle, run.jobIndex), run.mode, run.options.random)
    this.#order = run.task.kind === 'order' ? run.task.order : quoteOnly(run, run.task)
    this.#context = createContext(run, this.#order)
    // A paced stream runs on after its answer, to at most twice its length.
    this.#endsBy = run.options.now() + 2 * this.#order.deadlineSeconds + graceSeconds
  }

  /** Everything was said and every event is taken. */
  get finished(): boolean {
    if (!this.#stream.finished || this.#events.length > 0) return false
    if (this.#error !== undefined) throw this.#error
    if (this.#job.phase !== 'done' && this.#job.phase !== 'quoted') this.lose(new MisbehaviourError('the stream ended before the job did'))
    return true
  }

  /** Whether another channel would not help. */
  isFinal(error: unknown): boolean {
    return error === this.#error
  }

  *takeEvents(): Generator<JobEvent, void, undefined> {
    yield* this.#events.splice(0)
    // A refusal waits for the end of the stream, so that from outside it looks like an answer.
    if (this.#error !== undefined && !(this.#error instanceof RefusedError)) throw this.#error
  }

  /** Starts the stream on its first channel, or goes on with it on another one. */
  async connect(channel: WireChannel): Promise<void> {
    const { handle, jobIndex, mode } = this.#run
    const first = !this.#started
    if (first) this.#begin()
    this.#started = true
    this.#sentOrder = first
    if (this.#bound) {
      await channel.send({ type: 'resume', session: handle, jobIndex, next: this.#stream.received })
      return
    }
    await channel.send({
      type: 'start',
      session: handle,
      jobIndex,
      attemptNonce: this.#stream.attemptNonce,
      paced: mode.mode === 'paced',
    })
    // The first time the order follows at once; later the worker says first what it already has.
    if (first) await this.#sendAll(channel, this.#stream.log.from(0))
  }

  /** Handles one frame. False when the channel is closed. */
  async pump(channel: WireChannel): Promise<boolean> {
    const { signal, options } = this.#run
    if (options.now() > this.#endsBy) this.lose(new StreamLostError('the deadline passed'))
    const silence = AbortSignal.timeout(silenceMs)
    const frame = await channel.next(signal === undefined ? silence : AbortSignal.any([signal, silence])).catch((error: unknown) => {
      if (silence.aborted && !signal?.aborted) return undefined
      throw error
    })
    if (frame === undefined) return false
    switch (frame.type) {
      case 'started':
        this.#bind(frame.attemptNonce)
        if (!this.#sentOrder) await this.#sendAll(channel, this.#stream.log.from(0))
        this.#sentOrder = true
        return true
      case 'resumed':
        this.#bind(frame.attemptNonce)
        await this.#sendAll(channel, this.#stream.log.from(Math.min(frame.next, this.#stream.log.length)))
        this.#sentOrder = true
        return true
      case 'cell': {
        await this.#sendAll(channel, this.#open(frame.chunk))
        return true
      }
      case 'fault':
        // Something on the way altered a chunk: another channel may carry it whole.
        if (frame.fault === 'malformed') return false
        this.lose(faultError(frame.fault, this.#run.options.worker))
        throw this.#error
      default:
        return true
    }
  }

  /** Tells the worker, as far as it can be told, that nobody waits any more: its place is free for others at once. */
  async abandon(channel: WireChannel): Promise<void> {
    if (this.#error !== undefined || this.#job.phase === 'done') return
    try {
      const chunks = this.#advance({ type: 'cancel' }).flatMap((message) => this.#stream.interrupt(message))
      this.#advance({ type: 'lost', error: new StreamLostError('it was aborted') })
      await abortable(this.#sendAll(channel, chunks), AbortSignal.timeout(farewellMs))
    } catch {
      // The worker finds out by itself that the client is gone, only later.
    }
  }

  /** Gives the job up; throws the reason. */
  lose(error: Error): never {
    this.#error = error
    this.#advance({ type: 'lost', error })
    throw error
  }

  #bind(attemptNonce: Uint8Array): void {
    this.#stream.bind(attemptNonce)
    this.#bound = true
  }

  #begin(): void {
    const { task, options } = this.#run
    const first =
      task.kind === 'quote'
        ? this.#advance({ type: 'start' })
        : this.#advance({
            type: 'order',
            quote: task.quote,
            frankingKey: toHex(options.random(32)),
            requestSalt: parseBytes32(toHex(options.random(32))),
          })
    if (this.#error !== undefined) throw this.#error
    for (const message of first) this.#stream.begin(message)
  }

  // What opened and makes no sense was written by the worker: no other channel brings it in a better form.
  #open(chunk: Uint8Array): readonly Uint8Array[] {
    try {
      return this.#stream.receive(chunk, (messages) => this.#answer(messages)).replies
    } catch (error) {
      if (error instanceof MalformedError) this.lose(new MisbehaviourError('it sent what is not a message'))
      throw error
    }
  }

  #answer(messages: readonly Uint8Array[]): readonly Uint8Array[] {
    return messages.flatMap((bytes) => this.#advance({ type: 'message', message: parseWorkerMessage(bytes) }))
  }

  // Feeds one event to the machine and executes its effects in order; gives the messages to send.
  #advance(event: EventBody): readonly Uint8Array[] {
    const { ledgers, now } = this.#run.options
    const { channel } = this.#order
    const step = advanceClientJob(
      this.#job,
      { ...event, now: now(), ledger: ledgers.read(channel) } as ClientEvent,
      this.#order,
      this.#context,
    )
    this.#job = step.job
    const messages: Uint8Array[] = []
    for (const effect of step.effects) {
      if (effect.type === 'send') messages.push(encodeMessage(effect.message))
      else if (effect.type === 'persist-ledger') this.#persist(effect.ledger)
      else if (effect.type === 'deliver') this.#events.push({ type: 'output', output: effect.output })
      else if (effect.type === 'short') this.#concede(effect.needed)
      else this.#events.push(effect)
    }
    if (step.job.phase === 'done') this.#events.push({ type: 'receipt', result: step.job.result })
    if (step.job.phase === 'failed') this.#error ??= step.job.error
    return messages
  }

  #persist(ledger: ClientLedger): void {
    const { ledgers } = this.#run.options
    const { channel } = this.#order
    const before = ledgers.read(channel)
    ledgers.write(channel, ledger)
    this.#run.onCommitted?.(ledger.committed - before.committed)
  }

  // The worker's books are ahead: remember it, so that the next order pays what it asks for.
  #concede(needed: bigint): void {
    const { task, options } = this.#run
    if (task.kind !== 'order') return
    const price = parseUint(task.quote.document.stepPrice, 'A price', 128)
    const conceded = concedeStep(options.ledgers.read(this.#order.channel), needed, price)
    if (conceded !== undefined) options.ledgers.write(this.#order.channel, conceded)
  }

  async #sendAll(channel: WireChannel, chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) await channel.send({ type: 'cell', chunk })
  }
}

type EventBody = ClientEvent extends infer Event ? (Event extends ClientEvent ? Omit<Event, 'now' | 'ledger'> : never) : never

function createContext(run: JobRun, order: ClientOrder): ClientContext {
  const { domain, worker, model, payer, signatures } = run.options
  const digest = createVoucherDigest(domain)
  return {
    domain,
    session: run.sessionId,
    job: run.job,
    worker,
    model,
    signer: payer,
    signatures,
    sessionSalt: run.sessionSalt,
    commit: (frankingKey: Hex, direction, plaintext) =>
      parseBytes32(
        frank({
          plaintext,
          frankingKey: parseHex(frankingKey, 'A franking key', 32),
          context: { sessionId: run.sessionId, jobId: run.job, direction },
        }),
      ),
    signVoucher: (amount) => ({
      channelId: order.channel,
      maxClaimableAmount: amount.toString(),
      signature: payer.sign(digest({ channelId: order.channel, maxClaimableAmount: amount })),
    }),
  }
}

// A quote is asked for with the same machine; whatever price comes back is the caller's to judge.
function quoteOnly(run: JobRun, task: Extract<JobTask, { kind: 'quote' }>): ClientOrder {
  return {
    payer: run.options.payer.address,
    channel: noChannel,
    channelSalt: noSalt,
    levels: task.levels,
    streamMode: task.streamMode,
    input: task.input,
    maxPrice: 2n ** 128n - 1n,
    allowedReaders: [],
    deadlineSeconds: 60,
  }
}

const noSalt = parseBytes32(`0x${'00'.repeat(32)}`)
const noChannel = `0x${'00'.repeat(32)}` as ClientOrder['channel'] // no voucher is signed while quoting

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }
    function onAbort(): void {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
