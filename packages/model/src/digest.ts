import { sha256 } from '@noble/hashes/sha2.js'
import { type Hex, toHex } from '@tacit/protocol'
import { encodeQ8 } from './q8/encode-q8.ts'
import type { Q8Model } from './q8/q8-model.ts'

/** The digest that pins a model file: SHA-256 of its bytes. */
export function modelDigest(file: Uint8Array): Hex {
  return toHex(sha256(file))
}

/** The q8 tensors commitment of a model: SHA-256 of its canonical encoding (docs/spec/q8.md, section 6). */
export function q8Commitment(model: Q8Model): Hex {
  return toHex(sha256(encodeQ8(model)))
}
