import { closeCodes } from './close-codes.ts'
import { UnreachableError } from './errors.ts'
import { acceptChannel, type ChannelOptions, dialChannel } from './framed-channel.ts'
import { AcceptQueue } from './internal/accept-queue.ts'
import type { MessageSocket, MessageSocketHandlers, SocketEnd } from './message-socket.ts'
import type { Channel, Dialer, Listener } from './transport.ts'

/** A network inside one process, for tests and for embedding both ends: dial what was listened on. */
export type MemoryNetwork = Dialer & {
  listen(address: string, options?: ChannelOptions): Listener
  /** A bare connection to a listener, for peers that misbehave. */
  connect(address: string): MessageSocket
}

/** Two ends of one connection in memory. Messages arrive in later microtasks, as from a wire. */
export function memorySocketPair(): readonly [MessageSocket, MessageSocket] {
  const [a, b] = [new MemorySocket(), new MemorySocket()]
  a.peer = b
  b.peer = a
  return [a, b]
}

/**
 * An empty in-memory network.
 * @example
 * const network = createMemoryNetwork()
 * const listener = network.listen('worker')
 * const channel = await network.dial('worker')
 */
export function createMemoryNetwork(options: ChannelOptions = {}): MemoryNetwork {
  const listeners = new Map<string, { readonly queue: AcceptQueue; readonly options: ChannelOptions }>()
  const connect = (address: string): MessageSocket => {
    const listener = listeners.get(address)
    if (listener === undefined) throw new UnreachableError(address)
    const [near, far] = memorySocketPair()
    listener.queue.push(acceptChannel(far, listener.options))
    return near
  }
  return {
    connect,
    async dial(address, { signal } = {}): Promise<Channel> {
      signal?.throwIfAborted()
      return dialChannel(connect(address), { ...options, signal })
    },
    listen(address, listenOptions = options): Listener {
      const queue = new AcceptQueue()
      listeners.set(address, { queue, options: listenOptions })
      const close = async (): Promise<void> => {
        listeners.delete(address)
        await queue.end()
      }
      return { address, accept: (acceptOptions) => queue.accept(acceptOptions), close, [Symbol.asyncDispose]: close }
    },
  }
}

class MemorySocket implements MessageSocket {
  readonly remote = 'memory'
  peer: MemorySocket | undefined
  #handlers: MessageSocketHandlers | undefined
  #early: Uint8Array[] = []
  #closed = false

  attach(handlers: MessageSocketHandlers): void {
    this.#handlers = handlers
    for (const bytes of this.#early) handlers.message(bytes)
    this.#early = []
  }

  send(bytes: Uint8Array): void {
    if (this.#closed) return
    const copy = Uint8Array.from(bytes)
    queueMicrotask(() => this.peer?.deliver(copy))
  }

  close(code: number, reason: string): void {
    if (this.#closed) return
    this.#closed = true
    queueMicrotask(() => {
      this.peer?.end({ code, reason })
      this.#handlers?.closed({ code: closeCodes.normal, reason: '' })
    })
  }

  deliver(bytes: Uint8Array): void {
    if (this.#closed) return
    if (this.#handlers === undefined) this.#early.push(bytes)
    else this.#handlers.message(bytes)
  }

  end(end: SocketEnd): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers?.closed(end)
  }
}
