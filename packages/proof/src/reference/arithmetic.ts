// The slow verifier's own arithmetic: BigInt and @noble/curves, nothing shared with the fast path but the published constants.
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, utf8 } from '@tacit/protocol'

/** A point of the group. */
export type Point = InstanceType<typeof secp256k1.Point>
export const { Point } = secp256k1
/** The group order. */
export const r: bigint = Point.Fn.ORDER
const suite = 'TACIT-LAYER-v1/secp256k1'

/** The residue modulo the order. */
export const mod = (value: bigint): bigint => ((value % r) + r) % r

/** base^exponent, negative exponents included. */
export function power(base: bigint, exponent: number): bigint {
  return Point.Fn.pow(exponent < 0 ? Point.Fn.inv(mod(base)) : mod(base), BigInt(Math.abs(exponent)))
}

/** <a, b> */
export function inner(a: readonly bigint[], b: readonly bigint[]): bigint {
  return mod(a.reduce((sum, value, i) => sum + value * (b[i] ?? 0n), 0n))
}

/** sum of scalars_i points_i */
export function combine(points: readonly Point[], scalars: readonly bigint[]): Point {
  return points.reduce((sum, point, i) => {
    const scalar = mod(scalars[i] ?? 0n)
    return scalar === 0n ? sum : sum.add(point.multiplyUnsafe(scalar))
  }, Point.ZERO)
}

/** Bytes to a number, big-endian. */
export function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n)
}

/** A canonical compressed point; throws for anything else. */
export function toPoint(bytes: Uint8Array): Point {
  if (bytes.length !== 33) throw new Error('A point has 33 bytes.')
  return Point.fromBytes(bytes)
}

/** The generator of a label (Section 3). */
export function generator(label: string): Point {
  for (let counter = 0; ; counter++) {
    const x = keccak_256(utf8(`${suite}/generator/${label}/${counter}`))
    try {
      return toPoint(concatBytes(Uint8Array.of(2), x))
    } catch {
      // not on the curve: next counter
    }
  }
}

/** A small number as 32 bytes. */
export function word(value: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, k) => (k < 28 ? 0 : value >>> (8 * (31 - k))))
}

/** The digest of Section 3: chunks of 1,024 bytes, a tree over them, the length. */
export function digest(data: Uint8Array): Uint8Array {
  let level = Array.from({ length: Math.ceil(data.length / 1024) }, (_, k) => keccak_256(data.subarray(1024 * k, 1024 * k + 1024)))
  while (level.length > 1) {
    const below = level
    level = below.flatMap((left, k) =>
      k % 2 === 1 ? [] : [k + 1 < below.length ? keccak_256(concatBytes(left, below[k + 1] ?? left)) : left],
    )
  }
  return keccak_256(concatBytes(word(data.length), level[0] ?? word(0)))
}

/** The transcript of Section 3. */
export class ReferenceTranscript {
  state: Uint8Array

  constructor(label: string) {
    this.state = keccak_256(utf8(`${suite}/${label}`))
  }

  absorb(tag: string, word: Uint8Array): void {
    this.state = keccak_256(concatBytes(this.state, utf8(tag), new Uint8Array(32 - tag.length), word))
  }

  challenge(tag: string): bigint {
    this.absorb(tag, word(0))
    const half = (k: number): Uint8Array => keccak_256(concatBytes(this.state, word(k)))
    return mod(toNumber(concatBytes(half(0), half(1))))
  }
}
