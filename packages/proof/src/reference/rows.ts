// Sections 4 and 5 of docs/spec/proofs.md for the kinds that work on whole rows: softmax and layer normalisation.
import type { LayerNormSpec, SoftmaxSpec } from '@tacit/protocol'
import { mod } from './arithmetic.ts'
import type { Challenges, Shape, Term, Weights, Wires } from './layer.ts'

type Parts = readonly [quadratic: bigint, linear: bigint]
type RowShape = Pick<
  Shape,
  'groups' | 'length' | 'chunk' | 'axes' | 'slots' | 'cells' | 'constraints' | 'columns' | 'vectors' | 'forms' | 'auxiliary'
>

const bitLength = (n: bigint): number => n.toString(2).length
const binary = (cells: readonly bigint[]): bigint => cells.reduce((sum, cell, k) => sum + cell * (1n << BigInt(k)), 0n)
const total = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n)
const numbers = (values: readonly bigint[]): ReadonlyMap<number, bigint> => new Map(values.map((value, k) => [k, mod(value)]))
/** Cuts consecutive groups of cells off. */
function cutter(cells: readonly bigint[]): (n: number) => readonly bigint[] {
  let at = 0
  return (n) => {
    at += n
    return cells.slice(at - n, at)
  }
}

// Bits of Z, and of the number of positions that attain the maximum, less one.
function softmaxBits(spec: SoftmaxSpec): { readonly sum: number; readonly attained: number } {
  return { sum: bitLength(BigInt(spec.size) * BigInt(Math.max(...spec.table))), attained: Math.ceil(Math.log2(spec.size)) }
}

/** Sizes of a softmax. */
export function softmaxShape(spec: SoftmaxSpec): RowShape {
  const { sum, attained } = softmaxBits(spec)
  return {
    groups: spec.rows,
    length: spec.heads * spec.size,
    chunk: spec.size,
    axes: [spec.size],
    slots: spec.slots,
    cells: 32 + 9 + 1 + sum + attained + 8 + 2 * (sum + 1),
    constraints: 10,
    columns: spec.size + 1,
    vectors: [0, 1, 2, 3],
    forms: [-1, -2, -3],
    auxiliary: [spec.rows * spec.heads],
  }
}

/** The softmax gate of one slot, without its bit checks. */
export function softmaxParts(spec: SoftmaxSpec, b: readonly bigint[], lambda: readonly bigint[]): Parts {
  const l = (k: number): bigint => lambda[k] ?? 0n
  const bits = softmaxBits(spec)
  const take = cutter(b)
  const [u, v, difference] = [take(16), take(16), take(9)]
  const [flag = 0n] = take(1)
  const [Z, attained, p] = [binary(take(bits.sum)), binary(take(bits.attained)), binary(take(8))]
  const [remainder, slack] = [binary(take(bits.sum + 1)), binary(take(bits.sum + 1))]
  const marker = 1n << BigInt(bits.sum)
  const w = binary(difference.slice(0, 8)) - 256n * (difference[8] ?? 0n)
  const entry = (pick: (d: number) => bigint): bigint => total(u.map((high, a) => high * total(v.map((low, k) => low * pick(16 * a + k)))))
  const e = entry((d) => BigInt(spec.table[d] ?? 0))
  const marked = e + marker * (u[0] ?? 0n) * (v[0] ?? 0n)
  const index = total(u.map((high, a) => 16n * BigInt(a) * high)) + total(v.map((low, k) => BigInt(k) * low))
  return [
    l(4) * w * flag + l(5) * marked + l(7) * (510n * e - 2n * Z * p),
    l(0) * (total(u) + flag) +
      l(1) * total(v) +
      l(2) * flag +
      l(3) * w +
      l(4) * (index - w) +
      l(6) * (Z + marker * attained) +
      l(7) * (Z - remainder) +
      l(8) * (2n * Z - remainder - slack) +
      l(9) * p,
  ]
}

/** The wires of a softmax. */
export function softmaxWires(
  spec: SoftmaxSpec,
  weights: Weights,
  challenges: Challenges,
  pad: (form: readonly bigint[]) => readonly bigint[],
): Wires {
  const l = (k: number): bigint => challenges.lambda[k] ?? 0n
  const { rows, heads, size } = spec
  const e = weights.columns
  const inRow = total(e)
  const perRow = numbers(weights.groups.flatMap((t) => weights.chunks.map((h) => t * h)))
  const terms: Term[] = (['output', 'input0', 'auxiliary'] as const).map((source, k) => ({ exponent: k + 1, source, scalars: perRow }))
  let masked = 0n
  for (let t = 0; t < rows; t++)
    for (let h = 0; h < heads; h++)
      for (let s = 0; s < size; s++)
        if (spec.mask === 'causal' && s > size - rows + t)
          masked += mod((weights.groups[t] ?? 0n) * (weights.chunks[h] ?? 0n)) * (e[s] ?? 0n)
  const marker = 1n << BigInt(softmaxBits(spec).sum)
  const forms = new Map<number, readonly bigint[]>()
  forms.set(-1, pad(e.map((value) => l(9) * value)))
  forms.set(-2, pad(e.map((value) => -l(3) * value)))
  forms.set(-3, pad([...e.map((value) => l(5) * value + l(6) * inRow), l(3) * inRow]))
  const constant = weights.total * (l(0) + l(1) + l(8) + 128n * l(9) - marker * l(6)) + l(2) * masked
  return { terms, offsets: new Map(), forms, quadratic: 0n, constant: mod(constant) }
}

// Bits of c with its sign, of sigma, of |X|, of a digit; digits per slack; bits of Y.
function layerNormBits(spec: LayerNormSpec) {
  const d = BigInt(spec.size)
  const centre = bitLength(255n * d) + 1
  const most = 16_257n * d * d + BigInt(spec.epsilon)
  // sigma < 2^root: ceil(sqrt(most)) + 1 has that many bits
  let ceiling = BigInt(Math.ceil(Math.sqrt(Number(most))))
  while (ceiling * ceiling < most) ceiling++
  while ((ceiling - 1n) * (ceiling - 1n) >= most) ceiling--
  const root = bitLength(ceiling + 1n)
  let digit = 1
  while (2 * Math.ceil((root + 1) / digit) > spec.chunk) digit++
  const excess = bitLength(BigInt(2 * spec.gain * Math.ceil(Math.sqrt(spec.size)) + 512))
  return { centre, root, digit, excess, digits: Math.ceil((root + 1) / digit), value: 32 - Math.clz32(spec.high - spec.low) }
}

/** Sizes of a layer normalisation. */
export function layerNormShape(spec: LayerNormSpec): RowShape {
  const { centre, root, digit, excess, value } = layerNormBits(spec)
  const chunks = (spec.rows * spec.size) / spec.chunk
  return {
    groups: spec.rows,
    length: spec.size,
    chunk: spec.chunk,
    axes: [spec.chunk],
    slots: spec.slots,
    cells: centre + root + value + excess + 1 + 2 * (root + 1) + digit,
    constraints: 9,
    columns: spec.chunk,
    vectors: [0, 1, 2, 3, 4, 5, 6, 7],
    forms: [-1, -2, -3, -4, -5, -6, -7],
    auxiliary: [chunks, chunks],
  }
}

/** The layer normalisation gate of one slot, without its bit checks. */
export function layerNormParts(spec: LayerNormSpec, b: readonly bigint[], lambda: readonly bigint[]): Parts {
  const l = (k: number): bigint => lambda[k] ?? 0n
  const bits = layerNormBits(spec)
  const R = BigInt(spec.high - spec.low)
  const take = cutter(b)
  const signed = (cells: readonly bigint[]): bigint => binary(cells.slice(0, -1)) - (cells.at(-1) ?? 0n) * (1n << BigInt(cells.length - 1))
  const c = signed(take(bits.centre))
  const sigma = binary(take(bits.root))
  const value = take(bits.value)
  const Y = binary(value.slice(0, -1)) + (value.at(-1) ?? 0n) * (R - (1n << BigInt(bits.value - 1)) + 1n)
  const excess = take(bits.excess + 1)
  const [X, sign] = [signed(excess), excess.at(-1) ?? 0n]
  const [remainder, slack, digit] = [binary(take(bits.root + 1)), binary(take(bits.root + 1)), binary(take(bits.digit))]
  return [
    l(1) * c * c + l(2) * BigInt(spec.size) * sigma * sigma + l(5) * 2n * sigma * (Y + X) + l(6) * X * (Y + R * sign),
    l(0) * c +
      l(3) * 2n * sigma +
      l(4) * digit +
      l(5) * (remainder - 2n * BigInt(spec.gain) * c - (1n + 2n * BigInt(spec.zeroPoint - spec.low)) * sigma) -
      l(6) * R * X +
      l(7) * (2n * sigma - remainder - slack) +
      l(8) * Y,
  ]
}

/** The wires of a layer normalisation: every vector is as long as a chunk, so nothing is surplus. */
export function layerNormWires(spec: LayerNormSpec, weights: Weights, challenges: Challenges): Wires {
  const l = (k: number): bigint => challenges.lambda[k] ?? 0n
  const { chunk } = spec
  const d = BigInt(spec.size)
  const { digits, digit } = layerNormBits(spec)
  const e = weights.columns
  const perGroup = weights.chunks.length
  const inRow = mod(total(weights.chunks) * total(e))
  const each = numbers(weights.groups.flatMap((t) => weights.chunks.map((a) => t * a)))
  const rows = numbers(weights.groups.flatMap((t) => weights.chunks.map(() => t)))
  const first = new Map(weights.groups.map((t, k) => [k * perGroup, mod(t)]))
  const terms: Term[] = [
    { exponent: 1, source: 'output', scalars: each },
    { exponent: 2, source: 'input0', scalars: each },
    { exponent: 3, source: 'input0', scalars: rows },
    { exponent: 4, source: 'auxiliary', scalars: each },
    { exponent: 5, source: 'auxiliary', scalars: rows },
    { exponent: 6, source: 'auxiliary1', scalars: each },
    { exponent: 7, source: 'auxiliary1', scalars: first },
  ]
  const times = (scalar: bigint): readonly bigint[] => e.map((value) => mod(scalar * value))
  const everywhere = (scalar: bigint): readonly bigint[] => new Array<bigint>(chunk).fill(mod(scalar))
  const slacks = Array.from({ length: chunk }, (_, k) => {
    if (k >= 2 * digits) return 0n
    const weight = 1n << BigInt(digit * (k % digits))
    return mod(inRow * weight * (k < digits ? l(3) - d * l(2) : l(3)))
  })
  const forms = new Map([
    [-1, times(l(8))],
    [-2, times(l(0) * d)],
    [-3, everywhere(-l(0) * inRow)],
    [-4, times(l(1))],
    [-5, everywhere(l(2) * inRow)],
    [-6, times(l(4))],
    [-7, slacks],
  ])
  const constant = weights.total * (l(2) * d * BigInt(spec.epsilon) + l(7) - BigInt(spec.low) * l(8))
  return { terms, offsets: new Map(), forms, quadratic: 0n, constant: mod(constant) }
}
