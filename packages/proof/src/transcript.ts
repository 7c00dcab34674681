// The Fiat-Shamir transcript: a keccak256 chain with tagged, length-prefixed messages.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, utf8 } from '@tacit/protocol'
import { bytesToNumber, mod } from './kernels/field.ts'

/** Name and version of the suite; part of every hash. */
export const SUITE = 'TACIT-LAYER-v1/secp256k1'

/** S_0 = keccak256(label); absorb: S <- keccak256(S | u8 len(tag) | tag | u32be len(data) | data). */
export class Transcript {
  #state: Uint8Array

  constructor(label: string) {
    this.#state = keccak_256(utf8(`${SUITE}/${label}`))
  }

  /** Takes a message in. */
  absorb(tag: string, data: Uint8Array): void {
    const name = utf8(tag)
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, data.length)
    this.#state = keccak_256(concatBytes(this.#state, Uint8Array.of(name.length), name, length, data))
  }

  /** absorb(tag, nothing), then keccak256(S | 0) | keccak256(S | 1) as a 512-bit big-endian number modulo the order. */
  challenge(tag: string): bigint {
    this.absorb(tag, new Uint8Array(0))
    const wide = concatBytes(keccak_256(concatBytes(this.#state, Uint8Array.of(0))), keccak_256(concatBytes(this.#state, Uint8Array.of(1))))
    return mod(bytesToNumber(wide))
  }

  /** The state, for digests and for deriving masks. */
  get state(): Uint8Array {
    return this.#state.slice()
  }
}
