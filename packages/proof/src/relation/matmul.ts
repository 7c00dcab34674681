// The products of two committed activations, head by head: a dense layer whose weight rows are commitments of the request. For head h and
// chunk k of the inner dimension, sum_s e_(h,s) (b_(h,s,k) - z_b) meets sum_t e_t (a_(t,h,k) - z_a).
import type { MatmulSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { SCALAR_BYTES } from '../kernels/kernels.ts'
import { constantOffset, FormBuilder } from './forms.ts'
import { OUTPUT, ROUNDING, requantisationGate } from './gate.ts'
import { chunkCount, createIndexSpace, outer, sumOf } from './index-space.ts'
import type { Contribution, Offset, Relation } from './relation.ts'
import { roundingConstant } from './rounding.ts'

/** The relation of a product of activations. */
export function matmulRelation(spec: MatmulSpec): Relation {
  const { rows, heads, inner, outputs, innerChunk, outputChunk, requantisation } = spec
  const perHead = Math.ceil(inner / innerChunk)
  const byTokens = spec.orderB === 'tokens'
  const a = { groups: rows, length: heads * inner, chunk: innerChunk }
  const b = byTokens
    ? { groups: outputs, length: heads * inner, chunk: innerChunk }
    : { groups: heads * outputs, length: inner, chunk: innerChunk }
  const output = { groups: rows, length: heads * outputs, chunk: outputChunk }
  const space = createIndexSpace(output, [outputChunk], spec.slots)
  const chunks = heads * perHead
  const target = 2 * chunks + 1
  const columns = Math.max(innerChunk, outputChunk)
  const powers = Array.from({ length: 2 * chunks }, (_, k) => k + 1)
  return {
    space,
    gate: requantisationGate(requantisation),
    inputs: [a, b],
    output,
    weightRows: 0,
    linkColumns: 0,
    auxiliaries: [],
    columns,
    target,
    vectorExponents: [0, ...powers, target + 1],
    formExponents: [-1, ...powers],
    hasProduct: true,
    wire: (kernels, weights, { lambda, psi }) => {
      const [rounding, outputWeight] = [lambda[ROUNDING] ?? 0n, lambda[OUTPUT] ?? 0n]
      const features = outer(kernels, weights.chunksOfGroup, space.chunksPerGroup, weights.columns, outputChunk)
      const contributions: Contribution[] = [
        { exponent: target + 1, source: 'output', start: 0, stride: 1, count: chunkCount(output), scalars: weights.chunks },
      ]
      const offsets: Offset[] = []
      const builder = new FormBuilder(kernels, columns, psi)
      builder.add(-1, { vector: weights.columns, count: outputChunk, scalar: outputWeight })
      for (let k = 0; k < chunks; k++) {
        const [head, part] = [Math.floor(k / perHead), k % perHead]
        const length = Math.min(innerChunk, inner - part * innerChunk)
        const scalars = features + SCALAR_BYTES * head * outputs
        const place = byTokens ? { start: k, stride: chunks } : { start: head * outputs * perHead + part, stride: perHead }
        const [left, right] = [target - k - 1, k + 1]
        contributions.push(
          { exponent: right, source: 'input1', ...place, count: outputs, scalars },
          { exponent: left, source: 'input0', start: k, stride: chunks, count: rows, scalars: weights.groups },
        )
        const headSum = sumOf(kernels, scalars, outputs)
        offsets.push(
          constantOffset(kernels, right, { start: 0, count: length, value: mod(BigInt(-spec.zeroPointB) * headSum) }),
          constantOffset(kernels, left, { start: 0, count: length, value: mod(BigInt(-spec.zeroPointA) * weights.groupSum) }),
        )
        builder.add(right, { vector: 0, count: length, scalar: 0n })
        builder.add(left, { vector: 0, count: length, scalar: 0n })
      }
      const constant =
        weights.sum * (rounding * (roundingConstant(requantisation) + BigInt(spec.bias)) - outputWeight * BigInt(requantisation.low))
      return { contributions, offsets, forms: builder.forms, quadratic: mod(rounding * BigInt(spec.multiplier)), constant: mod(constant) }
    },
  }
}
