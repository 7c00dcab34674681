import { ReceiverBusyError } from '../errors.ts'
import type { Channel } from '../transport.ts'

/** Channels that came in and wait to be accepted; also remembers the open ones, so that a listener can close them. */
export class AcceptQueue {
  readonly #maxWaiting: number
  #waiting: Channel[] = []
  #wake: () => void = () => undefined
  #ended = false
  #accepting = false
  readonly #open = new Set<Channel>()

  constructor({ maxWaiting = 256 }: { readonly maxWaiting?: number } = {}) {
    this.#maxWaiting = maxWaiting
  }

  get openChannels(): number {
    return this.#open.size
  }

  push(channel: Channel): void {
    if (this.#ended || this.#waiting.length >= this.#maxWaiting) {
      void channel.close('too many connections are waiting')
      return
    }
    this.#open.add(channel)
    void channel.closed.then(() => this.#open.delete(channel))
    this.#waiting.push(channel)
    this.#wake()
  }

  async *accept({ signal }: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<Channel> {
    if (this.#accepting) throw new ReceiverBusyError()
    this.#accepting = true
    const wake = (): void => this.#wake()
    signal?.addEventListener('abort', wake)
    try {
      for (;;) {
        signal?.throwIfAborted()
        const channel = this.#waiting.shift()
        if (channel !== undefined) yield channel
        else if (this.#ended) return
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
      }
    } finally {
      signal?.removeEventListener('abort', wake)
      this.#accepting = false
    }
  }

  /** No more channels; closes the open ones. */
  async end(): Promise<void> {
    this.#ended = true
    this.#waiting = []
    this.#wake()
    await Promise.all([...this.#open].map((channel) => channel.close('the listener was closed')))
  }
}
