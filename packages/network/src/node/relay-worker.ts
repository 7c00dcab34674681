import type { Address } from '@tacit/protocol'
import { closeCodes } from '../close-codes.ts'
import { ProtocolViolationError } from '../errors.ts'
import { type RelayVerifier, relayProofDigest } from '../relay/identity.ts'
import { encodeMux, type MuxMessage, parseMux } from '../relay/mux.ts'
import type { Timers } from '../transport.ts'
import type { RelayLimits } from './relay-limits.ts'
import type { RelayLink } from './relay-link.ts'

/** A worker's connection, seen from the relay: proof of identity, then its clients by number. */
export class RelayWorker {
  readonly link: RelayLink
  readonly #options: RelayWorkerOptions
  readonly #clients = new Map<number, RelayLink>()
  readonly #paused = new Set<RelayLink>()
  #state: 'challenged' | 'checking' | 'serving' | 'ended' = 'challenged'
  #cancelTimer: () => void
  #unanswered = 0

  constructor(link: RelayLink, options: RelayWorkerOptions) {
    this.link = link
    this.#options = options
    this.#cancelTimer = options.timers.after(options.limits.proofMs, () => this.#refuse('no proof of identity came in time'))
    link.send(encodeMux({ type: 'challenge', nonce: options.nonce }))
  }

  get clients(): number {
    return this.#clients.size
  }

  onMessage(bytes: Uint8Array): void {
    this.link.received(bytes)
    try {
      this.#handle(parseMux(bytes))
    } catch (error) {
      // Whatever a stranger sends ends its own connection and nothing else.
      const reason = error instanceof ProtocolViolationError ? 'a malformed relay message' : 'a malformed address'
      this.link.close(closeCodes.protocolViolation, reason)
    }
  }

  /** A client of this worker has come. */
  addClient(client: RelayLink): void {
    this.#clients.set(client.number, client)
    this.link.send(encodeMux({ type: 'open', id: client.number }))
  }

  /** The client's next message. While the worker is slow, its clients are not read. */
  forward(client: RelayLink, payload: Uint8Array): void {
    const limit = this.#options.limits.maxBufferedPerWorkerBytes
    this.link.send(encodeMux({ type: 'data', id: client.number, payload }), () => {
      if (this.#paused.size === 0 || this.link.bufferedBytes > limit / 2) return
      for (const paused of this.#paused) paused.resume()
      this.#paused.clear()
    })
    if (this.link.bufferedBytes <= limit) return
    client.pause()
    this.#paused.add(client)
  }

  /** The client has gone. */
  removeClient(client: RelayLink, code: number): void {
    this.#paused.delete(client)
    if (this.#clients.delete(client.number)) this.link.send(encodeMux({ type: 'close', id: client.number, code, reason: '' }))
  }

  /** The worker has gone, or must go. */
  end(code: number, reason: string): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#cancelTimer()
    this.link.close(code, reason)
    for (const client of this.#clients.values()) client.close(closeCodes.goingAway, 'the worker went away')
    this.#clients.clear()
  }

  #handle(message: MuxMessage): void {
    if (message.type === 'proof') {
      if (this.#state !== 'challenged') throw new ProtocolViolationError('a second proof')
      this.#state = 'checking'
      void this.#check(message.worker, message.signature)
      return
    }
    if (this.#state !== 'serving') throw new ProtocolViolationError('a message before the proof')
    switch (message.type) {
      case 'data':
        return this.#toClient(message.id, message.payload)
      case 'close':
        return this.#closeClient(message.id, message.code, message.reason)
      case 'pong':
        this.#unanswered = 0
        return
      default:
        throw new ProtocolViolationError('a message that only relays send')
    }
  }

  async #check(worker: Address, signature: Uint8Array): Promise<void> {
    const { verify, origin, nonce } = this.#options
    const good = await verify({ worker, signature, digest: relayProofDigest({ origin, worker, nonce }) }).catch(() => false)
    if (this.#state !== 'checking') return
    this.#cancelTimer()
    if (!good) return this.#refuse('the proof of identity does not hold')
    this.#state = 'serving'
    this.link.worker = worker
    this.#options.onServing(worker, this)
    this.link.send(encodeMux({ type: 'accepted', heartbeatMs: this.#options.limits.heartbeatMs }))
    this.#scheduleHeartbeat()
  }

  #toClient(id: number, payload: Uint8Array): void {
    const client = this.#clients.get(id)
    const { maxBufferedPerClientBytes, maxMessageBytes } = this.#options.limits
    // A client that has just gone: its close is on the way to the worker.
    if (client === undefined) return
    if (payload.length > maxMessageBytes + 1) throw new ProtocolViolationError('a message above the limit')
    client.send(payload)
    if (client.bufferedBytes <= maxBufferedPerClientBytes) return
    this.removeClient(client, closeCodes.limitReached)
    client.close(closeCodes.limitReached, 'the client reads too slowly')
  }

  #closeClient(id: number, code: number, reason: string): void {
    const client = this.#clients.get(id)
    if (client === undefined) return
    this.#clients.delete(id)
    this.#paused.delete(client)
    client.close(code === closeCodes.normal || (code >= 4000 && code <= 4999) ? code : closeCodes.protocolViolation, reason)
  }

  #scheduleHeartbeat(): void {
    const { limits, timers } = this.#options
    this.#cancelTimer = timers.after(limits.heartbeatMs, () => {
      if (this.#unanswered >= 3) return this.end(closeCodes.idle, 'no sign of life')
      this.#unanswered++
      this.link.send(encodeMux({ type: 'ping' }))
      this.#scheduleHeartbeat()
    })
  }

  #refuse(reason: string): void {
    this.end(closeCodes.refused, reason)
  }
}

/** What a worker's connection needs to know of its relay. */
export type RelayWorkerOptions = {
  readonly nonce: Uint8Array
  readonly origin: string
  readonly verify: RelayVerifier
  readonly limits: RelayLimits
  readonly timers: Timers
  readonly onServing: (worker: Address, self: RelayWorker) => void
}
