import type { AddSpec, ArgmaxSpec, ElementwiseSpec, TableSpec } from '@tacit/protocol'
import {
  DISTANCE,
  HIGH_ONE_HOT,
  INDEX,
  LOW_ONE_HOT,
  ONE_HOT,
  OUTPUT,
  ROUNDING,
  SELECTOR,
  SQUARE_INPUT,
  TABLE_INPUT,
  TABLE_OUTPUT,
} from '../../relation/gate.ts'
import type { Node } from '../recorder.ts'
import { requantisedConstant, type TraceWiring, type WireInputs } from './wiring.ts'

type Linear = { readonly output: Node; readonly inputs: readonly Node[]; readonly constant: Node }

function elementwise({ m, weights, forms }: WireInputs, { output, inputs, constant }: Linear): TraceWiring {
  forms.add(-1, weights.columns, output)
  inputs.forEach((scalar, k) => {
    forms.add(-2 - k, weights.columns, scalar)
  })
  const sources = (['output', 'input0', 'input1'] as const).slice(0, 1 + inputs.length)
  return {
    contributions: sources.map((source, k) => ({ exponent: k + 1, source, start: 0, stride: 1, scalars: weights.chunks })),
    offsets: [],
    forms: forms.forms,
    quadratic: m.zero,
    constant,
  }
}

/** v = M (x - z) + B. */
export function wireRescale(spec: ElementwiseSpec, inputs: WireInputs): TraceWiring {
  const { m, lambda } = inputs
  const [rounding, output] = [lambda(ROUNDING), lambda(OUTPUT)]
  const extra = BigInt(spec.bias) - BigInt(spec.multiplier) * BigInt(spec.inputZeroPoint)
  return elementwise(inputs, {
    output,
    inputs: [m.mul(rounding, m.scalar(spec.multiplier))],
    constant: requantisedConstant(inputs, spec.requantisation, { rounding, output, extra }),
  })
}

/** v = M (x - z)^2 + B. */
export function wireSquare(spec: ElementwiseSpec, inputs: WireInputs): TraceWiring {
  const { m, weights, lambda } = inputs
  const [rounding, output] = [lambda(ROUNDING), lambda(OUTPUT)]
  const extra = BigInt(spec.bias) + BigInt(spec.multiplier) * BigInt(-128 - spec.inputZeroPoint) ** 2n
  const constant = requantisedConstant(inputs, spec.requantisation, { rounding, output, extra })
  const shifted = m.mul(m.scalar(128), lambda(SQUARE_INPUT))
  return elementwise(inputs, { output, inputs: [lambda(SQUARE_INPUT)], constant: m.fma(weights.sum, shifted, constant) })
}

/** v = M_a (a - z_a) + M_b (b - z_b) + B. */
export function wireAdd(spec: AddSpec, inputs: WireInputs): TraceWiring {
  const { m, lambda } = inputs
  const [rounding, output] = [lambda(ROUNDING), lambda(OUTPUT)]
  const extra = BigInt(spec.bias) - BigInt(spec.multiplierA) * BigInt(spec.zeroPointA) - BigInt(spec.multiplierB) * BigInt(spec.zeroPointB)
  return elementwise(inputs, {
    output,
    inputs: [spec.multiplierA, spec.multiplierB].map((multiplier) => m.mul(rounding, m.scalar(multiplier))),
    constant: requantisedConstant(inputs, spec.requantisation, { rounding, output, extra }),
  })
}

/** y = table[x + 128]. */
export function wireTable(_spec: TableSpec, inputs: WireInputs): TraceWiring {
  const { m, weights, lambda } = inputs
  const hot = m.add(lambda(HIGH_ONE_HOT), lambda(LOW_ONE_HOT))
  return elementwise(inputs, {
    output: lambda(TABLE_OUTPUT),
    inputs: [lambda(TABLE_INPUT)],
    constant: m.mul(weights.sum, m.fma(m.scalar(128), lambda(TABLE_INPUT), hot)),
  })
}

/** The first of the largest values, by way of a committed one-hot vector and the maximum. */
export function wireArgmax(spec: ArgmaxSpec, { m, weights, lambda, forms }: WireInputs): TraceWiring {
  const all = m.outer(weights.chunks, weights.columns).slice(0, spec.size)
  let before = m.zero
  const auxiliary = all.map((e, k) => {
    const selected = m.sub(m.mul(lambda(SELECTOR), e), m.mul(lambda(DISTANCE), before))
    before = m.add(before, e)
    return m.add(selected, m.fma(lambda(INDEX), m.scalar(k), lambda(ONE_HOT)))
  })
  forms.add(-1, [m.one], m.negate(lambda(INDEX)))
  forms.add(-2, [...auxiliary, m.mul(lambda(DISTANCE), before)], m.one)
  forms.add(-3, weights.columns, m.negate(lambda(DISTANCE)))
  return {
    contributions: [
      { exponent: 1, source: 'output', start: 0, stride: 1, scalars: [m.one] },
      { exponent: 2, source: 'auxiliary', start: 0, stride: 1, scalars: [m.one] },
      { exponent: 3, source: 'input0', start: 0, stride: 1, scalars: weights.chunks },
    ],
    offsets: [],
    forms: forms.forms,
    quadratic: m.zero,
    constant: m.negate(lambda(ONE_HOT)),
  }
}
