import { type Automorphism, rotation } from '../ckks/automorphism.ts'
import { at, range } from '../internal/at.ts'

// One hoisted stage over g images costs a ModUp and a ModDown, about as much as five key products, plus g - 1 key products
// (measured: docs/spec/fhe.md, section on stages).
const stageCost = 5

/**
 * Splits "add all `steps` images under rotations by multiples of `period`, and conjugates if asked" into hoisted stages of 2, 4, 8
 * or 16 images, at the least cost. Hoisting: Halevi, Shoup, "Faster Homomorphic Linear Transformations in HElib" (CRYPTO 2018,
 * ePrint 2018/244). Strides grow and conjugation comes last; the widest stage comes first, where the
 * images lie closest together in memory (a tenth less time for the folds of 784-64-10).
 */
export function foldStages(slots: number, period: number, steps: number, withConjugates: boolean): readonly (readonly Automorphism[])[] {
  const bits = Math.log2(steps) + (withConjugates ? 1 : 0)
  let stride = period
  let left = steps
  return cheapestSplit(bits).map((width) => {
    const isLast = withConjugates && 2 * left === 2 ** width
    const rotations = range(isLast ? left : 2 ** width).map((k) => rotation(slots, k * stride))
    const images = isLast ? [...rotations, ...rotations.map((image) => ({ ...image, conjugate: true }))] : rotations
    stride *= rotations.length
    left /= rotations.length
    return images.slice(1)
  })
}

function cheapestSplit(bits: number): readonly number[] {
  const best: { readonly cost: number; readonly parts: readonly number[] }[] = [{ cost: 0, parts: [] }]
  for (let total = 1; total <= bits; total++) {
    const options = range(Math.min(4, total)).map((i) => {
      const width = i + 1
      const rest = at(best, total - width)
      return { cost: rest.cost + stageCost + 2 ** width - 1, parts: [...rest.parts, width].sort((a, b) => b - a) }
    })
    best.push(options.reduce((least, option) => (option.cost < least.cost ? option : least)))
  }
  return at(best, bits).parts
}
