import { concatBytes, utf8 } from '@tacit/protocol'
import { sha256 } from '@noble/hashes/sha2.js'

/** Numbers that only the holder of the seed can predict: SHA-256("tacit/obfuscate/v1" | seed | counter), 32 bits at a time. */
export class SeededRandom {
  readonly #seed: Uint8Array
  #counter = 0
  #block = new DataView(new ArrayBuffer(0))
  #offset = 0

  constructor(seed: Uint8Array | string) {
    this.#seed = typeof seed === 'string' ? utf8(seed) : seed
  }

  u32(): number {
    if (this.#offset >= this.#block.byteLength) {
      const counter = new Uint8Array(8)
      new DataView(counter.buffer).setBigUint64(0, BigInt(this.#counter++))
      this.#block = new DataView(sha256(concatBytes(utf8('tacit/obfuscate/v1'), this.#seed, counter)).slice().buffer)
      this.#offset = 0
    }
    const value = this.#block.getUint32(this.#offset)
    this.#offset += 4
    return value
  }

  /** In [0, bound); the bias of at most bound / 2^32 does not matter here. */
  below(bound: number): number {
    return Math.floor((this.u32() / 2 ** 32) * bound)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability
  }

  /** A uniformly random permutation of 0 .. count - 1 (Fisher-Yates). */
  permutation(count: number): Int32Array {
    const places = Int32Array.from({ length: count }, (_, i) => i)
    for (let i = count - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const held = places[i] ?? 0
      places[i] = places[j] ?? 0
      places[j] = held
    }
    return places
  }
}
