// Dense layer over `rows` tokens. For input chunk a: w_a = sum_o e_o (M_o W_o,a | B_o) meets x_a = sum_t e_t (x_t,a - z | 1); the column
// behind the input columns of the last chunk carries bias and constant one. Transposed, the groups of the output are its features and
// the columns its tokens; nothing else changes.
import type { DenseSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { type Kernels, SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars } from '../kernels/scalars.ts'
import { constantOffset, FormBuilder } from './forms.ts'
import { OUTPUT, ROUNDING, requantisationGate } from './gate.ts'
import { chunkCount, chunkLength, createIndexSpace, outer, sumOf } from './index-space.ts'
import type { Contribution, Offset, Relation } from './relation.ts'
import { roundingConstant } from './rounding.ts'

/** The relation of a dense layer. */
export function denseRelation(spec: DenseSpec): Relation {
  const { rows, inputSize, outputSize, inputChunk, outputChunk, requantisation } = spec
  const input = { groups: rows, length: inputSize, chunk: inputChunk }
  const transposed = spec.kind === 'denseTransposed'
  const output = transposed
    ? { groups: outputSize, length: rows, chunk: outputChunk }
    : { groups: rows, length: outputSize, chunk: outputChunk }
  const space = createIndexSpace(output, [outputChunk], spec.slots)
  const chunks = Math.ceil(inputSize / inputChunk)
  const target = 2 * chunks + 1
  const columns = Math.max(inputChunk + 1, outputChunk)
  const powers = Array.from({ length: 2 * chunks }, (_, k) => k + 1)
  return {
    space,
    gate: requantisationGate(requantisation),
    inputs: [input],
    output,
    weightRows: chunks * outputSize,
    linkColumns: 0,
    auxiliaries: [],
    columns,
    target,
    vectorExponents: [0, ...powers, target + 1],
    formExponents: [-1, ...powers.slice(0, chunks)],
    hasProduct: true,
    wire: (kernels, weights, { lambda, psi }) => {
      const [rounding, outputWeight] = [lambda[ROUNDING] ?? 0n, lambda[OUTPUT] ?? 0n]
      const inGroup = outer(kernels, weights.chunksOfGroup, space.chunksPerGroup, weights.columns, outputChunk)
      const [outputs, tokens] = transposed ? [weights.groups, inGroup] : [inGroup, weights.groups]
      const tokenSum = sumOf(kernels, tokens, rows)
      const contributions: Contribution[] = [
        { exponent: target + 1, source: 'output', start: 0, stride: 1, count: chunkCount(output), scalars: weights.chunks },
      ]
      const offsets: Offset[] = []
      const builder = new FormBuilder(kernels, columns, psi)
      builder.add(-1, { vector: weights.columns, count: outputChunk, scalar: outputWeight })
      let constant = weights.sum * (rounding * roundingConstant(requantisation) - outputWeight * BigInt(requantisation.low))
      for (let a = 1; a <= chunks; a++) {
        const length = chunkLength(input, a - 1)
        contributions.push(
          { exponent: a, source: 'weights', start: (a - 1) * outputSize, stride: 1, count: outputSize, scalars: outputs },
          { exponent: target - a, source: 'input0', start: a - 1, stride: chunks, count: rows, scalars: tokens },
        )
        offsets.push(constantOffset(kernels, target - a, { start: 0, count: length, value: mod(BigInt(-spec.inputZeroPoint) * tokenSum) }))
        const surplus = builder.add(a, { vector: 0, count: length, scalar: 0n }, inputChunk)
        if (a < chunks) continue
        offsets.push(constantOffset(kernels, target - a, { start: inputChunk, count: 1, value: tokenSum }))
        constant -= surplus * tokenSum
      }
      return { contributions, offsets, forms: builder.forms, quadratic: rounding, constant: mod(constant) }
    },
  }
}

/** A single scalar in kernel memory, as a weight vector of length one. */
export function single(kernels: Kernels, value: bigint): number {
  return placeScalars(kernels, [value])
}

/** `n` ones. */
export function ones(kernels: Kernels, n: number): number {
  const at = kernels.allocate(SCALAR_BYTES * n)
  const one = placeScalars(kernels, [1n])
  kernels.x.powers(at, one, one, n)
  return at
}
