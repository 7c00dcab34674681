import type { LayerNormSpec, SoftmaxSpec } from '@tacit/protocol'
import * as norm from '../../relation/layer-norm.ts'
import * as soft from '../../relation/softmax.ts'
import type { Source } from '../../relation/relation.ts'
import type { Node } from '../recorder.ts'
import type { TraceContribution, TraceWiring, WireInputs } from './wiring.ts'

/** Rows of scores: an auxiliary commitment per row holds the exponentials and the maximum. */
export function wireSoftmax(spec: SoftmaxSpec, { m, weights, lambda, forms }: WireInputs): TraceWiring {
  const { rows, heads } = spec
  const inRow = m.sum(weights.columns)
  forms.add(-1, weights.columns, lambda(soft.PROBABILITY))
  forms.add(-2, weights.columns, m.negate(lambda(soft.DIFFERENCE)))
  const ofRow = m.mul(lambda(soft.SUM), inRow)
  forms.add(-3, [...weights.columns.map((e) => m.fma(lambda(soft.TABLE), e, ofRow)), m.mul(lambda(soft.DIFFERENCE), inRow)], m.one)
  let masked = m.zero
  for (let row = 0; row < rows; row++) {
    const hidden = m.sum(weights.columns.filter((_, position) => soft.isMasked(spec, row, position)))
    masked = m.fma(weights.groups[row] ?? m.zero, hidden, masked)
  }
  const perHead = m.sum(weights.chunksOfGroup.slice(0, heads))
  const marker = m.scalar(1n << BigInt(soft.softmaxCells(spec).sumBits))
  const hot = m.add(m.add(lambda(soft.HIGH), lambda(soft.LOW)), lambda(soft.RANGE))
  const every = m.fma(m.scalar(128), lambda(soft.PROBABILITY), m.sub(hot, m.mul(lambda(soft.SUM), marker)))
  return {
    contributions: (['output', 'input0', 'auxiliary'] as const).map((source, k) => ({
      exponent: k + 1,
      source,
      start: 0,
      stride: 1,
      scalars: weights.chunks,
    })),
    offsets: [],
    forms: forms.forms,
    quadratic: m.zero,
    constant: m.fma(lambda(soft.MASK), m.mul(masked, perHead), m.mul(weights.sum, every)),
  }
}

/** Rows normalised by an integer root: auxiliary tensors hold the squares and the digits of the slacks. */
export function wireLayerNorm(spec: LayerNormSpec, { m, weights, lambda, forms }: WireInputs): TraceWiring {
  const { rows, size, chunk } = spec
  const { digits, digitBits } = norm.layerNormCells(spec)
  const d = m.scalar(size)
  const inRow = m.mul(m.sum(weights.chunksOfGroup), m.sum(weights.columns))
  const all = new Array<Node>(chunk).fill(m.one)
  const rooted = m.sub(lambda(norm.SLACK), m.mul(d, lambda(norm.ROOT)))
  const digit = Array.from({ length: chunk }, (_, k) => {
    if (k >= 2 * digits) return m.zero
    const weight = m.mul(inRow, m.scalar(1n << BigInt(digitBits * (k % digits))))
    return m.mul(weight, k < digits ? rooted : lambda(norm.SLACK))
  })
  forms.add(-1, weights.columns, lambda(norm.VALUE))
  forms.add(-2, weights.columns, m.mul(d, lambda(norm.CENTRE)))
  forms.add(-3, all, m.negate(m.mul(inRow, lambda(norm.CENTRE))))
  forms.add(-4, weights.columns, lambda(norm.SQUARE))
  forms.add(-5, all, m.mul(inRow, lambda(norm.ROOT)))
  forms.add(-6, weights.columns, lambda(norm.DIGIT))
  forms.add(-7, digit, m.one)
  const stride = weights.chunksOfGroup.length
  const each = (exponent: number, source: Source): TraceContribution => ({ exponent, source, start: 0, stride: 1, scalars: weights.chunks })
  const whole = (exponent: number, source: Source, chunks: number): readonly TraceContribution[] =>
    Array.from({ length: chunks }, (_, start) => ({ exponent, source, start, stride, scalars: weights.groups.slice(0, rows) }))
  const epsilon = m.scalar(BigInt(size) * BigInt(spec.epsilon))
  const every = m.sub(m.fma(epsilon, lambda(norm.ROOT), lambda(norm.REMAINDER)), m.mul(m.scalar(spec.low), lambda(norm.VALUE)))
  return {
    contributions: [
      each(1, 'output'),
      each(2, 'input0'),
      ...whole(3, 'input0', stride),
      each(4, 'auxiliary'),
      ...whole(5, 'auxiliary', stride),
      each(6, 'auxiliary1'),
      ...whole(7, 'auxiliary1', 1),
    ],
    offsets: [],
    forms: forms.forms,
    quadratic: m.zero,
    constant: m.mul(weights.sum, every),
  }
}
