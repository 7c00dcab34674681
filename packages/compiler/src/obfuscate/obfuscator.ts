// The passes of an obfuscated build, all drawn from one seed. None of them changes a bit of any answer: units are permuted only
// where sums are exact integers or where they are put back before they are summed, panels are found where the table says they
// are, and dummies write to memory that nothing reads.
import { maskIncrement, maskMultiplier } from '../kernels/gemm.ts'
import { SeededRandom } from './seeded-random.ts'

export type ObfuscationOptions = {
  /** Whoever knows it can undo everything; give every holder another one (see `holderSeed`). */
  readonly seed: Uint8Array | string
  /** Probability that a layer gets a dummy node; 0.3 unless said. */
  readonly dummies?: number
  /** Decoy weights per real ones; 0.2 unless said. */
  readonly decoys?: number
  /** Passes to leave out. */
  readonly without?: readonly ObfuscationPass[]
}

export type ObfuscationPass = 'permute-units' | 'index-table' | 'dummies' | 'shuffle' | 'strip-names'

/** Panels of a packed matrix in a shuffled pool. */
export type PanelPool = {
  readonly bytes: Uint8Array
  readonly firstMask: number
  /** Masked slot numbers of the real panels, in order. */
  readonly table: Int32Array
  readonly decoySlots: readonly number[]
}

export class Obfuscator {
  readonly random: SeededRandom
  readonly #options: Required<Omit<ObfuscationOptions, 'seed'>>

  constructor(options: ObfuscationOptions) {
    this.random = new SeededRandom(options.seed)
    this.#options = { dummies: options.dummies ?? 0.3, decoys: options.decoys ?? 0.2, without: options.without ?? [] }
  }

  does(pass: ObfuscationPass): boolean {
    return !this.#options.without.includes(pass)
  }

  /** A permutation of hidden units, or undefined where the pass is off. */
  units(count: number): Int32Array | undefined {
    return this.does('permute-units') && count > 1 ? this.random.permutation(count) : undefined
  }

  wantsDummy(): boolean {
    return this.does('dummies') && this.random.chance(this.#options.dummies)
  }

  /** Shuffles panels among decoys, which are the words of real panels in another order. */
  pool(packed: Uint8Array, panelBytes: number): PanelPool | undefined {
    const panels = Math.ceil(packed.length / panelBytes)
    if (!this.does('index-table') || panels === 0) return undefined
    // The fraction is rounded up or down at random, so that small layers do not double.
    const wanted = panels * this.#options.decoys
    const decoys = Math.floor(wanted) + (this.random.chance(wanted % 1) ? 1 : 0)
    const slots = this.random.permutation(panels + decoys)
    const bytes = new Uint8Array((panels + decoys) * panelBytes)
    for (let panel = 0; panel < panels; panel++)
      bytes.set(packed.subarray(panel * panelBytes, (panel + 1) * panelBytes), (slots[panel] ?? 0) * panelBytes)
    for (let decoy = 0; decoy < decoys; decoy++) this.#decoy(bytes, { packed, panelBytes, slot: slots[panels + decoy] ?? 0 })
    const firstMask = this.random.u32() | 0
    return { bytes, firstMask, table: maskTable(slots.subarray(0, panels), firstMask), decoySlots: [...slots.subarray(panels)] }
  }

  // A real panel's words, rotated and reversed: same values, same histogram, no meaning.
  #decoy(bytes: Uint8Array, { packed, panelBytes, slot }: { packed: Uint8Array; panelBytes: number; slot: number }): void {
    const whole = Math.max(1, Math.floor(packed.length / panelBytes))
    const start = this.random.below(whole) * panelBytes
    const words = Math.floor(Math.min(panelBytes, packed.length - start) / 4)
    const stride = coprime(this.random.below(words) + 1, words)
    let word = this.random.below(words)
    for (let i = 0; i < words; i++) {
      bytes.set(packed.subarray(start + 4 * word, start + 4 * word + 4), slot * panelBytes + 4 * i)
      word = (word + stride) % words
    }
  }
}

/** Entries XOR a linear congruential sequence, as the kernels undo it. */
export function maskTable(entries: ArrayLike<number>, firstMask: number): Int32Array {
  let mask = firstMask
  return Int32Array.from({ length: entries.length }, (_, i) => {
    const masked = (entries[i] ?? 0) ^ mask
    mask = (Math.imul(mask, maskMultiplier) + maskIncrement) | 0
    return masked
  })
}

function coprime(candidate: number, modulus: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  let stride = candidate
  while (divisor(stride, modulus) !== 1) stride++
  return stride
}
