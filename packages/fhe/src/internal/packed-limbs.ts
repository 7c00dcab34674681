import { packedLimbBytes } from '../ckks/wire.ts'
import { MalformedEncryptionError } from '../errors.ts'
import { at } from './at.ts'
import type { Ring } from './ring.ts'

/** A limb as bytes: 30 bits per residue. */
export function packLimb(ring: Ring, limb: number): Uint8Array<ArrayBuffer> {
  const stream = at(ring.work.streams, ring.crew.index)
  ring.kernels.pack30(limb, stream, ring.slots)
  return ring.arena.bytes.slice(stream, stream + packedLimbBytes(ring.polyDegree))
}

/**
 * The limb behind the bytes at that offset.
 * @throws MalformedEncryptionError when bytes are missing or a residue is not below the prime.
 */
export function unpackLimb(ring: Ring, bytes: Uint8Array, offset: number, limb: number, t: number, what: string): void {
  const size = packedLimbBytes(ring.polyDegree)
  if (offset + size > bytes.length) throw new MalformedEncryptionError(what, 'is too short')
  const stream = at(ring.work.streams, ring.crew.index)
  ring.arena.bytes.set(bytes.subarray(offset, offset + size), stream)
  const refused = ring.kernels.unpack30(stream, limb, ring.slots, at(ring.moduli, t).value)
  if (refused !== 0) throw new MalformedEncryptionError(what, 'holds a residue that is not canonical')
}
