// The lowest index of the largest value. The prover commits to a one-hot vector s and the maximum m ("auxiliary"), and shows for
// every k: s_k is a bit, D_k = m - y_k - [k before the winner] has eight bits, s_k D_k = 0; and sum s = 1, sum k s_k = the output.
import type { ArgmaxSpec } from '@tacit/protocol'
import { mod } from '../kernels/field.ts'
import { placeScalars } from '../kernels/scalars.ts'
import { single } from './dense.ts'
import { FormBuilder, residues } from './forms.ts'
import { argmaxGate, DISTANCE, INDEX, ONE_HOT, SELECTOR } from './gate.ts'
import { chunkCount, createIndexSpace } from './index-space.ts'
import type { Relation } from './relation.ts'

/** The relation of an argmax over one row. */
export function argmaxRelation(spec: ArgmaxSpec): Relation {
  const input = { groups: 1, length: spec.size, chunk: spec.chunk }
  const space = createIndexSpace(input, [spec.chunk], spec.slots)
  const columns = Math.max(spec.chunk, spec.size + 1)
  return {
    space,
    gate: argmaxGate(),
    inputs: [input],
    output: { groups: 1, length: 1, chunk: 1 },
    weightRows: 0,
    linkColumns: 0,
    auxiliaries: [{ groups: 1, length: spec.size + 1, chunk: spec.size + 1 }],
    columns,
    target: 0,
    vectorExponents: [0, 1, 2, 3],
    formExponents: [-3, -2, -1],
    hasProduct: false,
    wire: (kernels, weights, { lambda, psi }) => {
      const at = (constraint: number): bigint => lambda[constraint] ?? 0n
      const chunks = residues(kernels, weights.chunks, chunkCount(input))
      const inside = residues(kernels, weights.columns, spec.chunk)
      const auxiliary: bigint[] = []
      let before = 0n
      for (let k = 0; k < spec.size; k++) {
        const e = mod((chunks[Math.floor(k / spec.chunk)] ?? 0n) * (inside[k % spec.chunk] ?? 0n))
        auxiliary.push(mod(at(SELECTOR) * e - at(DISTANCE) * before + at(ONE_HOT) + at(INDEX) * BigInt(k)))
        before = mod(before + e)
      }
      auxiliary.push(mod(at(DISTANCE) * before))
      const builder = new FormBuilder(kernels, columns, psi)
      builder.add(-1, { vector: single(kernels, 1n), count: 1, scalar: mod(-at(INDEX)) })
      builder.add(-2, { vector: placeScalars(kernels, auxiliary), count: spec.size + 1, scalar: 1n })
      builder.add(-3, { vector: weights.columns, count: spec.chunk, scalar: mod(-at(DISTANCE)) })
      return {
        contributions: [
          { exponent: 1, source: 'output', start: 0, stride: 1, count: 1, scalars: single(kernels, 1n) },
          { exponent: 2, source: 'auxiliary', start: 0, stride: 1, count: 1, scalars: single(kernels, 1n) },
          { exponent: 3, source: 'input0', start: 0, stride: 1, count: chunks.length, scalars: weights.chunks },
        ],
        offsets: [],
        forms: builder.forms,
        quadratic: 0n,
        constant: mod(-at(ONE_HOT)),
      }
    },
  }
}
