import { at, range } from './at.ts'
import {
  ciphertextLimbs,
  type DivisionBuffers,
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
  const { coefficients, digits, seconds } = ring.work
  shareOut(ring, ciphertextLimbs(level), (t) => toCoefficients(ring, at(polynomial, t), at(coefficients, t), t))
  const primes = digitPrimes(level)
  const buffers = primes.map((_, d): DivisionBuffers => ({ coefficients, second: at(seconds, d), third: 0 }))
  shareOut(ring, stretches(ring, primes.length), ({ item: d, offset, size }) => mixRadix(ring, at(primes, d), at(buffers, d), offset, size))
  const extended = extendedLimbs(ring, level)
  const jobs = primes.flatMap((own, d) => extended.filter((t) => !own.includes(t)).map((t) => ({ own, d, t })))
  shareOut(ring, jobs, ({ own, d, t }) => convertTo(ring, own, at(buffers, d), at(at(digits, d), t), t))
  return primes.map((own, d) => ring.moduli.map((_, t) => (own.includes(t) ? at(polynomial, t) : at(at(digits, d), t))))
}

/**
 * ModDown and rescale in one: divides by the product of the primes `dropped` (one to three of them, in slot order), rounded, for
 * the primes `kept`.
 */
export function divideRounded(ring: Ring, polynomial: Limbs, dropped: readonly number[], kept: readonly number[], out: Limbs): void {
  divideBoth(ring, [polynomial], dropped, kept, [out])
}

/** The same for one or two polynomials at once: more jobs per step than primes, which is what keeps several threads busy. */
export function divideBoth(
  ring: Ring,
  polynomials: readonly Limbs[],
  dropped: readonly number[],
  kept: readonly number[],
  outs: readonly Limbs[],
): void {
  const { divisions, limbs } = ring.work
  const pairs = (primes: readonly number[]) => primes.flatMap((t) => polynomials.map((_, i) => ({ i, t })))
  shareOut(ring, pairs(dropped), ({ i, t }) => toCoefficients(ring, at(at(polynomials, i), t), at(at(divisions, i).coefficients, t), t))
  shareOut(ring, stretches(ring, polynomials.length), ({ item, offset, size }) =>
    mixRadix(ring, dropped, at(divisions, item), offset, size),
  )
  shareOut(ring, pairs(kept), ({ i, t }) => {
    const rest = at(limbs, ring.crew.index)
    convertTo(ring, dropped, at(divisions, i), rest, t)
    const [w, quotient] = productFactor(ring, 'inverse', dropped, t)
    ring.kernels.subtractMultiply(
      at(at(polynomials, i), t),
      rest,
      at(at(outs, i), t),
      w,
      quotient,
      at(ring.moduli, t).value,
      ring.limbBytes,
    )
  })
}

/** ModDown: divides by P. */
export function divideBySpecial(ring: Ring, polynomial: Limbs, level: number, out: Limbs): void {
  divideRounded(ring, polynomial, specialLimbs(ring), ciphertextLimbs(level), out)
}

// Replaces the coefficients by the mixed-radix digits of (value + half the product), in place for the first prime.
function mixRadix(ring: Ring, primes: readonly number[], buffers: DivisionBuffers, offset: number, size: number): void {
  const { kernels, moduli } = ring
  const halves = primes.map((t) => productFactor(ring, 'half', primes, t)[0])
  const [a = 0, b, c] = primes
  const first = at(buffers.coefficients, a) + offset
  if (b === undefined) {
    kernels.addConstant(first, first, at(halves, 0), at(moduli, a).value, size)
    return
  }
  const second = buffers.second + offset
  const [w, q] = productFactor(ring, 'inverse', [a], b)
  const [pa, pb] = [at(moduli, a).value, at(moduli, b).value]
  kernels.garner2(first, at(buffers.coefficients, b) + offset, second, pa, pb, at(halves, 0), at(halves, 1), w, q, size)
  if (c === undefined) return
  const [wa, qa] = productFactor(ring, 'inverse', [a], c)
  const [wb, qb] = productFactor(ring, 'inverse', [b], c)
  const third = buffers.third + offset
  kernels.garner3(first, second, at(buffers.coefficients, c) + offset, third, at(moduli, c).value, at(halves, 2), wa, qa, wb, qb, size)
}

// The value behind the digits, less half the product again, transformed modulo the t-th prime.
function convertTo(ring: Ring, primes: readonly number[], { coefficients, second, third }: DivisionBuffers, limb: number, t: number): void {
  const { kernels, moduli, polyDegree } = ring
  const { forwardTables } = at(moduli, t)
  const [a = 0, b, c] = primes
  const first = at(coefficients, a)
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
  kernels.forwardFrom3(first, second, third, w, q, v, r, back, scratch, limb, polyDegree, forwardTables)
}

/** Stretches of the coefficients of so many items: at least one job per thread. Offsets and sizes are multiples of 64 bytes. */
function stretches(ring: Ring, items: number): readonly { readonly item: number; readonly offset: number; readonly size: number }[] {
  const parts = items >= ring.crew.count ? 1 : ring.crew.count
  const lines = ring.coefficientBytes / 64
  const start = (part: number): number => Math.floor((lines * part) / parts) * 64
  return range(items).flatMap((item) => range(parts).map((part) => ({ item, offset: start(part), size: start(part + 1) - start(part) })))
}
