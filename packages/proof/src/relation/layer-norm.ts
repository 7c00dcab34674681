// Layer normalisation of rows of d values, exact but for one rounding: c_j = d x_j - sum x, W = (sum of c^2) / d + epsilon = d^2 (variance) +
// epsilon, sigma = floor(sqrt(W)), y = clamp(floor((2 gain c + sigma) / (2 sigma)) + z). The prover commits to q_j = c_j^2 and to small
// numbers b_j of each row whose first ones are the digits of the two slacks W - sigma^2 and 2 sigma - (W - sigma^2): a number that a row needs
// once takes one digit per value this way, not a copy in each of the row's d gates. An integer square root in place of a floating one is
// I-BERT's (Kim et al., ICML 2021); here it is shown by two inequalities, not computed.
import type { LayerNormSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { placeScalars } from '../kernels/scalars.ts'
import { ones } from './dense.ts'
import { FormBuilder } from './forms.ts'
import { type Gate, rangeWeights } from './gate.ts'
import { chunkCount, createIndexSpace, sumOf } from './index-space.ts'
import type { Contribution, Relation, Source } from './relation.ts'

/** Constraints of the layer normalisation gate, by position. */
export const CENTRE = 0
export const SQUARE = 1
export const ROOT = 2
export const SLACK = 3
export const DIGIT = 4
export const QUOTIENT = 5
export const CLAMPED = 6
export const REMAINDER = 7
export const VALUE = 8

/** Where the cells of one value sit, and the sizes that follow from the spec. */
export type LayerNormCells = {
  /** c at 0, two's complement: `centreBits` with the sign. */
  readonly centreBits: number
  readonly root: number
  readonly rootBits: number
  readonly value: number
  readonly range: readonly bigint[]
  /** The excess in two's complement: `excessBits` and a sign. */
  readonly excess: number
  readonly excessBits: number
  /** Remainder and slack of the division, `rootBits + 1` each. */
  readonly remainder: number
  readonly slack: number
  readonly digit: number
  readonly digitBits: number
  /** Digits per slack of the root. */
  readonly digits: number
  readonly count: number
}

// every number here is below 2^22
const bitLength = (value: number): number => 32 - Math.clz32(value)

/** The cells of the layer normalisation gate. */
export function layerNormCells(spec: LayerNormSpec): LayerNormCells {
  const { size, chunk, gain, epsilon } = spec
  const centreBits = bitLength(255 * size) + 1
  // the variance of int8 values is at most 127.5^2
  const rootBits = bitLength(Math.ceil(Math.sqrt(16_257 * size * size + epsilon)) + 1)
  let digitBits = 1
  while (2 * Math.ceil((rootBits + 1) / digitBits) > chunk) digitBits++
  const range = rangeWeights(spec.high - spec.low)
  // |c| / sigma < sqrt(3 size), for sigma >= sqrt(W / 3) and c^2 <= (size - 1) W
  const excessBits = bitLength(2 * gain * Math.ceil(Math.sqrt(size)) + 512)
  const root = centreBits
  const value = root + rootBits
  const excess = value + range.length
  const remainder = excess + excessBits + 1
  const slack = remainder + rootBits + 1
  const digit = slack + rootBits + 1
  return {
    centreBits,
    root,
    rootBits,
    value,
    range,
    excess,
    excessBits,
    remainder,
    slack,
    digit,
    digitBits,
    digits: Math.ceil((rootBits + 1) / digitBits),
    count: digit + digitBits,
  }
}

/** Columns: c, sigma, Y, X, Y + X, the sign of X, remainder, remainder + slack, digit. */
export function layerNormGate(spec: LayerNormSpec): Gate {
  const cells = layerNormCells(spec)
  const top = BigInt(spec.high - spec.low)
  const column = (...entries: readonly (readonly [number, bigint])[]): bigint[] => {
    const weights = new Array<bigint>(cells.count).fill(0n)
    for (const [cell, weight] of entries) weights[cell] = weight
    return weights
  }
  const binary = (from: number, bits: number): (readonly [number, bigint])[] =>
    Array.from({ length: bits }, (_, k) => [from + k, 1n << BigInt(k)] as const)
  const signed = (from: number, bits: number): (readonly [number, bigint])[] => [
    ...binary(from, bits - 1),
    [from + bits - 1, -(1n << BigInt(bits - 1))],
  ]
  const value = cells.range.map((weight, k) => [cells.value + k, weight] as const)
  const excess = signed(cells.excess, cells.excessBits + 1)
  const remainder = binary(cells.remainder, cells.rootBits + 1)
  return {
    cells: cells.count,
    columns: [
      column(...signed(0, cells.centreBits)),
      column(...binary(cells.root, cells.rootBits)),
      column(...value),
      column(...excess),
      column(...value, ...excess),
      column([cells.excess + cells.excessBits, 1n]),
      column(...remainder),
      column(...remainder, ...binary(cells.slack, cells.rootBits + 1)),
      column(...binary(cells.digit, cells.digitBits)),
    ],
    quadratic: [
      { a: 0, b: 0, coefficients: [[SQUARE, 1n]] },
      { a: 1, b: 1, coefficients: [[ROOT, BigInt(spec.size)]] },
      { a: 1, b: 4, coefficients: [[QUOTIENT, 2n]] },
      { a: 3, b: 2, coefficients: [[CLAMPED, 1n]] },
      { a: 3, b: 5, coefficients: [[CLAMPED, top]] },
    ],
    linear: [
      {
        a: 0,
        coefficients: [
          [CENTRE, 1n],
          [QUOTIENT, BigInt(-2 * spec.gain)],
        ],
      },
      {
        a: 1,
        coefficients: [
          [SLACK, 2n],
          [QUOTIENT, BigInt(-1 - 2 * (spec.zeroPoint - spec.low))],
          [REMAINDER, 2n],
        ],
      },
      { a: 2, coefficients: [[VALUE, 1n]] },
      { a: 3, coefficients: [[CLAMPED, -top]] },
      { a: 6, coefficients: [[QUOTIENT, 1n]] },
      { a: 7, coefficients: [[REMAINDER, -1n]] },
      { a: 8, coefficients: [[DIGIT, 1n]] },
    ],
    constraints: 9,
  }
}

/** The relation of a layer normalisation. */
export function layerNormRelation(spec: LayerNormSpec): Relation {
  const { rows, size, chunk } = spec
  const layout = { groups: rows, length: size, chunk }
  const space = createIndexSpace(layout, [chunk], spec.slots)
  const { digits, digitBits } = layerNormCells(spec)
  const powers = [1, 2, 3, 4, 5, 6, 7]
  return {
    space,
    gate: layerNormGate(spec),
    inputs: [layout],
    output: layout,
    weightRows: 0,
    linkColumns: 0,
    auxiliaries: [layout, layout],
    columns: chunk,
    target: 0,
    vectorExponents: [0, ...powers],
    formExponents: powers.map((power) => -power),
    hasProduct: false,
    wire: (kernels, weights, { lambda, psi }) => {
      const at = (constraint: number): bigint => lambda[constraint] ?? 0n
      const d = BigInt(size)
      const inRow = mod(sumOf(kernels, weights.chunksOfGroup, space.chunksPerGroup) * sumOf(kernels, weights.columns, chunk))
      const all = ones(kernels, chunk)
      // the digits of the first slack count against the root, those of both make up 2 sigma
      const digit = Array.from({ length: 2 * digits }, (_, k) => {
        const weight = 1n << BigInt(digitBits * (k % digits))
        return mod(inRow * weight * (at(SLACK) - (k < digits ? d * at(ROOT) : 0n)))
      })
      const builder = new FormBuilder(kernels, chunk, psi)
      builder.add(-1, { vector: weights.columns, count: chunk, scalar: at(VALUE) })
      builder.add(-2, { vector: weights.columns, count: chunk, scalar: mod(d * at(CENTRE)) })
      builder.add(-3, { vector: all, count: chunk, scalar: mod(-inRow * at(CENTRE)) })
      builder.add(-4, { vector: weights.columns, count: chunk, scalar: at(SQUARE) })
      builder.add(-5, { vector: all, count: chunk, scalar: mod(inRow * at(ROOT)) })
      builder.add(-6, { vector: weights.columns, count: chunk, scalar: at(DIGIT) })
      const digitForm = placeScalars(kernels, [...digit, ...new Array<bigint>(chunk - digit.length).fill(0n)])
      builder.add(-7, { vector: digitForm, count: chunk, scalar: 1n })
      const count = chunkCount(layout)
      const each = (exponent: number, source: Source): Contribution => ({
        exponent,
        source,
        start: 0,
        stride: 1,
        count,
        scalars: weights.chunks,
      })
      const chunks = Array.from({ length: space.chunksPerGroup }, (_, k) => k)
      const whole = (exponent: number, source: Source, of = chunks): Contribution[] =>
        of.map((start) => ({ exponent, source, start, stride: space.chunksPerGroup, count: rows, scalars: weights.groups }))
      return {
        contributions: [
          each(1, 'output'),
          each(2, 'input0'),
          ...whole(3, 'input0'),
          each(4, 'auxiliary'),
          ...whole(5, 'auxiliary'),
          each(6, 'auxiliary1'),
          ...whole(7, 'auxiliary1', [0]),
        ],
        offsets: [],
        forms: builder.forms,
        quadratic: 0n,
        constant: mod(weights.sum * mod(d * BigInt(spec.epsilon) * at(ROOT) + at(REMAINDER) - BigInt(spec.low) * at(VALUE))),
      }
    },
  }
}
