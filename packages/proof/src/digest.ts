// Digests of byte strings that a chain can open a kilobyte at a time (docs/spec/verifier-trace.md, section 2).
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes } from '@tacit/protocol'

/** Bytes that one step of a dispute hashes or reads at most. */
export const CHUNK_BYTES = 1024

/** keccak256 of every chunk of 1,024 bytes; the last chunk may be shorter. */
export function chunkHashes(data: Uint8Array): readonly Uint8Array[] {
  const count = Math.ceil(data.length / CHUNK_BYTES)
  return Array.from({ length: count }, (_, k) => keccak_256(data.subarray(CHUNK_BYTES * k, CHUNK_BYTES * (k + 1))))
}

/** Neighbours are hashed together; a last one without neighbour goes up as it is. */
export function foldChunks<T>(level: readonly T[], pair: (left: T, right: T) => T): readonly T[] {
  const above: T[] = []
  for (let k = 0; k < level.length; k += 2) {
    const [left, right] = [level[k], level[k + 1]]
    if (left !== undefined) above.push(right === undefined ? left : pair(left, right))
  }
  return above
}

/** The root over the chunks of `data`: 32 zero bytes if there are none. */
export function chunkRoot(data: Uint8Array): Uint8Array {
  let level = chunkHashes(data)
  while (level.length > 1) level = foldChunks(level, (left, right) => keccak_256(concatBytes(left, right)))
  return level[0] ?? new Uint8Array(32)
}

/** keccak256(u256 length | root): what transcripts and chains know of a byte string. */
export function dataDigest(data: Uint8Array): Uint8Array {
  const length = new Uint8Array(32)
  new DataView(length.buffer).setUint32(28, data.length)
  return keccak_256(concatBytes(length, chunkRoot(data)))
}
