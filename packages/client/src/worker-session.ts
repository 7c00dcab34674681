// One sealed session with one worker for one model: prekey, HPKE, then any number of jobs. Runs in Node and in a tab.
import { type ClientOrder, type Frame, type JobInput, releaseMode, StreamError } from '@tacit/exchange'
import { type Channel, NetworkError } from '@tacit/network'
import {
  type Address,
  type Bytes32,
  deriveJobId,
  deriveSessionId,
  isDocumentSignedBy,
  type Levels,
  type ModelId,
  noScope,
  parseBytes32,
  parseJson,
  type Prekey,
  prekeySchema,
  type Quote,
  parseHex,
  parseSessionId,
  type SessionId,
  type SignatureBackend,
  type Signed,
  type Signer,
  type SigningDomain,
  type StreamMode,
  signedSchema,
  toHex,
} from '@tacit/protocol'
import { type AeadBackend, openSession, prekeyId, type RandomSource, type Session } from '@tacit/session'
import { PrekeyRefusedError, StreamLostError, WorkerUnreachableError } from './errors.ts'
import { faultError } from './fault-error.ts'
import { WireChannel } from './wire-channel.ts'
import { type JobEvent, type JobTask, runJob } from './job-run.ts'
import type { LedgerStore } from './ledger-store.ts'

/** What a session needs from outside. */
export type WorkerSessionOptions = {
  /** Opens a channel to this worker, directly or through a relay. */
  readonly dial: (options: { readonly signal?: AbortSignal }) => Promise<Channel>
  readonly worker: Address
  readonly model: ModelId
  readonly domain: SigningDomain
  readonly payer: Signer
  readonly ledgers: LedgerStore
  readonly random: RandomSource
  /** Seconds since 1970. */
  readonly now: () => number
  readonly signatures: SignatureBackend
  readonly aead?: AeadBackend
}

type Opened = { readonly id: SessionId; readonly handle: SessionId; readonly session: Session; readonly salt: Bytes32 }

/**
 * An open session. Jobs may run one after the other or side by side.
 * @example
 * const session = await WorkerSession.open(options)
 * for await (const event of session.run(order)) if (event.type === 'output') show(event.output)
 */
export class WorkerSession {
  readonly id: SessionId
  readonly worker: Address
  readonly model: ModelId
  readonly #options: WorkerSessionOptions
  readonly #opened: Opened
  readonly #idle: WireChannel[] = []
  #nextJob = 0
  #running = 0
  #closed = false

  private constructor(options: WorkerSessionOptions, opened: Opened, channel: WireChannel) {
    this.#options = options
    this.#opened = opened
    this.id = opened.id
    this.worker = options.worker
    this.model = options.model
    this.#idle.push(channel)
  }

  /** @throws WorkerUnreachableError, PrekeyRefusedError, or the signal's reason. */
  static async open(options: WorkerSessionOptions, { signal }: { readonly signal?: AbortSignal } = {}): Promise<WorkerSession> {
    const { worker, model, domain, payer, random, now, aead } = options
    const channel = await dialWorker(options, signal)
    try {
      const prekey = await fetchPrekey(channel, options, signal)
      const salt = parseBytes32(toHex(random(32)))
      const id = deriveSessionId({
        chainId: domain.chainId,
        contract: domain.contract,
        payer: payer.address,
        worker,
        salt: parseHex(salt, 'A session salt', 32),
      })
      // What the relay sees names the session by a random handle; documents and receipts name it by `id`. Nobody on the way
      // can tie one to the other.
      const handle = parseSessionId(toHex(random(32)))
      const info = { chainId: domain.chainId, sessionId: handle, modelId: model, worker }
      const { enc, session } = await openSession({ prekey, info, nowSeconds: now(), random, ...(aead === undefined ? {} : { aead }) })
      await channel.send({ type: 'open', prekeyId: prekeyId(prekey), session: handle, enc })
      const frame = await expectFrame(channel, worker, signal)
      if (frame.type !== 'opened') throw new StreamError(`a ${frame.type} frame came in answer to open`)
      return new WorkerSession(options, { id, handle, session, salt }, channel)
    } catch (error) {
      await channel.close()
      // A connection that breaks here is a worker that cannot be reached; the next one may be.
      throw error instanceof NetworkError ? unreachable(worker, error) : error
    }
  }

  /** The worker's price for these levels; costs nothing and is good for every job of the session until it expires. */
  async quote(
    levels: Levels,
    streamMode: StreamMode,
    input: JobInput,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Signed<Quote>> {
    for await (const event of this.#start({ kind: 'quote', levels, streamMode, input }, signal))
      if (event.type === 'quote') return event.quote
    throw new WorkerUnreachableError(this.worker, { details: ['It closed the stream without a quote.'] })
  }

  /**
   * Runs a job under a quote of this session and yields what arrives; the last event is the receipt. `onCommitted` is told what
   * the job pays, step by step; negative when a step is taken back.
   * @throws RefusedError, MisbehaviourError, QuoteRejectedError, StreamLostError.
   */
  run(
    order: ClientOrder,
    quote: Signed<Quote>,
    { signal, onCommitted }: { readonly signal?: AbortSignal; readonly onCommitted?: (amount: bigint) => void } = {},
  ): AsyncGenerator<JobEvent, void, undefined> {
    return this.#start({ kind: 'order', order, quote }, signal, onCommitted)
  }

  /** Takes no new jobs and closes idle channels. Jobs that run go on to their end; the last one erases the session's keys. */
  async close(): Promise<void> {
    this.#closed = true
    this.#eraseWhenIdle()
    await Promise.all(this.#idle.splice(0).map((channel) => channel.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #start(
    task: JobTask,
    signal: AbortSignal | undefined,
    onCommitted?: (amount: bigint) => void,
  ): AsyncGenerator<JobEvent, void, undefined> {
    if (this.#closed) throw new StreamLostError('the session was closed')
    const jobIndex = this.#nextJob++
    const run = runJob({
      task,
      options: this.#options,
      session: this.#opened.session,
      handle: this.#opened.handle,
      sessionId: this.id,
      sessionSalt: this.#opened.salt,
      jobIndex,
      job: deriveJobId(this.id, jobIndex),
      mode: releaseMode(task.kind === 'quote' ? 'immediate' : task.quote.document.streamMode),
      takeChannel: async (need) => (need === 'fresh' ? undefined : this.#idle.pop()) ?? (await dialWorker(this.#options, signal)),
      giveChannel: (channel) => {
        if (this.#closed) void channel.close()
        else this.#idle.push(channel)
      },
      signal,
      ...(onCommitted === undefined ? {} : { onCommitted }),
    })
    return this.#counted(run)
  }

  async *#counted(run: AsyncGenerator<JobEvent, void, undefined>): AsyncGenerator<JobEvent, void, undefined> {
    this.#running++
    try {
      yield* run
    } finally {
      this.#running--
      this.#eraseWhenIdle()
    }
  }

  #eraseWhenIdle(): void {
    if (this.#closed && this.#running === 0) this.#opened.session.erase()
  }
}

async function dialWorker(options: WorkerSessionOptions, signal: AbortSignal | undefined): Promise<WireChannel> {
  try {
    return new WireChannel(await options.dial(signal === undefined ? {} : { signal }))
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    throw unreachable(options.worker, cause)
  }
}

async function fetchPrekey(channel: WireChannel, options: WorkerSessionOptions, signal: AbortSignal | undefined): Promise<Prekey> {
  await channel.send({ type: 'prekey-request' })
  const frame = await expectFrame(channel, options.worker, signal)
  if (frame.type !== 'prekey') throw new StreamError(`a ${frame.type} frame came in answer to prekey-request`)
  return checkPrekey(signedSchema(prekeySchema)(parseJson(frame.json, 'A prekey', 4096), 'prekey'), options)
}

/** @throws PrekeyRefusedError unless the worker signed it for this network and it is valid now. */
export function checkPrekey(
  signed: Signed<Prekey>,
  options: Pick<WorkerSessionOptions, 'worker' | 'domain' | 'now' | 'signatures'>,
): Prekey {
  const { worker, domain, now, signatures } = options
  const { document } = signed
  if (document.worker !== worker) throw new PrekeyRefusedError(worker, 'it belongs to another worker')
  if (!isDocumentSignedBy(worker, 'Prekey', signed, noScope, domain, signatures))
    throw new PrekeyRefusedError(worker, 'it is not signed by the worker for this network')
  if (document.notAfter <= now()) throw new PrekeyRefusedError(worker, 'it has expired; the worker should publish a new one')
  return document
}

async function expectFrame(channel: WireChannel, worker: Address, signal: AbortSignal | undefined): Promise<Frame> {
  const frame = await channel.next(signal)
  if (frame === undefined) throw new WorkerUnreachableError(worker, { details: ['It closed the connection.'] })
  if (frame.type === 'fault') throw faultError(frame.fault, worker)
  return frame
}

function unreachable(worker: Address, cause: unknown): WorkerUnreachableError {
  return new WorkerUnreachableError(worker, { cause, details: [cause instanceof Error ? cause.message : String(cause)] })
}
