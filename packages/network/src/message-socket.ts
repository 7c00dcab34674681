/**
 * The least that a transport must bring: ordered binary messages and an end. `acceptChannel` and `dialChannel` make a channel of it.
 * Handlers are set once, by `attach`; nothing is delivered before.
 */
export type MessageSocket = {
  readonly remote: string
  attach(handlers: MessageSocketHandlers): void
  /** Hands a message to the system. Must not throw when the socket is already closed. */
  send(bytes: Uint8Array): void
  /** Starts closing, with a code of 4000 to 4999 (or 1000) and a reason of at most 123 bytes. */
  close(code: number, reason: string): void
}

export type MessageSocketHandlers = {
  readonly message: (bytes: Uint8Array) => void
  /** A message that is not binary. */
  readonly text: () => void
  /** Once. The code is the other side's, or 1006 when there was none. */
  readonly closed: (end: SocketEnd) => void
}

export type SocketEnd = { readonly code: number; readonly reason: string }

/** Opens a message socket to a URL. WebSocket in a tab, `ws` in Node. */
export type SocketFactory = (
  url: string,
  options: { readonly signal: AbortSignal | undefined; readonly maxFrameBytes: number },
) => Promise<MessageSocket>
