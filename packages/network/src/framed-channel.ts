// A channel over any message socket: message type, credits, heartbeat and an orderly end. docs/spec/relay.md, section "Channel".
import { concatBytes } from '@tacit/protocol'
import { closeCodes, errorOfEnd, printable } from './close-codes.ts'
import {
  ChannelClosedError,
  ConnectionLostError,
  MessageTooLargeError,
  type NetworkError,
  ProtocolViolationError,
  ReceiverBusyError,
  TimedOutError,
} from './errors.ts'
import { costOf, largestMessageBytes, maxMessageBytesDefault, messageCostBytes, windowBytes } from './flow.ts'
import { MessageQueue } from './internal/message-queue.ts'
import type { MessageSocket } from './message-socket.ts'
import { type Channel, type ChannelEnd, systemTimers, type Timers } from './transport.ts'

const types = { data: 0, credit: 1, ping: 2, pong: 3, close: 4, hello: 5 } as const
const version = 1

/** Bytes that a frame is longer than its message. */
export const frameOverheadBytes = 1

/** Settings of a channel. */
export type ChannelOptions = {
  /** Largest message in either direction. */
  readonly maxMessageBytes?: number
  /** After this silence the other side is asked for a sign of life; after twice as much it counts as lost. 0: never. */
  readonly heartbeatMs?: number
  /** How long dialing may take until the other end has answered. */
  readonly dialTimeoutMs?: number
  readonly timers?: Timers
}

/** Defaults of {@link ChannelOptions}. */
export const channelDefaults = { maxMessageBytes: maxMessageBytesDefault, heartbeatMs: 20_000, dialTimeoutMs: 15_000 } as const

type PendingSend = { readonly message: Uint8Array; readonly resolve: () => void; readonly reject: (error: unknown) => void }

/** Makes a channel of a socket that came in. The socket belongs to the channel from then on. */
export function acceptChannel(socket: MessageSocket, options: ChannelOptions = {}): Channel {
  return new FramedChannel(socket, options)
}

/**
 * Makes a channel of a socket that was dialed, once the other end (behind whatever relay) has said hello.
 * @throws what ended the connection instead, TimedOutError, or the reason of `signal`.
 */
export async function dialChannel(
  socket: MessageSocket,
  options: ChannelOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<Channel> {
  const { dialTimeoutMs, timers, signal } = { ...channelDefaults, timers: systemTimers, ...options }
  const channel = new FramedChannel(socket, options)
  const { promise: given, resolve: giveUp } = withResolvers<unknown>()
  const cancel = timers.after(dialTimeoutMs, () => giveUp(new TimedOutError(socket.remote, dialTimeoutMs)))
  const abort = (): void => giveUp(signal?.reason)
  if (signal?.aborted === true) abort()
  signal?.addEventListener('abort', abort, { once: true })
  const ended = channel.closed.then(({ error, reason }) => error ?? new ChannelClosedError(reason))
  const failure = await Promise.race([channel.hello, ended, given])
  cancel()
  signal?.removeEventListener('abort', abort)
  if (failure === undefined) return channel
  await channel.close('dialing was given up')
  throw failure
}

class FramedChannel implements Channel {
  readonly remote: string
  readonly closed: Promise<ChannelEnd>
  /** Resolves with the other side's hello. */
  readonly hello: Promise<void>
  readonly #resolveHello: (value: undefined) => void
  readonly #ownLimitBytes: number
  readonly #socket: MessageSocket
  readonly #timers: Timers
  readonly #heartbeatMs: number
  readonly #arrived = new MessageQueue()
  readonly #resolveClosed: (end: ChannelEnd) => void
  #pending: PendingSend[] = []
  #otherLimitBytes: number | undefined
  #credit = windowBytes
  #heldBytes = 0
  #consumedBytes = 0
  #receiving = false
  #end: ChannelEnd | undefined
  #lastHeardMs: number
  #cancelHeartbeat: () => void = () => undefined

  constructor(socket: MessageSocket, options: ChannelOptions) {
    const { maxMessageBytes, heartbeatMs, timers } = { ...channelDefaults, timers: systemTimers, ...options }
    this.remote = socket.remote
    this.#ownLimitBytes = Math.min(maxMessageBytes, largestMessageBytes)
    this.#socket = socket
    this.#timers = timers
    this.#heartbeatMs = heartbeatMs
    this.#lastHeardMs = timers.now()
    const { promise, resolve } = withResolvers<ChannelEnd>()
    this.closed = promise
    this.#resolveClosed = resolve
    const hello = withResolvers<undefined>()
    this.hello = hello.promise
    this.#resolveHello = hello.resolve
    this.#scheduleHeartbeat()
    socket.attach({
      message: (bytes) => this.#onFrame(bytes),
      text: () => this.#violate('it sent text'),
      closed: (end) => this.#finish({ reason: printable(end.reason), error: errorOfEnd(end) }),
    })
    const frame = new Uint8Array(6)
    frame.set([types.hello, version])
    new DataView(frame.buffer).setUint32(2, this.#ownLimitBytes)
    socket.send(frame)
  }

  get maxMessageBytes(): number {
    return Math.min(this.#ownLimitBytes, this.#otherLimitBytes ?? this.#ownLimitBytes)
  }

  send(message: Uint8Array, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#endError())
      if (message.length > this.maxMessageBytes) {
        return reject(new MessageTooLargeError({ sizeBytes: message.length, limitBytes: this.maxMessageBytes }))
      }
      if (signal?.aborted === true) return reject(signal.reason)
      if (this.#pending.length === 0 && this.#trySend(message)) return resolve()
      const abort = (): void => {
        this.#pending = this.#pending.filter((other) => other !== pending)
        reject(signal?.reason)
      }
      const settle = (): void => signal?.removeEventListener('abort', abort)
      // Copied, because the caller may reuse its buffer once it lets go of the promise.
      const pending: PendingSend = {
        message: Uint8Array.from(message),
        resolve: () => {
          settle()
          resolve()
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#pending.push(pending)
    })
  }

  async *receive({ signal }: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<Uint8Array> {
    if (this.#receiving) throw new ReceiverBusyError()
    this.#receiving = true
    try {
      for (;;) {
        const { done, value } = await this.#arrived.next(signal)
        if (done === true) return
        this.#giveBack(value)
        yield value
      }
    } finally {
      this.#receiving = false
    }
  }

  async close(reason = ''): Promise<void> {
    if (this.#end !== undefined) return
    const text = new TextEncoder().encode(reason === '' ? '' : printable(reason))
    this.#socket.send(concatBytes(Uint8Array.of(types.close), text))
    this.#socket.close(closeCodes.normal, '')
    this.#finish({ reason })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #onFrame(bytes: Uint8Array): void {
    if (this.#end !== undefined) return
    this.#lastHeardMs = this.#timers.now()
    const body = bytes.subarray(1)
    if (bytes[0] === types.hello) return this.#onHello(body)
    if (this.#otherLimitBytes === undefined) return this.#violate('it did not say hello first')
    switch (bytes[0]) {
      case types.data:
        return this.#onData(body)
      case types.credit:
        return this.#onCredit(body)
      case types.ping:
        if (body.length > 0) return this.#violate('a ping has content')
        return this.#socket.send(Uint8Array.of(types.pong))
      case types.pong:
        if (body.length > 0) this.#violate('a pong has content')
        return
      case types.close: {
        const reason = body.length === 0 ? '' : printable(new TextDecoder().decode(body.subarray(0, 512)))
        this.#socket.close(closeCodes.normal, '')
        return this.#finish({ reason })
      }
      default:
        return this.#violate('a frame has an unknown type')
    }
  }

  #onHello(body: Uint8Array): void {
    if (this.#otherLimitBytes !== undefined) return this.#violate('it said hello twice')
    if (body.length !== 5) return this.#violate('its hello has the wrong length')
    if (body[0] !== version) return this.#violate(`it speaks version ${body[0]} of the channel framing, this side version ${version}`)
    this.#otherLimitBytes = new DataView(body.buffer, body.byteOffset, body.length).getUint32(1)
    this.#resolveHello(undefined)
  }

  #onData(body: Uint8Array): void {
    if (body.length > this.#ownLimitBytes) {
      this.#socket.close(closeCodes.tooLarge, 'message too large')
      this.#finish({
        reason: 'message too large',
        error: new MessageTooLargeError({ sizeBytes: body.length, limitBytes: this.#ownLimitBytes }),
      })
      return
    }
    this.#heldBytes += costOf(body)
    if (this.#heldBytes > windowBytes) return this.#violate('it sent more than its window')
    this.#arrived.push(body)
  }

  #onCredit(body: Uint8Array): void {
    if (body.length !== 4) return this.#violate('a credit has the wrong length')
    this.#credit += new DataView(body.buffer, body.byteOffset, 4).getUint32(0)
    if (this.#credit > windowBytes) return this.#violate('it gave more credit than it has')
    for (let next = this.#pending[0]; next !== undefined && this.#trySend(next.message); next = this.#pending[0]) {
      this.#pending.shift()
      next.resolve()
    }
  }

  #trySend(message: Uint8Array): boolean {
    const cost = costOf(message)
    if (cost > this.#credit) return false
    this.#credit -= cost
    this.#socket.send(concatBytes(Uint8Array.of(types.data), message))
    return true
  }

  /** Called when the reader takes a message; credit goes back in halves of a window, so that it costs few frames. */
  #giveBack(message: Uint8Array): void {
    this.#heldBytes -= costOf(message)
    this.#consumedBytes += costOf(message)
    if (this.#consumedBytes < windowBytes / 2 - messageCostBytes || this.#end !== undefined) return
    const frame = new Uint8Array(5)
    frame[0] = types.credit
    new DataView(frame.buffer).setUint32(1, this.#consumedBytes)
    this.#consumedBytes = 0
    this.#socket.send(frame)
  }

  #scheduleHeartbeat(): void {
    if (this.#heartbeatMs <= 0) return
    this.#cancelHeartbeat = this.#timers.after(this.#heartbeatMs, () => {
      const silentMs = this.#timers.now() - this.#lastHeardMs
      if (silentMs >= 2 * this.#heartbeatMs) {
        this.#socket.close(closeCodes.idle, 'no sign of life')
        this.#finish({ reason: 'no sign of life', error: new ConnectionLostError(`nothing was heard for ${Math.round(silentMs)} ms`) })
        return
      }
      if (silentMs >= this.#heartbeatMs) this.#socket.send(Uint8Array.of(types.ping))
      this.#scheduleHeartbeat()
    })
  }

  #violate(reason: string): void {
    this.#socket.close(closeCodes.protocolViolation, reason)
    this.#finish({ reason, error: new ProtocolViolationError(reason) })
  }

  #finish(end: ChannelEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#cancelHeartbeat()
    const pending = this.#pending
    this.#pending = []
    for (const { reject } of pending) reject(this.#endError())
    this.#arrived.end(end.error)
    this.#resolveClosed(end)
  }

  #endError(): NetworkError {
    return this.#end?.error ?? new ChannelClosedError(this.#end?.reason ?? '')
  }
}

// Promise.withResolvers is missing in Node 20.
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
