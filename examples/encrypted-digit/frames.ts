// Messages between two processes over pipes: four bytes of length, then the message.
import type { Readable, Writable } from 'node:stream'

const largestFrame = 64 << 20

/** Writes one message. */
export function writeFrame(stream: Writable, bytes: Uint8Array): void {
  const length = new Uint8Array(new Uint32Array([bytes.length]).buffer)
  stream.write(length)
  stream.write(bytes)
}

/** The messages of a stream, one after the other. */
export async function* readFrames(stream: Readable): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let held = new Uint8Array()
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    held = Uint8Array.from(Buffer.concat([held, chunk]))
    for (;;) {
      if (held.length < 4) break
      const size = new DataView(held.buffer).getUint32(0, true)
      if (size > largestFrame) throw new RangeError('a message is too long')
      if (held.length < 4 + size) break
      yield held.slice(4, 4 + size)
      held = held.slice(4 + size)
    }
  }
}
