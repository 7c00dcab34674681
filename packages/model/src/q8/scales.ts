// From float32 scales to integers: docs/spec/q8.md, sections 3 (average pooling) and 4.
import { Q8UnsupportedError } from '../errors.ts'
import { quantizeValue } from '../interpret/quantized.ts'
import type { Q8Boundary, Q8Requantization } from './q8-model.ts'

const multiplierLimit = 2 ** 15
const maxShift = 40

/** M_c and s for real ratios r_c: the largest s in 1..40 for which every rounded M_c stays below 2^15. */
export function multipliersFor(ratios: readonly number[], where: string): { readonly multipliers: Int32Array; readonly shift: number } {
  const largest = Math.max(...ratios)
  if (!ratios.every((ratio) => Number.isFinite(ratio) && ratio >= 0))
    throw new Q8UnsupportedError(where, 'a scale is not finite', 'finite positive scales')
  for (let shift = maxShift; shift >= 1; shift--) {
    if (Math.floor(largest * 2 ** shift + 0.5) >= multiplierLimit) continue
    return { multipliers: Int32Array.from(ratios, (ratio) => Math.floor(ratio * 2 ** shift + 0.5)), shift }
  }
  throw new Q8UnsupportedError(where, 'its output scale is more than 16384 times finer than its accumulator', 'coarser output scales')
}

/** The requantisation for accumulators with ratios r_c and int32 biases b_c: B_c = M_c b_c. */
export function requantizationFor(ratios: readonly number[], biases: readonly number[], where: string): Q8Requantization {
  const { multipliers, shift } = multipliersFor(ratios, where)
  return { multipliers, biases: BigInt64Array.from(multipliers, (m, c) => BigInt(m) * BigInt(biases[c] ?? 0)), shift }
}

/** Exact rounding of acc / k, ties up, for |acc| <= 255 k. */
export function exactAverage(k: number, where: string): Q8Requantization {
  let shift = 13
  while (2 ** shift < 1024 * k * k) shift++
  if (shift > maxShift) throw new Q8UnsupportedError(where, `its window has ${k} positions`, 'windows of up to 32768 positions')
  return { multipliers: Int32Array.of(Math.floor(2 ** shift / k + 0.5)), biases: BigInt64Array.of(BigInt(128 * k)), shift }
}

/** An int32 bias at the accumulator's scale for a float one. */
export function quantizeBias(bias: number, accumulatorScale: number): number {
  return Math.floor(bias / accumulatorScale + 0.5)
}

/** table[d] = 4095 exp(-scale d), rounded: what a softmax of scores with this scale uses. */
export function exponentialTable(scale: number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, d) => Math.floor(4095 * Math.exp(-scale * d) + 0.5))
}

/** The integer epsilon of a layer normalisation of `size` values of this scale: epsilon (size / scale)^2 within 1..2^40. */
export function layerNormEpsilon(epsilon: number, scale: number, size: number): number {
  return Math.min(2 ** 40, Math.max(1, Math.floor(epsilon * (size / scale) ** 2 + 0.5)))
}

/** table[x + 128] = function of the real value, quantised to the output boundary with ties to even. */
export function functionTable(of: (x: number) => number, input: Q8Boundary, output: Q8Boundary): Int8Array {
  return Int8Array.from({ length: 256 }, (_, k) => {
    const x = input.scale * (k - 128 - input.zeroPoint)
    return quantizeValue(of(x), output.scale, output.zeroPoint, [output.lo, output.hi])
  })
}
