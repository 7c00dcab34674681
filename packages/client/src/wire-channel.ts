import { encodeFrame, type Frame, parseFrame } from '@tacit/exchange'
import type { Channel } from '@tacit/network'

/** A channel that speaks frames and is read one frame at a time. */
export class WireChannel {
  readonly #channel: Channel
  readonly #frames: AsyncIterator<Uint8Array>

  constructor(channel: Channel) {
    this.#channel = channel
    this.#frames = channel.receive()[Symbol.asyncIterator]()
  }

  send(frame: Frame): Promise<void> {
    return this.#channel.send(encodeFrame(frame))
  }

  /**
   * The next frame, or undefined when the other side closed.
   * @throws StreamError when it is not a frame, the signal's reason, or what broke the channel.
   */
  async next(signal?: AbortSignal): Promise<Frame | undefined> {
    const result = await abortable(this.#frames.next(), signal)
    return result.done ? undefined : parseFrame(result.value)
  }

  close(): Promise<void> {
    return this.#channel.close()
  }
}

/** Settles like the promise, or rejects with the signal's reason as soon as it aborts. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  signal.throwIfAborted()
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
    promise.catch(() => {}) // the loser of the race has nobody else to report to
  }
}
