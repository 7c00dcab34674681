import type { NetworkError } from './errors.ts'

/** How a channel ended. `error` is there unless one of the sides closed it. */
export type ChannelEnd = { readonly reason: string; readonly error?: NetworkError }

/** An ordered, reliable, message-preserving connection to one peer. What every transport gives. */
export type Channel = AsyncDisposable & {
  /** Who is at the other end, for people: an address, or "memory". */
  readonly remote: string
  /** Largest message that {@link send} takes. */
  readonly maxMessageBytes: number
  /**
   * Resolves when the message is on its way and the other side has room for the next one: awaiting it is the backpressure.
   * Messages arrive in the order of the calls.
   * @throws MessageTooLargeError, ChannelClosedError, what ended the channel, or the reason of `signal`.
   */
  send(message: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * The messages that arrive. Not reading stops the sender. Ends when either side closed; throws when the connection was
   * lost. Leaving the loop keeps the channel open; one reader at a time.
   */
  receive(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<Uint8Array>
  /** Ends the channel for both sides. Messages whose `send` resolved still arrive. */
  close(reason?: string): Promise<void>
  /** Settles when the channel has ended; never rejects. */
  readonly closed: Promise<ChannelEnd>
}

/** Opens channels to addresses of its kind. */
export type Dialer = {
  /**
   * @throws UnreachableError, WorkerNotConnectedError, LimitReachedError, TimedOutError or the reason of `signal`.
   */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<Channel>
}

/** Takes channels from others. */
export type Listener = AsyncDisposable & {
  /** What to give a dialer of the same kind. */
  readonly address: string
  /** The channels that come in, until the listener is closed. One reader at a time. */
  accept(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<Channel>
  /** Takes no more channels, and closes those that are open. */
  close(): Promise<void>
}

/** Time, injected so that tests need not wait for it. */
export type Timers = {
  readonly now: () => number
  /** Calls back once; the result cancels. */
  readonly after: (delayMs: number, callback: () => void) => () => void
}

/** The clock of this machine. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}
