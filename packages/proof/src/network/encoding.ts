// The one byte form of a network proof: magic, then counted, length-prefixed boundaries and proofs, nothing after the end.
import { concatBytes, MalformedError, parseHex, toHex, utf8 } from '@tacit/protocol'
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import type { NetworkProof } from './verify-network.ts'

const MAGIC = utf8('TACITLP\u0001')
const MAX_ITEMS = 4096
const MAX_ITEM_BYTES = 1 << 24

/** Encodes a network proof. */
export function encodeNetworkProof(proof: NetworkProof): Uint8Array<ArrayBuffer> {
  const items = [...proof.boundaries.map((points) => parseHex(points, 'A boundary')), ...proof.proofs]
  return concatBytes(
    MAGIC,
    number(proof.boundaries.length),
    number(proof.proofs.length),
    ...items.flatMap((item) => [number(item.length), item]),
  )
}

/**
 * Decodes a network proof from untrusted bytes, in time and memory linear in their number.
 * @throws MalformedError for anything that `encodeNetworkProof` does not produce.
 */
export function decodeNetworkProof(bytes: Uint8Array): NetworkProof {
  const reader = new Reader(bytes)
  if (toHex(reader.take(MAGIC.length)) !== toHex(MAGIC)) throw new MalformedError('A network proof', 'does not start with its magic number')
  const [boundaryCount, proofCount] = [reader.number(MAX_ITEMS), reader.number(MAX_ITEMS)]
  const boundaries = Array.from({ length: boundaryCount }, () => {
    const points = reader.take(reader.number(MAX_ITEM_BYTES))
    if (points.length === 0 || points.length % ENCODED_POINT_BYTES !== 0)
      throw new MalformedError('A boundary', 'is not a whole number of points')
    return toHex(points)
  })
  const proofs = Array.from({ length: proofCount }, () => reader.take(reader.number(MAX_ITEM_BYTES)).slice())
  reader.end()
  return { boundaries, proofs }
}

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  take(n: number): Uint8Array {
    if (this.#at + n > this.#bytes.length) throw new MalformedError('A network proof', 'ends too early')
    this.#at += n
    return this.#bytes.subarray(this.#at - n, this.#at)
  }

  number(max: number): number {
    const bytes = this.take(4)
    const value = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
    if (value > max) throw new MalformedError('A network proof', `has a count or length above ${max}`)
    return value
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new MalformedError('A network proof', 'has bytes after its end')
  }
}
