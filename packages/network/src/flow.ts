// Credit flow control, the same on every transport: a WebSocket in a tab cannot stop its peer, so the channel does. Each side may
// have `windowBytes` on the way; whoever reads gives the bytes back. That bounds the memory of both ends and of every relay.

/** Bytes that may be on the way in one direction before the reader gives some back. */
export const windowBytes: number = 512 * 1024
/** What each message costs on top of its length, so that empty ones are not free. */
export const messageCostBytes = 64
/** Largest message of a channel: half a window less its cost, so that a window always has room for one. */
export const largestMessageBytes: number = windowBytes / 2 - messageCostBytes
/** Default limit: a cell of 64 KiB sealed and framed, and signed documents. */
export const maxMessageBytesDefault: number = 128 * 1024

/** What a message takes from the window. */
export function costOf(message: Uint8Array): number {
  return message.length + messageCostBytes
}
