import { StreamError } from './errors.ts'

/**
 * The sealed chunks that one side of a stream has sent, so that a broken channel can be resumed by sending the same
 * ciphertext again. Chunks are in counter order; what the other side has confirmed can be forgotten.
 */
export type StreamLog = { readonly firstCounter: number; readonly chunks: readonly Uint8Array[]; readonly final: boolean }

export const emptyStreamLog: StreamLog = { firstCounter: 0, chunks: [], final: false }

/** The log with one more chunk. @throws StreamError after the final chunk. */
export function appendChunk(log: StreamLog, chunk: Uint8Array, final: boolean): StreamLog {
  if (log.final) throw new StreamError('something was sealed after the final chunk')
  return { firstCounter: log.firstCounter, chunks: [...log.chunks, chunk], final }
}

/** Everything from counter `next` on. @throws StreamError when that was never sent or is forgotten. */
export function chunksFrom(log: StreamLog, next: number): readonly Uint8Array[] {
  const index = next - log.firstCounter
  if (index < 0 || index > log.chunks.length) throw new StreamError(`the other side asks to go on at chunk ${next}, which is not stored`)
  return log.chunks.slice(index)
}
