import { at, range } from './at.ts'
import {
  ciphertextLimbs,
  extendedLimbs,
  type Limbs,
  productFactor,
  type Ring,
  scratchOf,
  shareOut,
  specialLimbs,
  toCoefficients,
} from './ring.ts'

// Cheon, Han, Kim, Kim, Song, "A Full RNS Variant of Approximate Homomorphic Encryption" (SAC 2018, ePrint 2018/931):
// ModUp is its Algorithm 1, ModDown its Algorithm 2. Unlike the paper the conversion is exact: digits of one to three primes
// go through mixed-radix (Garner) form, one modular product each, fused into the first pass of the forward transform. Exact
// means deterministic on every machine, and cheaper than the approximate sum for so few primes. Values are centred first (half
// the product is added and taken off again after the conversion): a digit with mean D/2 would be huge at slots near 1.

/** The primes of each key-switching digit at a level: pairs, the last one possibly alone. */
export function digitPrimes(level: number): readonly (readonly number[])[] {
  return range(Math.ceil(level / 2)).map((d) => range(Math.min(2, level - 2 * d)).map((i) => 2 * d + i))
}

/**
 * ModUp: the digits of a polynomial of that level, each modulo every prime of the extended basis. The primes of a digit itself
 * are taken from the input.
 */
export function raiseDigits(ring: Ring, polynomial: Limbs, level: number): readonly Limbs[] {
  const { coefficients, digits } = ring.work
  shareOut(ring, ciphertextLimbs(level), (t) => toCoefficients(ring, at(polynomial, t), at(coefficients, t), t))
  const primes = digitPrimes(level)
  forEachStretch(ring, (offset, size) => primes.forEach((own, d) => mixRadix(ring, own, d, offset, size)))
  const extended = extendedLimbs(ring, level)
  const jobs = primes.flatMap((own, d) => extended.filter((t) => !own.includes(t)).map((t) => ({ own, d, t })))
  shareOut(ring, jobs, ({ own, d, t }) => convertTo(ring, own, at(ring.work.seconds, d), at(at(digits, d), t), t))
  return primes.map((own, d) => ring.moduli.map((_, t) => (own.includes(t) ? at(polynomial, t) : at(at(digits, d), t))))
}

/**
 * ModDown and rescale in one: divides by the product of the primes `dropped` (one to three of them, in slot order), rounded, for
 * the primes `kept`.
 */
export function divideRounded(ring: Ring, polynomial: Limbs, dropped: readonly number[], kept: readonly number[], out: Limbs): void {
  const { coefficients, limbs } = ring.work
  shareOut(ring, dropped, (t) => toCoefficients(ring, at(polynomial, t), at(coefficients, t), t))
  forEachStretch(ring, (offset, size) => mixRadix(ring, dropped, 0, offset, size))
  shareOut(ring, kept, (t) => {
    const rest = at(limbs, ring.crew.index)
    convertTo(ring, dropped, at(ring.work.seconds, 0), rest, t)
    const [w, quotient] = productFactor(ring, 'inverse', dropped, t)
    ring.kernels.subtractMultiply(at(polynomial, t), rest, at(out, t), w, quotient, at(ring.moduli, t).value, ring.limbBytes)
  })
}

/** ModDown: divides by P. */
export function divideBySpecial(ring: Ring, polynomial: Limbs, level: number, out: Limbs): void {
  divideRounded(ring, polynomial, specialLimbs(ring), ciphertextLimbs(level), out)
}

// Replaces the coefficients by the mixed-radix digits of (value + half the product), in place for the first prime.
function mixRadix(ring: Ring, primes: readonly number[], d: number, offset: number, size: number): void {
  const { kernels, moduli, work } = ring
  const halves = primes.map((t) => productFactor(ring, 'half', primes, t)[0])
  const [a = 0, b, c] = primes
  const first = at(work.coefficients, a) + offset
  if (b === undefined) {
    kernels.addConstant(first, first, at(halves, 0), at(moduli, a).value, size)
    return
  }
  const second = at(work.seconds, d) + offset
  const [w, q] = productFactor(ring, 'inverse', [a], b)
  const [pa, pb] = [at(moduli, a).value, at(moduli, b).value]
  kernels.garner2(first, at(work.coefficients, b) + offset, second, pa, pb, at(halves, 0), at(halves, 1), w, q, size)
  if (c === undefined) return
  const [wa, qa] = productFactor(ring, 'inverse', [a], c)
  const [wb, qb] = productFactor(ring, 'inverse', [b], c)
  const third = work.third + offset
  kernels.garner3(first, second, at(work.coefficients, c) + offset, third, at(moduli, c).value, at(halves, 2), wa, qa, wb, qb, size)
}

// The value behind the digits, less half the product again, transformed modulo the t-th prime.
function convertTo(ring: Ring, primes: readonly number[], second: number, limb: number, t: number): void {
  const { kernels, moduli, polyDegree, work } = ring
  const { forwardTables } = at(moduli, t)
  const [a = 0, b, c] = primes
  const first = at(work.coefficients, a)
  const [back] = productFactor(ring, 'minusHalf', primes, t)
  const scratch = scratchOf(ring)
  if (b === undefined) {
    kernels.forwardFrom1(first, back, scratch, limb, polyDegree, forwardTables)
    return
  }
  const [w, q] = productFactor(ring, 'product', [a], t)
  if (c === undefined) {
    kernels.forwardFrom2(first, second, w, q, back, scratch, limb, polyDegree, forwardTables)
    return
  }
  const [v, r] = productFactor(ring, 'product', [a, b], t)
  kernels.forwardFrom3(first, second, work.third, w, q, v, r, back, scratch, limb, polyDegree, forwardTables)
}

/** Splits the coefficients between the crew, in multiples of 64 bytes. */
function forEachStretch(ring: Ring, run: (offset: number, size: number) => void): void {
  const { index, count, meet } = ring.crew
  const lines = ring.coefficientBytes / 64
  const from = Math.floor((lines * index) / count) * 64
  run(from, Math.floor((lines * (index + 1)) / count) * 64 - from)
  meet()
}
