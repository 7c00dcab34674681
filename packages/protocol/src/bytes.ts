import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { MalformedError } from './errors.ts'

/** `0x` and an even number of lower-case hexadecimal digits. */
export type Hex = `0x${string}`

/** Lower-case hexadecimal with `0x`. */
export function toHex(bytes: Uint8Array): Hex {
  return `0x${bytesToHex(bytes)}`
}

/**
 * The bytes of a canonical hex string: `0x`, lower case, even length, and exactly `sizeBytes` long when that is given.
 * @throws MalformedError when the text is anything else.
 */
export function parseHex(text: string, what: string, sizeBytes?: number): Uint8Array<ArrayBuffer> {
  if (!/^0x(?:[0-9a-f]{2})*$/.test(text)) throw new MalformedError(what, 'is not lower-case hexadecimal with 0x and whole bytes')
  if (sizeBytes !== undefined && text.length !== 2 + 2 * sizeBytes) throw new MalformedError(what, `must be ${sizeBytes} bytes`)
  return Uint8Array.from(hexToBytes(text.slice(2)))
}

/** One array after the other. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Equality whose time depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

const encoder = new TextEncoder()

/** UTF-8. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}
