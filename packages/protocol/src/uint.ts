import { MalformedError } from './errors.ts'

/** An integer in JSON: decimal digits without leading zeros, so that every value has one spelling at any size. */
export type UintString = string

/** @throws MalformedError unless the text is the canonical decimal form of an integer in [0, 2^bits). */
export function parseUint(text: string, what: string, bits = 256): bigint {
  // 2^256 has 78 digits: a longer text is refused before it is converted.
  if (text.length > 78 || !/^(?:0|[1-9][0-9]*)$/.test(text)) throw new MalformedError(what, 'is not a canonical decimal integer')
  const value = BigInt(text)
  if (value >> BigInt(bits) !== 0n) throw new MalformedError(what, `does not fit in ${bits} bits`)
  return value
}

/** Big-endian, 32 bytes, as in ABI encoding. */
export function uintToBytes32(value: bigint): Uint8Array<ArrayBuffer> {
  if (value < 0n || value >> 256n !== 0n) throw new MalformedError('An unsigned integer', 'is outside [0, 2^256)')
  const bytes = new Uint8Array(32)
  let rest = value
  for (let i = 31; rest > 0n; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}
