import { ChunkMalformedError } from './errors.ts'

/** Bytes that a sealed chunk is longer than its plaintext: marker, counter, tag. */
export const chunkOverheadBytes: number = 1 + 4 + 16

/** Longest plaintext of one chunk. With 2^32 chunks this keeps one key below 2^48 AES blocks. */
export const maxChunkPlaintextBytes: number = 2 ** 20

/** The clear part of a sealed chunk, and its ciphertext. */
export type Chunk = { readonly final: boolean; readonly counter: number; readonly ciphertext: Uint8Array }

/** Marker (0 more, 1 final) | counter (u32, big-endian) | ciphertext and tag. */
export function encodeChunk({ final, counter, ciphertext }: Chunk): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + ciphertext.length)
  bytes[0] = final ? 1 : 0
  new DataView(bytes.buffer).setUint32(1, counter)
  bytes.set(ciphertext, 5)
  return bytes
}

/**
 * Parses a chunk from the wire; the ciphertext is a view of `bytes`.
 * @throws ChunkMalformedError when it is too short, too long, or has an unknown marker.
 */
export function parseChunk(bytes: Uint8Array): Chunk {
  if (bytes.length < chunkOverheadBytes) throw new ChunkMalformedError('is shorter than its marker, counter and tag')
  if (bytes.length > chunkOverheadBytes + maxChunkPlaintextBytes) throw new ChunkMalformedError('is longer than a chunk may be')
  const marker = bytes[0]
  if (marker !== 0 && marker !== 1) throw new ChunkMalformedError('has an unknown marker')
  const counter = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1)
  return { final: marker === 1, counter, ciphertext: bytes.subarray(5) }
}
