// Values of nodes and their bytes.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes } from '@tacit/protocol'
import { bytesToNumber, scalarBytes } from '../kernels/field.ts'
import { leafHead } from './program.ts'

/** A value as bytes: 32 for a word, 64 for a point. */
export type Value = Uint8Array

/** A word as a number. */
export function toNumber(word: Uint8Array): bigint {
  return bytesToNumber(word)
}

/** A number below 2^256 as a word. */
export function wordBytes(value: bigint): Uint8Array {
  return scalarBytes(value)
}

/** keccak256(u8 0 | u32 index | u8 kind | value). */
export function valueLeaf(index: number, value: Value): Uint8Array {
  return keccak_256(concatBytes(leafHead(0, index), Uint8Array.of(value.length === 32 ? 0 : 1), value))
}
