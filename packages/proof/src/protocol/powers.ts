import { invert, power } from '../kernels/field.ts'

/** c^k for positive and negative k. */
export function powers(c: bigint): (exponent: number) => bigint {
  const inverse = invert(c)
  const known = new Map<number, bigint>()
  return (exponent) => {
    const found = known.get(exponent) ?? power(exponent < 0 ? inverse : c, BigInt(Math.abs(exponent)))
    known.set(exponent, found)
    return found
  }
}
