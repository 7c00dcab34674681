// Layers that work element by element on one or two committed tensors with public multipliers.
import type { AddSpec, ElementwiseSpec, LayerRequantisation, TableSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { FormBuilder } from './forms.ts'
import {
  type Gate,
  HIGH_ONE_HOT,
  LOW_ONE_HOT,
  OUTPUT,
  ROUNDING,
  requantisationGate,
  SQUARE_INPUT,
  squareGate,
  TABLE_INPUT,
  TABLE_OUTPUT,
  tableGate,
} from './gate.ts'
import { chunkCount, createIndexSpace } from './index-space.ts'
import type { Relation, Source } from './relation.ts'
import { roundingConstant } from './rounding.ts'

type Sizes = { readonly size: number; readonly chunk: number; readonly slots: number }
/** How much of lambda an input's form carries, and the constant of v and of the other constraints. */
type Terms = {
  readonly output: number
  readonly forms: (lambda: readonly bigint[]) => readonly bigint[]
  readonly constant: (lambda: readonly bigint[]) => bigint
}

function elementwise(sizes: Sizes, gate: Gate, terms: Terms, sources: readonly Source[]): Relation {
  const layout = { groups: 1, length: sizes.size, chunk: sizes.chunk }
  const space = createIndexSpace(layout, [sizes.chunk], sizes.slots)
  return {
    space,
    gate,
    inputs: sources.map(() => layout),
    output: layout,
    weightRows: 0,
    linkColumns: 0,
    auxiliaries: [],
    columns: sizes.chunk,
    target: 0,
    vectorExponents: [0, 1, ...sources.map((_, k) => k + 2)],
    formExponents: [-1, ...sources.map((_, k) => -2 - k)],
    hasProduct: false,
    wire: (kernels, weights, { lambda, psi }) => {
      const builder = new FormBuilder(kernels, sizes.chunk, psi)
      const output = lambda[terms.output] ?? 0n
      builder.add(-1, { vector: weights.columns, count: sizes.chunk, scalar: output })
      terms.forms(lambda).forEach((scalar, k) => {
        builder.add(-2 - k, { vector: weights.columns, count: sizes.chunk, scalar: mod(scalar) })
      })
      const count = chunkCount(layout)
      return {
        contributions: (['output', ...sources] as const).map((source, k) => ({
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
        constant: mod(weights.sum * mod(terms.constant(lambda))),
      }
    },
  }
}

// Y = y - low moves low to the constant side.
function requantised(requantisation: LayerRequantisation, terms: Omit<Terms, 'output'>): Terms {
  const low = BigInt(requantisation.low)
  return { ...terms, output: OUTPUT, constant: (lambda) => terms.constant(lambda) - (lambda[OUTPUT] ?? 0n) * low }
}

/** y = table[x + 128]. */
export function tableRelation(spec: TableSpec): Relation {
  const at = (lambda: readonly bigint[], constraint: number): bigint => lambda[constraint] ?? 0n
  return elementwise(
    spec,
    tableGate(spec.table),
    {
      output: TABLE_OUTPUT,
      forms: (lambda) => [at(lambda, TABLE_INPUT)],
      constant: (lambda) => at(lambda, HIGH_ONE_HOT) + at(lambda, LOW_ONE_HOT) + 128n * at(lambda, TABLE_INPUT),
    },
    ['input0'],
  )
}

/** v = M (x - z) + B + 2^(s-1). */
export function rescaleRelation(spec: ElementwiseSpec): Relation {
  const [multiplier, zeroPoint] = [BigInt(spec.multiplier), BigInt(spec.inputZeroPoint)]
  const base = roundingConstant(spec.requantisation) + BigInt(spec.bias) - multiplier * zeroPoint
  const rounding = (lambda: readonly bigint[]): bigint => lambda[ROUNDING] ?? 0n
  return elementwise(
    spec,
    requantisationGate(spec.requantisation),
    requantised(spec.requantisation, { forms: (lambda) => [rounding(lambda) * multiplier], constant: (lambda) => rounding(lambda) * base }),
    ['input0'],
  )
}

/** v = M (x - z)^2 + B + 2^(s-1): with U = x + 128 from cells and offset = -128 - z, (x - z)^2 = U^2 + 2 offset U + offset^2. */
export function squareRelation(spec: ElementwiseSpec): Relation {
  const [multiplier, offset] = [BigInt(spec.multiplier), BigInt(-128 - spec.inputZeroPoint)]
  const base = roundingConstant(spec.requantisation) + BigInt(spec.bias) + multiplier * offset * offset
  return elementwise(
    spec,
    squareGate(spec.requantisation, multiplier, offset),
    requantised(spec.requantisation, {
      forms: (lambda) => [lambda[SQUARE_INPUT] ?? 0n],
      constant: (lambda) => (lambda[ROUNDING] ?? 0n) * base + 128n * (lambda[SQUARE_INPUT] ?? 0n),
    }),
    ['input0'],
  )
}

/** v = M_a (a - z_a) + M_b (b - z_b) + B + 2^(s-1). */
export function addRelation(spec: AddSpec): Relation {
  const [ma, mb] = [BigInt(spec.multiplierA), BigInt(spec.multiplierB)]
  const base = roundingConstant(spec.requantisation) + BigInt(spec.bias) - ma * BigInt(spec.zeroPointA) - mb * BigInt(spec.zeroPointB)
  const rounding = (lambda: readonly bigint[]): bigint => lambda[ROUNDING] ?? 0n
  return elementwise(
    spec,
    requantisationGate(spec.requantisation),
    requantised(spec.requantisation, {
      forms: (lambda) => [rounding(lambda) * ma, rounding(lambda) * mb],
      constant: (lambda) => rounding(lambda) * base,
    }),
    ['input0', 'input1'],
  )
}
