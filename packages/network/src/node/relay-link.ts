import { WebSocket } from 'ws'
import type { Recorder, RelayEvent } from '../relay/recorder.ts'
import type { Timers } from '../transport.ts'
import { closePolitely } from './ws-socket.ts'

/** One connection of a relay: sends, counts what waits, and tells the recorder. */
export class RelayLink {
  readonly number: number
  readonly party: 'client' | 'worker'
  worker: string
  lastActiveMs: number
  readonly #socket: WebSocket
  readonly #timers: Timers
  readonly #recorder: Recorder | undefined
  #closed = false

  constructor(options: {
    readonly number: number
    readonly party: 'client' | 'worker'
    readonly worker: string
    readonly socket: WebSocket
    readonly remote: string
    readonly timers: Timers
    readonly recorder: Recorder | undefined
  }) {
    this.number = options.number
    this.party = options.party
    this.worker = options.worker
    this.#socket = options.socket
    this.#timers = options.timers
    this.#recorder = options.recorder
    this.lastActiveMs = options.timers.now()
    this.#record({ kind: 'connected', remote: options.remote })
    options.socket.on('close', (code) => {
      this.#closed = true
      this.#record({ kind: 'closed', code })
    })
    options.socket.on('error', () => undefined) // `close` follows
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Notes a message that came in. */
  received(bytes: Uint8Array): void {
    this.lastActiveMs = this.#timers.now()
    this.#record({ kind: 'received', bytes })
  }

  send(bytes: Uint8Array, sent: () => void = () => undefined): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    this.lastActiveMs = this.#timers.now()
    this.#record({ kind: 'sent', bytes })
    this.#socket.send(bytes, { binary: true }, sent)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.resume()
  }

  close(code: number, reason: string): void {
    // A paused socket would never read the other side's half of the closing handshake.
    this.resume()
    closePolitely(this.#socket, code, reason)
  }

  #record(
    event:
      | { readonly kind: 'connected'; readonly remote: string }
      | { readonly kind: 'received' | 'sent'; readonly bytes: Uint8Array }
      | { readonly kind: 'closed'; readonly code: number },
  ): void {
    if (this.#recorder === undefined) return
    const copied = 'bytes' in event ? { ...event, bytes: Uint8Array.from(event.bytes) } : event
    const head = { atMs: this.#timers.now(), connection: this.number, party: this.party, worker: this.worker }
    const whole: RelayEvent = { ...head, ...copied }
    this.#recorder(whole)
  }
}
