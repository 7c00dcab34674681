// The worker role: answers prekey requests, opens sessions, runs jobs. It knows channels, not sockets.
import { type ChannelView, type Fault, type Frame, releaseMode, StreamError, type WorkerContext, WorkerStream } from '@tacit/exchange'
import {
  type ChannelId,
  canonicalBytes,
  createVoucherDigest,
  deriveJobId,
  equalBytes,
  type JobId,
  parseBytes32,
  parseHex,
  parseUint,
  isSignedBy,
  type SessionId,
} from '@tacit/protocol'
import { acceptSession, EncapsulationRejectedError, frank } from '@tacit/session'
import { WireChannel } from '@tacit/client'
import type { Channel } from '@tacit/network'
import { isPeerError, Job } from './job.ts'
import { Prekeys } from './prekeys.ts'
import type { ServedModel } from './served-model.ts'
import type { WorkerServices } from './services.ts'
import { type OpenSession, SessionTable } from './session-table.ts'

export type WorkerOptions = Omit<WorkerServices, 'admit' | 'draining'> & {
  readonly maxJobs?: number
  readonly maxSessions?: number
}

/**
 * A worker. `serve` one channel after the other; each may carry any number of jobs, one at a time.
 * @example
 * const worker = new Worker(options)
 * for await (const channel of listener.accept()) void worker.serve(channel)
 */
export class Worker {
  readonly #services: WorkerServices
  readonly #prekeys: Prekeys
  readonly #sessions: SessionTable
  readonly #maxJobs: number
  readonly #maxStreams: number
  #streams = 0
  readonly #verifyVoucher: WorkerContext['isVoucherSigned']
  #draining = false

  constructor(options: WorkerOptions) {
    const { maxJobs = 8, maxSessions = 1024, ...services } = options
    this.#maxJobs = maxJobs
    this.#maxStreams = 4 * maxJobs + freeStreams
    this.#services = { ...services, admit: () => this.runningJobs < this.#maxJobs, draining: () => this.#draining }
    this.#prekeys = new Prekeys(this.#services)
    this.#sessions = new SessionTable(maxSessions)
    const digest = createVoucherDigest(options.domain)
    this.#verifyVoucher = ({ channelId, maxClaimableAmount, signature }, payer) => {
      const amount = parseUint(maxClaimableAmount, 'A voucher amount', 128)
      return isSignedBy(payer, digest({ channelId, maxClaimableAmount: amount }), signature, options.signatures)
    }
  }

  get runningJobs(): number {
    let running = 0
    for (const job of this.#sessions.jobs()) if (job.running) running++
    return running
  }

  get openSessions(): number {
    return this.#sessions.size
  }

  get capacity(): number {
    return this.#maxJobs
  }

  get draining(): boolean {
    return this.#draining
  }

  /** Takes no new orders; running jobs go on. */
  drain(): void {
    this.#draining = true
  }

  /** The signed prekey to publish. */
  prekey(): ReturnType<Prekeys['current']> {
    return this.#prekeys.current()
  }

  /** Serves one channel until it closes. Never rejects: what a peer does wrong ends its channel only. */
  async serve(channel: Channel): Promise<void> {
    const framed = new WireChannel(channel)
    let current: Job | undefined
    try {
      for (;;) {
        const frame = await framed.next()
        if (frame === undefined) break
        if (frame.type === 'cell') current?.receive(frame.chunk)
        else {
          const next = (await this.#handle(frame, framed)) ?? current
          if (next !== current) current?.leave(framed)
          current = next
        }
      }
    } catch (error) {
      if (isPeerError(error) || error instanceof StreamError) await framed.send({ type: 'fault', fault: 'malformed' }).catch(() => {})
    } finally {
      current?.detach(framed)
      await framed.close().catch(() => {})
    }
  }

  /** Stops every job, erases every key. Vouchers and ciphertext stay in the journal. */
  close(): void {
    this.#draining = true
    for (const job of [...this.#sessions.jobs()]) {
      if (job.running) job.cancel()
      job.drop()
    }
    this.#sessions.clear()
    this.#prekeys.erase()
  }

  async #handle(frame: Frame, channel: WireChannel): Promise<Job | undefined> {
    switch (frame.type) {
      case 'prekey-request':
        await channel.send({ type: 'prekey', json: canonicalBytes(await this.#prekeys.current()) })
        return undefined
      case 'status-request':
        await channel.send({ type: 'status', capacity: this.#maxJobs, running: this.runningJobs, draining: this.#draining })
        return undefined
      case 'open': {
        const fault = await this.#open(frame)
        await channel.send(fault === undefined ? { type: 'opened' } : { type: 'fault', fault })
        return undefined
      }
      case 'start':
        return this.#start(frame, channel)
      case 'resume':
        return this.#resume(frame, channel)
      default:
        throw new StreamError(`a ${frame.type} frame is not for a worker`)
    }
  }

  async #open(frame: Extract<Frame, { type: 'open' }>): Promise<Fault | undefined> {
    const secret = this.#prekeys.secret(frame.prekeyId)
    if (secret === undefined) return 'prekey-unknown'
    if (this.#sessions.has(frame.session)) return 'not-accepted'
    const { domain, signer, aead } = this.#services
    // The model is part of the key schedule and travels nowhere in clear: try those that are served.
    for (const model of this.#services.models) {
      const info = { chainId: domain.chainId, sessionId: frame.session, modelId: model.id, worker: signer.address }
      try {
        const session = await acceptSession({ prekeySecret: secret, enc: frame.enc, info, ...(aead === undefined ? {} : { aead }) })
        const open: OpenSession = {
          handle: frame.session,
          id: undefined,
          session,
          model,
          quotes: new Map(),
          jobs: new Map(),
          lastUsedMs: this.#services.nowMs(),
        }
        return this.#sessions.add(open) ? undefined : 'busy'
      } catch (error) {
        if (!(error instanceof EncapsulationRejectedError)) throw error
      }
    }
    return 'not-accepted'
  }

  async #start(frame: Extract<Frame, { type: 'start' }>, channel: WireChannel): Promise<Job | undefined> {
    const services = this.#services
    const open = this.#sessions.get(frame.session, services.nowMs())
    if (open === undefined) return this.#fault(channel, 'session-unknown')
    const known = open.jobs.get(frame.jobIndex)
    if (known !== undefined) {
      // The client did not see our answer and starts again: the same nonce is the same stream.
      if (!equalBytes(known.attemptNonce, frame.attemptNonce)) return this.#fault(channel, 'job-seen')
      known.resume(channel, 0)
      return known
    }
    if (services.journal.stream(frame.session, frame.jobIndex) !== undefined) return this.#fault(channel, 'job-seen')
    // A stream costs cells and journal entries before anything is ordered in it, so nobody may open them by the thousand.
    if (open.jobs.size >= maxStreamsPerSession || this.#streams >= this.#maxStreams) return this.#fault(channel, 'busy')
    const stream = new WorkerStream({
      session: open.session,
      jobId: deriveJobId(frame.session, frame.jobIndex),
      attemptNonce: frame.attemptNonce,
      mode: releaseMode(frame.paced ? 'paced' : 'immediate'),
      startMs: services.nowMs(),
      random: services.random,
    })
    services.journal.claimJob(frame.session, frame.jobIndex, stream.attemptNonce)
    const job = new Job({
      services,
      open,
      index: frame.jobIndex,
      attemptNonce: frame.attemptNonce,
      stream,
      context: (session) => this.#context(open, session, deriveJobId(session, frame.jobIndex)),
      onEnd: () => {
        if (open.jobs.get(frame.jobIndex) !== job) return
        open.jobs.delete(frame.jobIndex)
        this.#streams--
      },
    })
    open.jobs.set(frame.jobIndex, job)
    this.#streams++
    job.start(channel)
    return job
  }

  async #resume(frame: Extract<Frame, { type: 'resume' }>, channel: WireChannel): Promise<Job | undefined> {
    const live = this.#sessions.get(frame.session, this.#services.nowMs())?.jobs.get(frame.jobIndex)
    if (live !== undefined) {
      live.resume(channel, frame.next)
      return live
    }
    return this.#replay(frame, channel)
  }

  // The job is over or the worker was restarted: what the journal holds is sent again, nothing is sealed anew.
  async #replay(frame: Extract<Frame, { type: 'resume' }>, channel: WireChannel): Promise<undefined> {
    const stored = this.#services.journal.stream(frame.session, frame.jobIndex)
    if (stored === undefined || frame.next > stored.chunks.length) return this.#fault(channel, 'stream-lost')
    await channel.send({ type: 'resumed', next: nothingMore, attemptNonce: stored.attemptNonce })
    for (const chunk of stored.chunks.slice(frame.next)) await channel.send({ type: 'cell', chunk })
    if (!stored.final) await channel.send({ type: 'fault', fault: 'stream-lost' })
    return undefined
  }

  async #fault(channel: WireChannel, fault: Fault): Promise<undefined> {
    await channel.send({ type: 'fault', fault })
    return undefined
  }

  #context(open: OpenSession, session: SessionId, job: JobId): WorkerContext {
    const { domain, signer, signatures } = this.#services
    return {
      domain,
      session,
      job,
      worker: signer.address,
      model: open.model.id,
      modelRoot: open.model.root,
      notice: open.model.notice,
      signer,
      signatures,
      commit: (frankingKey, direction, plaintext) =>
        parseBytes32(
          frank({
            plaintext,
            frankingKey: parseHex(frankingKey, 'A franking key', 32),
            context: { sessionId: session, jobId: job, direction },
          }),
        ),
      isVoucherSigned: this.#verifyVoucher,
    }
  }
}

/** Open streams of one session, and of all of them beyond four for each job that may run: quotes, endings, clients that resume. */
const maxStreamsPerSession = 32
const freeStreams = 128

/** In a RESUMED frame: there is nothing that the client still has to say. */
const nothingMore = 2 ** 32 - 1

/** For callers that only need to name the types. */
export type { ChannelId, ChannelView, ServedModel, SessionId }
