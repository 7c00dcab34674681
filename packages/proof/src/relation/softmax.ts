// Softmax over rows of scores, in integers: d = maximum - x, e = table[d], Z = sum of e, p = round(255 e / Z). The prover commits per row
// to (c_0 .. c_(n-1), m): m is the maximum, c_s = e_s plus a marker 2^Zb where d = 0. The sum of a row's c holds Z in its low bits and
// the number of positions that reach the maximum above them: it is at least one, so m is attained. The idea of shifting by the
// maximum and of integer exponentials is that of I-BERT (Kim et al., ICML 2021); the exponential here is a table, not a polynomial.
import type { SoftmaxSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars } from '../kernels/scalars.ts'
import { ones } from './dense.ts'
import { FormBuilder, residues, total } from './forms.ts'
import type { Gate, LinearTerm, QuadraticTerm } from './gate.ts'
import { bitsFor, chunkCount, createIndexSpace, sumOf } from './index-space.ts'
import type { Relation } from './relation.ts'

/** Constraints of the softmax gate, by position. */
export const HIGH = 0
export const LOW = 1
export const MASK = 2
export const DIFFERENCE = 3
export const INDEX = 4
export const TABLE = 5
export const SUM = 6
export const DIVISION = 7
export const RANGE = 8
export const PROBABILITY = 9

/** Where the cells of one score sit, and the sizes that follow from the spec. */
export type SoftmaxCells = {
  /** One-hot nibbles of d at 0..15 and 16..31; then w = m - x in nine bits, two's complement. */
  readonly difference: number
  readonly flag: number
  readonly sum: number
  readonly sumBits: number
  readonly attained: number
  readonly attainedBits: number
  readonly probability: number
  readonly remainder: number
  readonly slack: number
  readonly count: number
}

/** The cells of the softmax gate. */
export function softmaxCells(spec: Pick<SoftmaxSpec, 'size' | 'table'>): SoftmaxCells {
  const largest = spec.size * Math.max(...spec.table)
  const sumBits = 32 - Math.clz32(largest)
  const attainedBits = bitsFor(spec.size)
  const sum = 32 + 9 + 1
  const probability = sum + sumBits + attainedBits
  const remainder = probability + 8
  const slack = remainder + sumBits + 1
  return {
    difference: 32,
    flag: 41,
    sum,
    sumBits,
    attained: sum + sumBits,
    attainedBits,
    probability,
    remainder,
    slack,
    count: slack + sumBits + 1,
  }
}

/** Whether a row of the given number may not see a position. */
export function isMasked(spec: Pick<SoftmaxSpec, 'mask' | 'rows' | 'size'>, row: number, position: number): boolean {
  return spec.mask === 'causal' && position > spec.size - spec.rows + row
}

/** Columns: u_0..15, the row sums of the table, v_0, sum u, sum v, index, w, flag, Z, the marked sum, p, r, r + slack. */
export function softmaxGate(spec: SoftmaxSpec): Gate {
  const cells = softmaxCells(spec)
  const marker = 1n << BigInt(cells.sumBits)
  const column = (entries: readonly (readonly [number, bigint])[]): bigint[] => {
    const weights = new Array<bigint>(cells.count).fill(0n)
    for (const [cell, weight] of entries) weights[cell] = weight
    return weights
  }
  const binary = (from: number, bits: number): (readonly [number, bigint])[] =>
    Array.from({ length: bits }, (_, k) => [from + k, 1n << BigInt(k)] as const)
  const nibble = (from: number, weight: (k: number) => bigint): (readonly [number, bigint])[] =>
    Array.from({ length: 16 }, (_, k) => [from + k, weight(k)] as const)
  const marked = (d: number): bigint => BigInt(spec.table[d] ?? 0) + (d === 0 ? marker : 0n)
  const columns = [
    ...Array.from({ length: 16 }, (_, a) => column([[a, 1n]])),
    ...Array.from({ length: 16 }, (_, a) => column(nibble(16, (b) => marked(16 * a + b)))),
    column([[16, 1n]]),
    column(nibble(0, () => 1n)),
    column(nibble(16, () => 1n)),
    column([...nibble(0, (a) => BigInt(16 * a)), ...nibble(16, BigInt)]),
    column([...binary(cells.difference, 8), [cells.difference + 8, -256n]]),
    column([[cells.flag, 1n]]),
    column(binary(cells.sum, cells.sumBits)),
    column(binary(cells.sum, cells.sumBits + cells.attainedBits)),
    column(binary(cells.probability, 8)),
    column(binary(cells.remainder, cells.sumBits + 1)),
    column([...binary(cells.remainder, cells.sumBits + 1), ...binary(cells.slack, cells.sumBits + 1)]),
  ]
  const [v0, sumU, sumV, index, w, flag, Z, C, p, r, both] = [32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42]
  const quadratic: QuadraticTerm[] = [
    ...Array.from(
      { length: 16 },
      (_, a): QuadraticTerm => ({
        a,
        b: 16 + a,
        coefficients: [
          [TABLE, 1n],
          [DIVISION, 510n],
        ],
      }),
    ),
    { a: 0, b: v0, coefficients: [[DIVISION, -510n * marker]] },
    { a: w, b: flag, coefficients: [[INDEX, 1n]] },
    { a: Z, b: p, coefficients: [[DIVISION, -2n]] },
  ]
  const linear: LinearTerm[] = [
    { a: sumU, coefficients: [[HIGH, 1n]] },
    { a: sumV, coefficients: [[LOW, 1n]] },
    { a: index, coefficients: [[INDEX, 1n]] },
    {
      a: w,
      coefficients: [
        [DIFFERENCE, 1n],
        [INDEX, -1n],
      ],
    },
    {
      a: flag,
      coefficients: [
        [HIGH, 1n],
        [MASK, 1n],
      ],
    },
    {
      a: Z,
      coefficients: [
        [DIVISION, 1n],
        [RANGE, 2n],
      ],
    },
    { a: C, coefficients: [[SUM, 1n]] },
    { a: p, coefficients: [[PROBABILITY, 1n]] },
    { a: r, coefficients: [[DIVISION, -1n]] },
    { a: both, coefficients: [[RANGE, -1n]] },
  ]
  return { cells: cells.count, columns, quadratic, linear, constraints: 10 }
}

/** The relation of a softmax. */
export function softmaxRelation(spec: SoftmaxSpec): Relation {
  const { rows, heads, size } = spec
  const layout = { groups: rows, length: heads * size, chunk: size }
  const space = createIndexSpace(layout, [size], spec.slots)
  const auxiliary = { groups: rows * heads, length: size + 1, chunk: size + 1 }
  const marker = 1n << BigInt(softmaxCells(spec).sumBits)
  return {
    space,
    gate: softmaxGate(spec),
    inputs: [layout],
    output: layout,
    weightRows: 0,
    linkColumns: 0,
    auxiliaries: [auxiliary],
    columns: size + 1,
    target: 0,
    vectorExponents: [0, 1, 2, 3],
    formExponents: [-3, -2, -1],
    hasProduct: false,
    wire: (kernels, weights, { lambda, psi }) => {
      const at = (constraint: number): bigint => lambda[constraint] ?? 0n
      const inRow = sumOf(kernels, weights.columns, size)
      const builder = new FormBuilder(kernels, size + 1, psi)
      builder.add(-1, { vector: weights.columns, count: size, scalar: at(PROBABILITY) })
      builder.add(-2, { vector: weights.columns, count: size, scalar: mod(-at(DIFFERENCE)) })
      // c_s is one entry of its row and a part of the row's sum; m belongs to every difference of the row
      const form = kernels.zeros(size + 1)
      kernels.x.axpy(form, placeScalars(kernels, [at(TABLE)]), weights.columns, size)
      kernels.x.axpy(form, placeScalars(kernels, [mod(at(SUM) * inRow)]), ones(kernels, size), size)
      kernels.x.axpy(form + SCALAR_BYTES * size, placeScalars(kernels, [mod(at(DIFFERENCE) * inRow)]), ones(kernels, 1), 1)
      builder.add(-3, { vector: form, count: size + 1, scalar: 1n })
      const perHead = sumOf(kernels, weights.chunksOfGroup, heads)
      const positions = residues(kernels, weights.columns, size)
      const masked = residues(kernels, weights.groups, rows).map(
        (e, row) => e * total(positions.filter((_, position) => isMasked(spec, row, position))),
      )
      const every = at(HIGH) + at(LOW) + at(RANGE) - at(SUM) * marker + 128n * at(PROBABILITY)
      const count = chunkCount(layout)
      return {
        contributions: (['output', 'input0', 'auxiliary'] as const).map((source, k) => ({
          exponent: k + 1,
          source,
          start: 0,
          stride: 1,
          count,
          scalars: weights.chunks,
        })),
        offsets: [],
        forms: builder.forms,
        quadratic: 0n,
        constant: mod(weights.sum * mod(every) + at(MASK) * mod(total(masked) * perHead)),
      }
    },
  }
}
