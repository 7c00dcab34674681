// The product of two committed activations: a dense layer whose weight rows are commitments of the request. For chunk a of the inner
// dimension, sum_s e_s (b_s,a - z_b) meets sum_t e_t (a_t,a - z_a).
import type { MatmulSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { constantOffset, FormBuilder } from './forms.ts'
import { OUTPUT, ROUNDING, requantisationGate } from './gate.ts'
import { chunkLength, createIndexSpace, outer, sumOf } from './index-space.ts'
import type { Contribution, Offset, Relation } from './relation.ts'
import { roundingConstant } from './rounding.ts'

/** The relation of a product of activations. */
export function matmulRelation(spec: MatmulSpec): Relation {
  const { rows, inner, outputs, innerChunk, outputChunk, requantisation } = spec
  const a = { groups: rows, length: inner, chunk: innerChunk }
  const b = { groups: outputs, length: inner, chunk: innerChunk }
  const output = { groups: rows, length: outputs, chunk: outputChunk }
  const space = createIndexSpace(output, [outputChunk], spec.slots)
  const chunks = Math.ceil(inner / innerChunk)
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
    auxiliaryColumns: 0,
    columns,
    target,
    vectorExponents: [0, ...powers, target + 1],
    formExponents: [-1, ...powers],
    hasProduct: true,
    wire: (kernels, weights, { lambda, psi }) => {
      const [rounding, outputWeight] = [lambda[ROUNDING] ?? 0n, lambda[OUTPUT] ?? 0n]
      const features = outer(kernels, weights.chunksOfGroup, space.chunksPerGroup, weights.columns, outputChunk)
      const featureSum = sumOf(kernels, features, outputs)
      const contributions: Contribution[] = [
        { exponent: target + 1, source: 'output', start: 0, stride: 1, count: rows * space.chunksPerGroup, scalars: weights.chunks },
      ]
      const offsets: Offset[] = []
      const builder = new FormBuilder(kernels, columns, psi)
      builder.add(-1, { vector: weights.columns, count: outputChunk, scalar: outputWeight })
      for (let k = 1; k <= chunks; k++) {
        const length = chunkLength(a, k - 1)
        contributions.push(
          { exponent: k, source: 'input1', start: k - 1, stride: chunks, count: outputs, scalars: features },
          { exponent: target - k, source: 'input0', start: k - 1, stride: chunks, count: rows, scalars: weights.groups },
        )
        offsets.push(
          constantOffset(kernels, k, { start: 0, count: length, value: mod(BigInt(-spec.zeroPointB) * featureSum) }),
          constantOffset(kernels, target - k, { start: 0, count: length, value: mod(BigInt(-spec.zeroPointA) * weights.groupSum) }),
        )
        builder.add(k, { vector: 0, count: length, scalar: 0n })
        builder.add(target - k, { vector: 0, count: length, scalar: 0n })
      }
      const constant =
        weights.sum * (rounding * (roundingConstant(requantisation) + BigInt(spec.bias)) - outputWeight * BigInt(requantisation.low))
      return { contributions, offsets, forms: builder.forms, quadratic: mod(rounding * BigInt(spec.multiplier)), constant: mod(constant) }
    },
  }
}
