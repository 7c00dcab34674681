// Correlated randomness for inner products of shared vectors: Beaver, "Efficient Multiparty Protocols Using Circuit Randomization" (CRYPTO
// 1991), with one mask per vector instead of one triple per product. The dealer sees no secret; if it colludes with a prover, both learn all.
import type { RandomSource } from '../hedged-random.ts'
import { mod } from '../kernels/field.ts'
import { drawResidues, type Pair, splitVector } from './additive-shares.ts'

/** One prover's part: shares of a uniform mask per vector, and of the inner products of all masks. */
export type Correlation = { readonly masks: ReadonlyMap<number, readonly bigint[]>; readonly products: ReadonlyMap<string, bigint> }

/** The name of a product of two vectors. */
export function productKey(a: number, b: number): string {
  return a <= b ? `${a} ${b}` : `${b} ${a}`
}

/** <a, b>. */
export function innerProduct(a: readonly bigint[], b: readonly bigint[]): bigint {
  return mod(a.reduce((sum, value, k) => sum + value * (b[k] ?? 0n), 0n))
}

/** Deals for the vectors with these exponents, each of `columns` entries. For one proof only. */
export function dealCorrelation(exponents: readonly number[], columns: number, random: RandomSource): Pair<Correlation> {
  const masks = new Map(exponents.map((exponent) => [exponent, drawResidues(random, columns)]))
  const first = { masks: new Map<number, readonly bigint[]>(), products: new Map<string, bigint>() }
  const second = { masks: new Map<number, readonly bigint[]>(), products: new Map<string, bigint>() }
  for (const [exponent, mask] of masks) {
    const [a, b] = splitVector(mask, random)
    first.masks.set(exponent, a)
    second.masks.set(exponent, b)
  }
  for (const [a, x] of masks) {
    for (const [b, y] of masks) {
      if (a > b) continue
      const [p = [], q = []] = splitVector([innerProduct(x, y)], random)
      first.products.set(productKey(a, b), p[0] ?? 0n)
      second.products.set(productKey(a, b), q[0] ?? 0n)
    }
  }
  return [first, second]
}
