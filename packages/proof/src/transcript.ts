// The Fiat-Shamir transcript: a keccak256 chain of tagged words. Every hash is short, so that a chain can repeat any one of them.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, utf8 } from '@tacit/protocol'
import { dataDigest } from './digest.ts'
import { bytesToNumber, mod } from './kernels/field.ts'

/** Name and version of the suite; part of every hash. */
export const SUITE = 'TACIT-LAYER-v1/secp256k1'

const [ZERO, ONE] = [new Uint8Array(32), Uint8Array.from({ length: 32 }, (_, k) => (k === 31 ? 1 : 0))]

/** The state that a transcript with this label starts from. */
export function initialState(label: string): Uint8Array {
  return keccak_256(utf8(`${SUITE}/${label}`))
}

/** A tag as a word: ASCII, filled up with zero bytes behind. */
export function tagWord(tag: string): Uint8Array {
  const word = new Uint8Array(32)
  word.set(utf8(tag))
  return word
}

/** S_0 = keccak256(label); absorb: S <- keccak256(S | tag | word). */
export class Transcript {
  #state: Uint8Array

  constructor(label: string) {
    this.#state = initialState(label)
  }

  /** Takes in a message by its digest. */
  absorb(tag: string, data: Uint8Array): void {
    this.absorbWord(tag, dataDigest(data))
  }

  /** Takes in 32 bytes as they are: digests. */
  absorbWord(tag: string, word: Uint8Array): void {
    if (word.length !== 32) throw new RangeError('A word has 32 bytes.')
    this.#state = keccak_256(concatBytes(this.#state, tagWord(tag), word))
  }

  /** absorbWord(tag, 0), then keccak256(S | 0) | keccak256(S | 1) as a 512-bit big-endian number modulo the order. */
  challenge(tag: string): bigint {
    this.absorbWord(tag, ZERO)
    return mod(bytesToNumber(concatBytes(keccak_256(concatBytes(this.#state, ZERO)), keccak_256(concatBytes(this.#state, ONE)))))
  }

  /** The state, for digests and for deriving masks. */
  get state(): Uint8Array {
    return this.#state.slice()
  }
}
