import { type Automorphism, automorphismId, rotation } from '../ckks/automorphism.ts'
import type { EvaluationKeys } from '../ckks/evaluation-keys.ts'
import { allocateIntegers, integersToSlots, writeIntegers } from '../ckks/plaintext.ts'
import { applyStage, buildRelinearizeStage, buildRotateStage, type Stage, toMontgomery } from '../circuit/stage.ts'
import { IncompatibleOperandsError, NoiseExhaustedError } from '../errors.ts'
import { at } from '../internal/at.ts'
import { divideBySpecial, divideRounded, raiseDigits } from '../internal/base-conversion.ts'
import { allocateLimbs, ciphertextLimbs, type Limbs, type Ring } from '../internal/ring.ts'
import { type Ciphertext, loadParts, storeParts } from './ciphertext.ts'
import { type CkksContext, ringOf } from './context.ts'
import type { Plaintext } from './encryption.ts'

/** Scales may differ by this fraction before a sum is refused: a rescale divides by a prime near 2^30, not by a power of two. */
const scaleTolerance = 2 ** -20

/** Computes on ciphertexts with public keys only. Every operation is exact integer arithmetic: same input, same bytes, everywhere. */
export class Evaluator {
  readonly #ring: Ring
  readonly #keys: EvaluationKeys
  readonly #stages = new Map<string, Stage>()

  constructor(context: CkksContext, keys: EvaluationKeys) {
    this.#ring = ringOf(context)
    this.#keys = keys
  }

  /** a + b @throws IncompatibleOperandsError */
  add(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#linear(a, b, this.#ring.kernels.add)
  }

  /** a - b @throws IncompatibleOperandsError */
  subtract(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#linear(a, b, this.#ring.kernels.subtract)
  }

  /** a + plaintext of the same scale @throws IncompatibleOperandsError */
  addPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    assertScales(a.scale, plaintext.scale)
    return this.#run(() => {
      const parts = loadParts(this.#ring, a)
      const plain = this.#plain(plaintext, a.level)
      this.#each(a.level, (t, p) => this.#ring.kernels.add(at(at(parts, 0), t), at(plain, t), at(at(parts, 0), t), p, this.#ring.limbBytes))
      return storeParts(this.#ring, parts, a.level, a.scale)
    })
  }

  /** a times plaintext; the scales multiply. */
  multiplyPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    return this.#run(() => {
      const parts = loadParts(this.#ring, a)
      const plain = this.#plain(plaintext, a.level)
      this.#each(a.level, (t, p, inverse) => {
        toMontgomery(this.#ring, at(plain, t), t)
        for (const part of parts) this.#ring.kernels.multiply(at(part, t), at(plain, t), at(part, t), p, inverse, this.#ring.limbBytes)
      })
      return storeParts(this.#ring, parts, a.level, a.scale * plaintext.scale)
    })
  }

  /** a times b, with three parts; the scales multiply. @throws IncompatibleOperandsError */
  multiply(a: Ciphertext, b: Ciphertext): Ciphertext {
    assertSame(a, b)
    if (a.parts.length !== 2 || b.parts.length !== 2) throw new IncompatibleOperandsError('a product is relinearised before the next one')
    return this.#run(() => {
      const { kernels, limbBytes } = this.#ring
      const [a0, a1] = loadParts(this.#ring, a) as [Limbs, Limbs]
      const [b0, b1] = loadParts(this.#ring, b) as [Limbs, Limbs]
      const [d0, d1, d2] = [0, 1, 2].map(() => allocateLimbs(this.#ring)) as [Limbs, Limbs, Limbs]
      this.#each(a.level, (t, p, inverse) => {
        toMontgomery(this.#ring, at(a0, t), t)
        toMontgomery(this.#ring, at(a1, t), t)
        kernels.multiply(at(a0, t), at(b0, t), at(d0, t), p, inverse, limbBytes)
        kernels.multiply(at(a0, t), at(b1, t), at(d1, t), p, inverse, limbBytes)
        kernels.multiplyAdd(at(a1, t), at(b0, t), at(d1, t), p, inverse, limbBytes)
        kernels.multiply(at(a1, t), at(b1, t), at(d2, t), p, inverse, limbBytes)
      })
      return storeParts(this.#ring, [d0, d1, d2], a.level, a.scale * b.scale)
    })
  }

  /** Brings a product back to two parts. @throws MissingKeyError */
  relinearize(a: Ciphertext): Ciphertext {
    if (a.parts.length === 2) return a
    const stage = this.#stage(`relinearize ${a.level}`, () => buildRelinearizeStage(this.#ring, this.#keys, a.level))
    return this.#run(() => {
      const [d0, d1, d2] = loadParts(this.#ring, a) as [Limbs, Limbs, Limbs]
      const [first, second] = [allocateLimbs(this.#ring), allocateLimbs(this.#ring)]
      applyStage(this.#ring, stage, raiseDigits(this.#ring, d2, a.level), { first: d0, second: d1 }, { first, second })
      divideBySpecial(this.#ring, first, a.level, d0)
      divideBySpecial(this.#ring, second, a.level, d1)
      return storeParts(this.#ring, [d0, d1], a.level, a.scale)
    })
  }

  /** Divides value and scale by the last prime. @throws NoiseExhaustedError at level 1 */
  rescale(a: Ciphertext): Ciphertext {
    if (a.level < 2) throw new NoiseExhaustedError({ remainingLevels: a.level - 1 })
    return this.#run(() => {
      const parts = loadParts(this.#ring, a)
      for (const part of parts) divideRounded(this.#ring, part, [a.level - 1], ciphertextLimbs(a.level - 1), part)
      return storeParts(this.#ring, parts, a.level - 1, a.scale / at(this.#ring.moduli, a.level - 1).value)
    })
  }

  /** Drops primes without dividing: the same value and scale at a lower level, in fewer bytes. @throws NoiseExhaustedError */
  modSwitch(a: Ciphertext, level: number): Ciphertext {
    if (!(Number.isSafeInteger(level) && level >= 1 && level <= a.level)) throw new NoiseExhaustedError({ remainingLevels: a.level - 1 })
    return { ...a, level, parts: a.parts.map((part) => part.slice(0, level)) }
  }

  /** Slot j takes the value of slot j + by. @throws MissingKeyError */
  rotate(a: Ciphertext, by: number): Ciphertext {
    return at(this.rotateMany(a, [by]), 0)
  }

  /** Several rotations of one ciphertext, its digits raised once. @throws MissingKeyError */
  rotateMany(a: Ciphertext, steps: readonly number[]): readonly Ciphertext[] {
    return this.#images(
      a,
      steps.map((by) => rotation(this.#ring.slots, by)),
    )
  }

  /** The complex conjugate of every slot. @throws MissingKeyError */
  conjugate(a: Ciphertext): Ciphertext {
    return at(this.#images(a, [{ rotation: 0, conjugate: true }]), 0)
  }

  #images(a: Ciphertext, automorphisms: readonly Automorphism[]): readonly Ciphertext[] {
    if (a.parts.length !== 2) throw new IncompatibleOperandsError('a product is relinearised before it is rotated')
    const stages = automorphisms.map((automorphism) =>
      automorphismId(automorphism) === 0
        ? null
        : this.#stage(`${automorphismId(automorphism)} ${a.level}`, () => buildRotateStage(this.#ring, this.#keys, automorphism, a.level)),
    )
    return this.#run(() => {
      const { kernels, slots } = this.#ring
      const [c0, c1] = loadParts(this.#ring, a) as [Limbs, Limbs]
      const [first, second] = [allocateLimbs(this.#ring), allocateLimbs(this.#ring)]
      const digits = raiseDigits(this.#ring, c1, a.level)
      return automorphisms.map((automorphism, k) => {
        const stage = stages[k]
        if (stage === null || stage === undefined) return a
        applyStage(this.#ring, stage, digits, { first: c0, second: c1 }, { first, second })
        divideBySpecial(this.#ring, first, a.level, first)
        divideBySpecial(this.#ring, second, a.level, second)
        this.#each(a.level, (t, p) => {
          kernels.addImage(at(c0, t), at(first, t), 4 * automorphism.rotation, automorphism.conjugate ? 1 : 0, slots, p)
        })
        return storeParts(this.#ring, [first, second], a.level, a.scale)
      })
    })
  }

  #linear(a: Ciphertext, b: Ciphertext, kernel: (...values: readonly number[]) => number): Ciphertext {
    assertSame(a, b)
    assertScales(a.scale, b.scale)
    if (a.parts.length !== b.parts.length) throw new IncompatibleOperandsError('they have different numbers of parts')
    return this.#run(() => {
      const [left, right] = [loadParts(this.#ring, a), loadParts(this.#ring, b)]
      this.#each(a.level, (t, p) => {
        left.forEach((part, i) => kernel(at(part, t), at(at(right, i), t), at(part, t), p, this.#ring.limbBytes))
      })
      return storeParts(this.#ring, left, a.level, a.scale)
    })
  }

  #plain(plaintext: Plaintext, level: number): Limbs {
    const limbs = allocateLimbs(this.#ring)
    const integers = allocateIntegers(this.#ring)
    writeIntegers(this.#ring, plaintext.coefficients, integers)
    integersToSlots(this.#ring, integers, this.#ring.arena.allocate(this.#ring.coefficientBytes), limbs, ciphertextLimbs(level))
    return limbs
  }

  // Stages stay in memory below everything that an operation allocates.
  #stage(name: string, build: () => Stage): Stage {
    const made = this.#stages.get(name) ?? build()
    this.#stages.set(name, made)
    return made
  }

  #each(level: number, run: (t: number, prime: number, inverse: number) => void): void {
    for (const t of ciphertextLimbs(level)) run(t, at(this.#ring.moduli, t).value, at(this.#ring.moduli, t).montgomeryInverse)
  }

  #run<T>(operation: () => T): T {
    const mark = this.#ring.arena.top
    try {
      return operation()
    } finally {
      this.#ring.arena.rewind(mark)
    }
  }
}

function assertSame(a: Ciphertext, b: Ciphertext): void {
  if (a.parameters !== b.parameters) throw new IncompatibleOperandsError('they belong to different parameter sets')
  if (a.level !== b.level) throw new IncompatibleOperandsError(`their levels are ${a.level} and ${b.level}`)
}

function assertScales(a: number, b: number): void {
  if (Math.abs(a - b) > scaleTolerance * Math.max(a, b)) throw new IncompatibleOperandsError('their scales differ')
}
