// Blinders and masks. Hedged: they come from SHAKE256 over a long-lived secret, fresh randomness and the transcript, so neither a
// repeated random source nor a leaked one alone repeats a mask under two challenges (repeating one reveals the weights).
import { shake256 } from '@noble/hashes/sha3.js'
import { utf8 } from '@tacit/protocol'
import { UnusableRandomnessError } from './errors.ts'
import { bytesToNumber, ORDER } from './kernels/field.ts'
import { type Kernels, SCALAR_BYTES } from './kernels/kernels.ts'
import { SUITE } from './transcript.ts'

/** Fills an array with fresh random bytes: `(n) => crypto.getRandomValues(new Uint8Array(n))`. */
export type RandomSource = (sizeBytes: number) => Uint8Array

/** A stream of uniform residues. */
export class HedgedRandom {
  readonly #stream: ReturnType<typeof shake256.create>

  /**
   * @param parts what the stream is bound to, in order; each is length-prefixed.
   * @throws UnusableRandomnessError when the source returns too few bytes or a constant.
   */
  constructor(random: RandomSource, label: string, parts: readonly Uint8Array[]) {
    const fresh = random(32)
    if (fresh.length !== 32 || fresh.every((byte) => byte === fresh[0]))
      throw new UnusableRandomnessError('It did not return 32 random bytes.')
    this.#stream = shake256.create()
    for (const part of [utf8(`${SUITE}/masks/${label}`), fresh, ...parts]) {
      const length = new Uint8Array(4)
      new DataView(length.buffer).setUint32(0, part.length)
      this.#stream.update(length).update(part)
    }
  }

  /** The next residue, by rejection (which happens with probability 2^-128). */
  scalar(): bigint {
    for (;;) {
      const value = bytesToNumber(this.#stream.xof(32))
      if (value < ORDER) return value
    }
  }

  /** n residues in kernel memory. */
  vector(kernels: Kernels, n: number): number {
    const at = kernels.allocate(SCALAR_BYTES * n)
    kernels.scoped(() => {
      const bytes = kernels.allocate(32 * n)
      let done = 0
      while (done < n) {
        kernels.bytes(bytes, 32 * (n - done)).set(this.#stream.xof(32 * (n - done)))
        done += kernels.x.scalarsFromBE(at + SCALAR_BYTES * done, bytes, n - done)
      }
    })
    return at
  }

  /** Erases the state. */
  destroy(): void {
    this.#stream.destroy()
  }
}
