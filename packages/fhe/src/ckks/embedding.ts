import { at } from '../internal/at.ts'
import { powersOfFive, reverseBits } from '../internal/modular.ts'
import { unitRoots } from '../internal/unit-roots.ts'

/** Complex values, one per slot; a missing imaginary part is zero. */
export type SlotValues = { readonly real: ArrayLike<number>; readonly imaginary?: ArrayLike<number> }

type Twiddles = { readonly real: Float64Array; readonly imaginary: Float64Array; readonly order: Int32Array }

const known = new Map<number, Twiddles>()

// Cheon, Kim, Kim, Song, "Homomorphic Encryption for Arithmetic of Approximate Numbers" (ASIACRYPT 2017, ePrint 2016/421),
// section 2.2: the canonical embedding restricted to the powers 5^j. Evaluated on the same tree as the number-theoretic
// transform (internal/transform-tables.ts), with the real part in the lower half of the coefficients, the imaginary in the upper.

/** Slots -> real polynomial coefficients (the inverse embedding), not yet scaled or rounded. */
export function embed(polyDegree: number, { real, imaginary }: SlotValues): Float64Array {
  const half = polyDegree / 2
  const { real: wr, imaginary: wi, order } = twiddles(polyDegree)
  const [re, im] = [new Float64Array(half), new Float64Array(half)]
  for (let j = 0; j < half; j++) {
    re[at(order, j)] = real[j] ?? 0
    im[at(order, j)] = imaginary?.[j] ?? 0
  }
  for (let m = half / 2, t = 1; m >= 1; m /= 2, t *= 2) {
    for (let i = 0; i < m; i++) backward(re, im, 2 * i * t, t, at(wr, m + i), -at(wi, m + i))
  }
  const coefficients = new Float64Array(polyDegree)
  for (let j = 0; j < half; j++) {
    coefficients[j] = at(re, j) / half
    coefficients[j + half] = at(im, j) / half
  }
  return coefficients
}

/** Real polynomial coefficients -> slots. */
export function evaluateSlots(
  polyDegree: number,
  coefficients: ArrayLike<number>,
): { readonly real: Float64Array; readonly imaginary: Float64Array } {
  const half = polyDegree / 2
  const { real: wr, imaginary: wi, order } = twiddles(polyDegree)
  const [re, im] = [new Float64Array(half), new Float64Array(half)]
  for (let j = 0; j < half; j++) {
    re[j] = coefficients[j] ?? 0
    im[j] = coefficients[j + half] ?? 0
  }
  for (let m = 1, t = half / 2; m < half; m *= 2, t /= 2) {
    for (let i = 0; i < m; i++) onward(re, im, 2 * i * t, t, at(wr, m + i), at(wi, m + i))
  }
  return { real: re.map((_, j) => at(re, at(order, j))), imaginary: im.map((_, j) => at(im, at(order, j))) }
}

// Typed-array reads in these two loops are in bounds by construction; `as number` states it without a check per element.
function backward(re: Float64Array, im: Float64Array, start: number, t: number, wr: number, wi: number): void {
  for (let j = start; j < start + t; j++) {
    const [ar, ai, br, bi] = [re[j] as number, im[j] as number, re[j + t] as number, im[j + t] as number]
    re[j] = ar + br
    im[j] = ai + bi
    re[j + t] = (ar - br) * wr - (ai - bi) * wi
    im[j + t] = (ar - br) * wi + (ai - bi) * wr
  }
}

function onward(re: Float64Array, im: Float64Array, start: number, t: number, wr: number, wi: number): void {
  for (let j = start; j < start + t; j++) {
    const [cr, ci] = [re[j + t] as number, im[j + t] as number]
    const [br, bi] = [cr * wr - ci * wi, cr * wi + ci * wr]
    re[j + t] = (re[j] as number) - br
    im[j + t] = (im[j] as number) - bi
    re[j] = (re[j] as number) + br
    im[j] = (im[j] as number) + bi
  }
}

function twiddles(polyDegree: number): Twiddles {
  const made = known.get(polyDegree) ?? buildTwiddles(polyDegree)
  known.set(polyDegree, made)
  return made
}

function buildTwiddles(n: number): Twiddles {
  const half = n / 2
  const { cosines, sines } = unitRoots(n)
  const fives = powersOfFive(n)
  const [real, imaginary, order] = [new Float64Array(half), new Float64Array(half), new Int32Array(half)]
  for (let m = 1, level = 0; m < half; m *= 2, level++) {
    for (let i = 0; i < m; i++) {
      const e = (at(fives, reverseBits(i, level)) * (half / (2 * m))) % (2 * n)
      real[m + i] = at(cosines, e)
      imaginary[m + i] = at(sines, e)
    }
  }
  for (let j = 0; j < half; j++) order[j] = reverseBits(j, Math.log2(half))
  return { real, imaginary, order }
}
