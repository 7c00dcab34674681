import { at } from '../internal/at.ts'
import { type Limbs, type Ring, toSlots } from '../internal/ring.ts'
import { embed, type SlotValues } from './embedding.ts'

/** An integer polynomial: whole numbers of magnitude below 2^53 in a Float64Array, lowest power first. */
export type IntegerPolynomial = Float64Array

/** Slots times the scale, as an integer polynomial. Floating point happens here and in decoding, nowhere else. */
export function encodeSlots(polyDegree: number, values: SlotValues, scale: number): IntegerPolynomial {
  const coefficients = embed(polyDegree, values)
  for (let i = 0; i < coefficients.length; i++) coefficients[i] = Math.round((coefficients[i] as number) * scale) + 0
  return coefficients
}

/** Space for one integer polynomial in working memory. */
export function allocateIntegers(ring: Ring): number {
  return ring.arena.allocate(8 * ring.polyDegree)
}

/** Copies an integer polynomial into working memory. */
export function writeIntegers(ring: Ring, polynomial: IntegerPolynomial, address: number): void {
  new Float64Array(ring.arena.memory.buffer, address, ring.polyDegree).set(polynomial)
}

/** Integer polynomial in working memory -> slots modulo the given primes; `buffer` is a coefficient buffer. */
export function integersToSlots(ring: Ring, integers: number, buffer: number, limbs: Limbs, primes: readonly number[]): void {
  for (const t of primes) {
    ring.kernels.liftDouble(integers, buffer, at(ring.moduli, t).value, ring.polyDegree)
    toSlots(ring, buffer, at(limbs, t), t)
  }
}
