// Messages between an engine and its child process: a 32-bit little-endian length, then that many bytes of JSON.
// Both ends bound the length before they allocate, so a broken or hostile other end costs a bounded amount of memory.
import type { Readable, Writable } from 'node:stream'

/** A frame was too long or not JSON; the stream cannot be trusted any further. */
export class FrameBrokenError extends Error {
  override readonly name = 'FrameBrokenError'
}

const headerBytes = 4

/** Writes one message; false means that it was larger than the limit and nothing was written. */
export function writeFrame(stream: Writable, message: unknown, limitBytes: number): boolean {
  const body = Buffer.from(JSON.stringify(message), 'utf8')
  if (body.length > limitBytes) return false
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32LE(body.length)
  stream.write(Buffer.concat([header, body]))
  return true
}

/**
 * Calls `onMessage` for every frame, `onEnd` once when the stream ends or breaks. Never throws.
 */
export function readFrames(
  stream: Readable,
  limitBytes: number,
  handlers: { readonly onMessage: (message: unknown) => void; readonly onEnd: (error?: Error) => void },
): void {
  let buffered: Buffer = Buffer.alloc(0)
  let ended = false
  const end = (error?: Error): void => {
    if (ended) return
    ended = true
    handlers.onEnd(error)
  }
  stream.on('data', (chunk: Buffer) => {
    if (ended) return
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
    while (buffered.length >= headerBytes) {
      const length = buffered.readUInt32LE(0)
      if (length > limitBytes) return end(new FrameBrokenError('A frame is longer than agreed.'))
      if (buffered.length < headerBytes + length) return
      const message = parseJson(buffered.subarray(headerBytes, headerBytes + length))
      buffered = buffered.subarray(headerBytes + length)
      if (message === undefined) return end(new FrameBrokenError('A frame is not JSON.'))
      handlers.onMessage(message)
    }
  })
  stream.on('end', () => end())
  stream.on('close', () => end())
  stream.on('error', (error) => end(error))
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
