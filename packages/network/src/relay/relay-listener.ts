// The worker's end of a relay: one outward connection that carries every client, kept up for as long as the listener lives.
import type { BackOff } from '../back-off.ts'
import { backOffDefaults, pause } from '../back-off.ts'
import { closeCodes, errorOfEnd } from '../close-codes.ts'
import { ConnectionLostError, type NetworkError, ProtocolViolationError, RelayRefusedError, TimedOutError } from '../errors.ts'
import { acceptChannel, type ChannelOptions, channelDefaults, frameOverheadBytes } from '../framed-channel.ts'
import { largestMessageBytes } from '../flow.ts'
import { AcceptQueue } from '../internal/accept-queue.ts'
import type { MessageSocket, MessageSocketHandlers, SocketEnd, SocketFactory } from '../message-socket.ts'
import { type Listener, systemTimers, type Timers } from '../transport.ts'
import { type RelayIdentity, relayOrigin, relayProofDigest } from './identity.ts'
import { encodeMux, type MuxMessage, muxOverheadBytes, parseMux } from './mux.ts'

/** What happens to the connection to the relay. */
export type RelayStatus =
  | { readonly state: 'connected' }
  | { readonly state: 'lost' | 'refused'; readonly error: NetworkError; readonly retryMs: number }
  | { readonly state: 'closed' }

/** Settings of {@link listenThroughRelay}. */
export type RelayListenerOptions = ChannelOptions & {
  readonly open: SocketFactory
  readonly identity: RelayIdentity
  readonly backOff?: BackOff
  readonly maxChannels?: number
  readonly onStatus?: (status: RelayStatus) => void
}

/**
 * Takes channels from clients of a relay. The first connection must succeed; later ones are retried with back-off for ever, and
 * channels that were open when the relay went fail with `network.connection-lost`.
 * @example
 * const listener = await listenThroughRelay('ws://127.0.0.1:7100', { open: openNodeSocket, identity: identityOf(signer) })
 * @throws UnreachableError, RelayRefusedError, TimedOutError.
 */
export async function listenThroughRelay(
  relayUrl: string,
  options: RelayListenerOptions & { readonly signal?: AbortSignal },
): Promise<Listener> {
  const listener = new RelayListener(relayUrl, options)
  await listener.connectFirst(options.signal)
  return listener
}

class RelayListener implements Listener {
  readonly address: string
  readonly #serveUrl: string
  readonly #origin: string
  readonly #options: RelayListenerOptions
  readonly #queue = new AcceptQueue()
  readonly #stop = new AbortController()
  #connection: RelayConnection | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(relayUrl: string, options: RelayListenerOptions) {
    const base = relayUrl.replace(/\/+$/, '')
    this.#serveUrl = `${base}/serve`
    this.#origin = relayOrigin(relayUrl)
    this.address = `${base}/connect/${options.identity.worker}`
    this.#options = options
  }

  accept(options: { readonly signal?: AbortSignal } = {}) {
    return this.#queue.accept(options)
  }

  async connectFirst(signal: AbortSignal | undefined): Promise<void> {
    const joined = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal])
    await this.#connect(joined)
    this.#running = this.#keepConnected()
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort(new Error('the listener was closed'))
    await this.#queue.end()
    this.#connection?.close()
    await this.#running
    this.#options.onStatus?.({ state: 'closed' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #connect(signal: AbortSignal): Promise<void> {
    // Not the limit of one channel: a client's oversized message must end that client's channel, never this connection.
    const maxFrameBytes = largestMessageBytes + frameOverheadBytes + muxOverheadBytes
    const socket = await this.#options.open(this.#serveUrl, { signal, maxFrameBytes })
    const connection = new RelayConnection(socket, { ...this.#options, origin: this.#origin, queue: this.#queue })
    await connection.accepted(signal)
    this.#connection = connection
    this.#options.onStatus?.({ state: 'connected' })
  }

  async #keepConnected(): Promise<void> {
    const { backOff = backOffDefaults, timers = systemTimers, onStatus } = this.#options
    const stopped = (): boolean => this.#stop.signal.aborted
    let error = await this.#connection?.ended
    for (let failures = 0; !stopped(); ) {
      const retryMs = backOff.delayMs(failures)
      // `error` is there unless the listener closed the connection itself, which the loop condition excludes.
      if (error !== undefined) onStatus?.({ state: error.code === 'network.relay-refused' ? 'refused' : 'lost', error, retryMs })
      if (!(await pause(retryMs, { timers, signal: this.#stop.signal }))) return
      try {
        await this.#connect(this.#stop.signal)
        failures = 0
        error = await this.#connection?.ended
      } catch (cause) {
        if (stopped()) return
        failures++
        // Only named errors leave #connect, except aborts, which were handled above.
        error = cause as NetworkError
      }
    }
  }
}

type RelayConnectionOptions = RelayListenerOptions & { readonly origin: string; readonly queue: AcceptQueue }

/** One connection to the relay and the clients on it. */
class RelayConnection {
  readonly ended: Promise<NetworkError>
  readonly #socket: MessageSocket
  readonly #options: RelayConnectionOptions
  readonly #clients = new Map<number, VirtualSocket>()
  #state: 'challenged' | 'proving' | 'accepted' | 'ended' = 'challenged'
  #resolveAccepted: () => void = () => undefined
  #resolveEnded: (error: NetworkError) => void = () => undefined
  readonly #accepted: Promise<void>
  readonly #timers: Timers
  #lastHeardMs: number
  #cancelWatch: () => void = () => undefined

  constructor(socket: MessageSocket, options: RelayConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#timers = options.timers ?? systemTimers
    this.#lastHeardMs = this.#timers.now()
    this.#accepted = new Promise((resolve) => {
      this.#resolveAccepted = resolve
    })
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    socket.attach({
      message: (bytes) => this.#onMessage(bytes),
      text: () => this.#fail(new ProtocolViolationError('the relay sent text')),
      closed: (end) => this.#finish(errorOfEnd(end), end),
    })
  }

  /** Resolves when the relay has taken the proof. */
  async accepted(signal: AbortSignal): Promise<void> {
    const { dialTimeoutMs, timers } = { ...channelDefaults, timers: systemTimers, ...this.#options }
    const given = new Promise<Error>((resolve) => {
      const cancel = timers.after(dialTimeoutMs, () => resolve(new TimedOutError('The relay', dialTimeoutMs)))
      const abort = (): void => resolve(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      void Promise.race([this.#accepted, this.ended]).then(() => {
        cancel()
        signal.removeEventListener('abort', abort)
      })
    })
    const failure = await Promise.race([this.#accepted, this.ended, given])
    if (failure === undefined) return
    this.close()
    throw failure
  }

  close(): void {
    this.#socket.close(closeCodes.normal, '')
    this.#finish(errorOfEnd({ code: closeCodes.normal, reason: '' }), { code: closeCodes.goingAway, reason: '' })
  }

  #onMessage(bytes: Uint8Array): void {
    if (this.#state === 'ended') return
    this.#lastHeardMs = this.#timers.now()
    try {
      this.#handle(parseMux(bytes))
    } catch (error) {
      if (!(error instanceof ProtocolViolationError)) throw error
      this.#fail(error)
    }
  }

  #handle(message: MuxMessage): void {
    switch (message.type) {
      case 'challenge':
        if (this.#state !== 'challenged') throw new ProtocolViolationError('a second challenge')
        this.#state = 'proving'
        void this.#prove(message.nonce)
        return
      case 'accepted':
        if (this.#state !== 'proving') throw new ProtocolViolationError('accepted without a proof')
        this.#state = 'accepted'
        this.#watch(message.heartbeatMs)
        return this.#resolveAccepted()
      case 'ping':
        return this.#socket.send(encodeMux({ type: 'pong' }))
      case 'pong':
        throw new ProtocolViolationError('a pong that nobody asked for')
      case 'open':
        return this.#onOpen(message.id)
      case 'data':
        this.#clients.get(message.id)?.deliver(message.payload)
        return
      case 'close':
        this.#clients.get(message.id)?.end({ code: message.code, reason: message.reason })
        this.#clients.delete(message.id)
        return
      case 'proof':
        throw new ProtocolViolationError('a relay has no identity to prove')
    }
  }

  async #prove(nonce: Uint8Array): Promise<void> {
    const { identity, origin } = this.#options
    try {
      const signature = await identity.sign(relayProofDigest({ origin, worker: identity.worker, nonce }))
      this.#socket.send(encodeMux({ type: 'proof', worker: identity.worker, signature }))
    } catch {
      this.#fail(new RelayRefusedError('the proof of identity could not be signed'))
    }
  }

  #onOpen(id: number): void {
    if (this.#state !== 'accepted' || this.#clients.has(id)) throw new ProtocolViolationError('a client opened out of turn')
    const { maxChannels = 256, queue } = this.#options
    if (this.#clients.size >= maxChannels) {
      this.#socket.send(encodeMux({ type: 'close', id, code: closeCodes.limitReached, reason: 'the worker has too many clients' }))
      return
    }
    const client = new VirtualSocket({
      send: (payload) => this.#socket.send(encodeMux({ type: 'data', id, payload })),
      close: (code, reason) => {
        this.#clients.delete(id)
        this.#socket.send(encodeMux({ type: 'close', id, code, reason }))
      },
    })
    this.#clients.set(id, client)
    queue.push(acceptChannel(client, this.#options))
  }

  /** A relay whose machine vanished never closes the connection. */
  #watch(heartbeatMs: number): void {
    if (heartbeatMs === 0) return
    this.#cancelWatch = this.#timers.after(heartbeatMs, () => {
      const silentMs = this.#timers.now() - this.#lastHeardMs
      if (silentMs > 3 * heartbeatMs) this.#fail(new ConnectionLostError(`the relay was silent for ${Math.round(silentMs)} ms`))
      else this.#watch(heartbeatMs)
    })
  }

  #fail(error: NetworkError): void {
    this.#socket.close(closeCodes.protocolViolation, error.message.slice(0, 100))
    this.#finish(error, { code: closeCodes.goingAway, reason: '' })
  }

  #finish(error: NetworkError, end: SocketEnd): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#cancelWatch()
    // To a client's channel it does not matter why the relay went: its connection is lost.
    for (const client of this.#clients.values()) client.end({ code: closeCodes.goingAway, reason: end.reason })
    this.#clients.clear()
    this.#resolveEnded(error)
  }
}

/** One client of the relay, as a socket. */
class VirtualSocket implements MessageSocket {
  readonly remote = 'a client of the relay'
  readonly #wire: Pick<MessageSocket, 'send' | 'close'>
  #handlers: MessageSocketHandlers | undefined
  #closed = false

  constructor(wire: Pick<MessageSocket, 'send' | 'close'>) {
    this.#wire = wire
  }

  attach(handlers: MessageSocketHandlers): void {
    this.#handlers = handlers
  }

  send(bytes: Uint8Array): void {
    if (!this.#closed) this.#wire.send(bytes)
  }

  close(code: number, reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#wire.close(code, reason)
  }

  deliver(bytes: Uint8Array): void {
    if (!this.#closed) this.#handlers?.message(bytes)
  }

  end(end: SocketEnd): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers?.closed(end)
  }
}
