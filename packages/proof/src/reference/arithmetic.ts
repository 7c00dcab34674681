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

/** The transcript of Section 3. */
export class ReferenceTranscript {
  state: Uint8Array

  constructor(label: string) {
    this.state = keccak_256(utf8(`${suite}/${label}`))
  }

  absorb(tag: string, data: Uint8Array): void {
    const length = Uint8Array.of(data.length >>> 24, data.length >>> 16, data.length >>> 8, data.length)
    this.state = keccak_256(concatBytes(this.state, Uint8Array.of(tag.length), utf8(tag), length, data))
  }

  challenge(tag: string): bigint {
    this.absorb(tag, new Uint8Array(0))
    const half = (k: number): Uint8Array => keccak_256(concatBytes(this.state, Uint8Array.of(k)))
    return mod(toNumber(concatBytes(half(0), half(1))))
  }
}
