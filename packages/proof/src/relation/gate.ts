// Gates: what is checked about the cells of one output. All cells are bits. A gate is a quadratic polynomial without constant
// term in linear combinations of cells ("columns"), one part per constraint; constraint t is weighted by the challenge lambda_t.
// Section 4 of docs/spec/proofs.md shows for each gate that its cells determine the output.
import type { LayerRequantisation } from '@tacit/protocol'

/** Coefficients per constraint: the term counts with sum of coefficient * lambda. */
export type Coefficients = readonly (readonly [constraint: number, coefficient: bigint])[]

/** The product of two columns. */
export type QuadraticTerm = { readonly a: number; readonly b: number; readonly coefficients: Coefficients }

/** One column. */
export type LinearTerm = { readonly a: number; readonly coefficients: Coefficients }

/** The cells of one output and what they must satisfy. */
export type Gate = {
  readonly cells: number
  /** Weights of each column, one per cell. */
  readonly columns: readonly (readonly bigint[])[]
  readonly quadratic: readonly QuadraticTerm[]
  readonly linear: readonly LinearTerm[]
  /** Number of constraints, those without a term in the gate included. */
  readonly constraints: number
}

/** Constraints of the requantising gates, by position. */
export const ROUNDING = 0
export const CLAMP = 1
export const OUTPUT = 2
/** Extra constraint of the squaring gate: its input bits are the committed input. */
export const SQUARE_INPUT = 3

/** Weights of `width` bits whose sums are exactly 0..top: powers of two, the last one cut down. */
export function rangeWeights(top: number): readonly bigint[] {
  const width = 32 - Math.clz32(top)
  return Array.from({ length: width }, (_, k) => BigInt(k < width - 1 ? 2 ** k : top - (2 ** (width - 1) - 1)))
}

/** Positions of the cells of a requantised output: remainder, value, excess, sign. */
export type RequantisationCells = {
  readonly shift: number
  readonly range: readonly bigint[]
  readonly excessBits: number
  readonly count: number
}

/** The cells of a requantised output. */
export function requantisationCells(requantisation: LayerRequantisation): RequantisationCells {
  const range = rangeWeights(requantisation.high - requantisation.low)
  return {
    shift: requantisation.shift,
    range,
    excessBits: requantisation.excessBits,
    count: requantisation.shift + range.length + requantisation.excessBits + 1,
  }
}

/** v = 2^s (Y + (1 - 2 sigma) E) + r;  E (Y - R (1 - sigma)) = 0;  Y = y - low. Columns: Y, E, N = 2^s (Y + E) + r, sigma. */
export function requantisationGate(requantisation: LayerRequantisation): Gate {
  return squareOrNot(requantisation)
}

/** The same with v = M (U + offset)^2 + ..., where U are the eight bits of x + 128. Adds column U. */
export function squareGate(requantisation: LayerRequantisation, multiplier: bigint, offset: bigint): Gate {
  return squareOrNot(requantisation, { multiplier, offset })
}

function squareOrNot(requantisation: LayerRequantisation, square?: { readonly multiplier: bigint; readonly offset: bigint }): Gate {
  const { shift, range, excessBits, count } = requantisationCells(requantisation)
  const top = BigInt(requantisation.high - requantisation.low)
  const scale = 1n << BigInt(shift)
  const cells = count + (square === undefined ? 0 : 8)
  const column = (entries: readonly (readonly [number, bigint])[]): bigint[] => {
    const weights = new Array<bigint>(cells).fill(0n)
    for (const [cell, weight] of entries) weights[cell] = weight
    return weights
  }
  const value = range.map((weight, k) => [shift + k, weight] as const)
  const excess = Array.from({ length: excessBits }, (_, k) => [shift + range.length + k, 1n << BigInt(k)] as const)
  const remainder = Array.from({ length: shift }, (_, k) => [k, 1n << BigInt(k)] as const)
  const scaled = [...value, ...excess].map(([cell, weight]) => [cell, weight * scale] as const)
  const columns = [column(value), column(excess), column([...scaled, ...remainder]), column([[count - 1, 1n]])]
  const quadratic: QuadraticTerm[] = [
    { a: 1, b: 0, coefficients: [[CLAMP, 1n]] },
    {
      a: 1,
      b: 3,
      coefficients: [
        [CLAMP, top],
        [ROUNDING, -2n * scale],
      ],
    }, // prettier as one term: both multiply E sigma
  ]
  const linear: LinearTerm[] = [
    { a: 1, coefficients: [[CLAMP, -top]] },
    { a: 2, coefficients: [[ROUNDING, 1n]] },
    { a: 0, coefficients: [[OUTPUT, 1n]] },
  ]
  if (square === undefined) return { cells, columns, quadratic, linear, constraints: 3 }
  columns.push(column(Array.from({ length: 8 }, (_, k) => [count + k, 1n << BigInt(k)] as const)))
  quadratic.push({ a: 4, b: 4, coefficients: [[ROUNDING, -square.multiplier]] })
  linear.push({
    a: 4,
    coefficients: [
      [ROUNDING, -2n * square.multiplier * square.offset],
      [SQUARE_INPUT, 1n],
    ],
  })
  return { cells, columns, quadratic, linear, constraints: 4 }
}

/**
 * Maximum of `taps` values: D_k = y - x_k has eight bits; exactly one selector; sum of selector_k D_k = 0.
 * Constraints 0..taps-1 say what D_k is, `taps` counts the selectors, `taps + 1` is the product. Columns: D_k, selector_k, their count.
 */
export function maximumGate(taps: number): Gate {
  const cells = 9 * taps
  const column = (pick: (cell: number) => bigint): bigint[] => Array.from({ length: cells }, (_, cell) => pick(cell))
  const differences = Array.from({ length: taps }, (_, k) => column((cell) => (Math.floor(cell / 8) === k ? 1n << BigInt(cell % 8) : 0n)))
  const selectors = Array.from({ length: taps }, (_, k) => column((cell) => (cell === 8 * taps + k ? 1n : 0n)))
  return {
    cells,
    columns: [...differences, ...selectors, column((cell) => (cell >= 8 * taps ? 1n : 0n))],
    quadratic: Array.from({ length: taps }, (_, k) => ({ a: k, b: taps + k, coefficients: [[taps + 1, 1n]] as const })),
    linear: [
      ...Array.from({ length: taps }, (_, k) => ({ a: k, coefficients: [[k, 1n]] as const })),
      { a: 2 * taps, coefficients: [[taps, 1n]] as const },
    ],
    constraints: taps + 2,
  }
}

/** Constraints of the argmax gate; the last two have no term in the gate: they speak about the committed one-hot vector. */
export const SELECTOR = 0
export const DISTANCE = 1
export const WINNER = 2
export const ONE_HOT = 3
export const INDEX = 4

/** Cells: selector, eight bits of D = maximum - y_k - [k before the winner]. selector D = 0. Columns: D, selector. */
export function argmaxGate(): Gate {
  return {
    cells: 9,
    columns: [
      [0n, ...Array.from({ length: 8 }, (_, k) => 1n << BigInt(k))],
      [1n, ...new Array<bigint>(8).fill(0n)],
    ],
    quadratic: [{ a: 0, b: 1, coefficients: [[WINNER, 1n]] }],
    linear: [
      { a: 1, coefficients: [[SELECTOR, 1n]] },
      { a: 0, coefficients: [[DISTANCE, 1n]] },
    ],
    constraints: 5,
  }
}

/** Constraints of the table gate. */
export const HIGH_ONE_HOT = 0
export const LOW_ONE_HOT = 1
export const TABLE_INPUT = 2
export const TABLE_OUTPUT = 3

/**
 * y = table[x + 128] by two one-hot nibbles u, v of x + 128: sum u = sum v = 1, 16 sum a u_a + sum b v_b = x + 128,
 * sum_a u_a (sum_b table[16 a + b] v_b) = y. Cells: u, v. Columns: u_a, then the row sums, sum u, sum v, the index.
 */
export function tableGate(table: readonly number[]): Gate {
  const unit = (pick: (cell: number) => number): bigint[] => Array.from({ length: 32 }, (_, cell) => BigInt(pick(cell)))
  const high = Array.from({ length: 16 }, (_, a) => unit((cell) => (cell === a ? 1 : 0)))
  const rows = Array.from({ length: 16 }, (_, a) => unit((cell) => (cell < 16 ? 0 : (table[16 * a + cell - 16] ?? 0))))
  return {
    cells: 32,
    columns: [
      ...high,
      ...rows,
      unit((cell) => (cell < 16 ? 1 : 0)),
      unit((cell) => (cell < 16 ? 0 : 1)),
      unit((cell) => (cell < 16 ? 16 * cell : cell - 16)),
    ],
    quadratic: Array.from({ length: 16 }, (_, a) => ({ a, b: 16 + a, coefficients: [[TABLE_OUTPUT, 1n]] as const })),
    linear: [HIGH_ONE_HOT, LOW_ONE_HOT, TABLE_INPUT].map((constraint, k) => ({ a: 32 + k, coefficients: [[constraint, 1n]] as const })),
    constraints: 4,
  }
}

/** The coefficient of a term for given challenges. */
export function weigh(coefficients: Coefficients, lambda: readonly bigint[]): bigint {
  return coefficients.reduce((sum, [constraint, coefficient]) => sum + coefficient * (lambda[constraint] ?? 0n), 0n)
}
