import type { DenseSpec, MatmulSpec } from '@tacit/protocol'
import { OUTPUT, ROUNDING } from '../../relation/gate.ts'
import type { Node } from '../recorder.ts'
import { requantisedConstant, type TraceContribution, type TraceOffset, type TraceWiring, type WireInputs, zeros } from './wiring.ts'

/** Weights of the outputs of one group: the chunk's times the column's. */
function inGroup({ m, weights }: WireInputs): readonly Node[] {
  return m.outer(weights.chunksOfGroup, weights.columns)
}

/** `rows` tokens times a hidden matrix. */
export function wireDense(spec: DenseSpec, inputs: WireInputs): TraceWiring {
  const { m, weights, lambda, forms } = inputs
  const { rows, inputSize, outputSize, inputChunk, outputChunk, requantisation } = spec
  const chunks = Math.ceil(inputSize / inputChunk)
  const target = 2 * chunks + 1
  const transposed = spec.kind === 'denseTransposed'
  const [outputs, tokens] = transposed ? [weights.groups, inGroup(inputs)] : [inGroup(inputs), weights.groups]
  const tokenSum = m.sum(tokens.slice(0, rows))
  const contributions: TraceContribution[] = [{ exponent: target + 1, source: 'output', start: 0, stride: 1, scalars: weights.chunks }]
  const offsets: TraceOffset[] = []
  forms.add(-1, weights.columns.slice(0, outputChunk), lambda(OUTPUT))
  let constant = requantisedConstant(inputs, requantisation, { rounding: lambda(ROUNDING), output: lambda(OUTPUT) })
  const shift = m.mul(m.scalar(-spec.inputZeroPoint), tokenSum)
  for (let a = 1; a <= chunks; a++) {
    const length = Math.min(inputChunk, inputSize - (a - 1) * inputChunk)
    contributions.push(
      { exponent: a, source: 'weights', start: (a - 1) * outputSize, stride: 1, scalars: outputs.slice(0, outputSize) },
      { exponent: target - a, source: 'input0', start: a - 1, stride: chunks, scalars: tokens.slice(0, rows) },
    )
    offsets.push({ exponent: target - a, start: 0, count: length, value: shift })
    const surplus = forms.add(a, zeros(inputs, length), m.zero)
    if (a < chunks) continue
    offsets.push({ exponent: target - a, start: inputChunk, count: 1, value: tokenSum })
    constant = m.sub(constant, m.mul(surplus[inputChunk - length] ?? m.zero, tokenSum))
  }
  return { contributions, offsets, forms: forms.forms, quadratic: lambda(ROUNDING), constant }
}

/** Two committed activations: rows of the second stand where a dense layer has its weight rows, head by head. */
export function wireMatmul(spec: MatmulSpec, inputs: WireInputs): TraceWiring {
  const { m, weights, lambda, forms } = inputs
  const { heads, inner, outputs, innerChunk, outputChunk, requantisation } = spec
  const perHead = Math.ceil(inner / innerChunk)
  const chunks = heads * perHead
  const target = 2 * chunks + 1
  const features = inGroup(inputs)
  const contributions: TraceContribution[] = [{ exponent: target + 1, source: 'output', start: 0, stride: 1, scalars: weights.chunks }]
  const offsets: TraceOffset[] = []
  forms.add(-1, weights.columns.slice(0, outputChunk), lambda(OUTPUT))
  const shift = m.mul(m.scalar(-spec.zeroPointA), weights.groupSum)
  for (let k = 0; k < chunks; k++) {
    const [head, part] = [Math.floor(k / perHead), k % perHead]
    const length = Math.min(innerChunk, inner - part * innerChunk)
    const scalars = features.slice(head * outputs, (head + 1) * outputs)
    const place = spec.orderB === 'tokens' ? { start: k, stride: chunks } : { start: head * outputs * perHead + part, stride: perHead }
    const [left, right] = [target - k - 1, k + 1]
    contributions.push(
      { exponent: right, source: 'input1', ...place, scalars },
      { exponent: left, source: 'input0', start: k, stride: chunks, scalars: weights.groups },
    )
    offsets.push(
      { exponent: right, start: 0, count: length, value: m.mul(m.scalar(-spec.zeroPointB), m.sum(scalars)) },
      { exponent: left, start: 0, count: length, value: shift },
    )
    forms.add(right, zeros(inputs, length), m.zero)
    forms.add(left, zeros(inputs, length), m.zero)
  }
  const constant = requantisedConstant(inputs, requantisation, {
    rounding: lambda(ROUNDING),
    output: lambda(OUTPUT),
    extra: BigInt(spec.bias),
  })
  return { contributions, offsets, forms: forms.forms, quadratic: m.mul(lambda(ROUNDING), m.scalar(spec.multiplier)), constant }
}
