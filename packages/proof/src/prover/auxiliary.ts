// Commitments to the integers that a prover adds to a layer (winner and maximum, exponentials, squares): wider than int8, so they are
// summed digit by digit.
import { affineOf, encodePoints } from '../commit/encoding.ts'
import { addBlinder, sumSmallRows } from '../commit/points.ts'
import type { ProofEngine, Tables } from '../engine.ts'
import { SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { type ActivationLayout, chunkCount, chunkLength, chunkStart } from '../relation/index-space.ts'

/** One tensor of exact integers below 2^53 in absolute value, and the blinders of its chunks in kernel memory. */
export type AuxiliaryOpening = { readonly layout: ActivationLayout; readonly values: Float64Array; readonly blinders: number }

const BASE = 128

/** The encoded commitments of all chunks. */
export function commitAuxiliary(engine: ProofEngine, tables: Tables, opening: AuxiliaryOpening): Uint8Array {
  const { kernels } = engine
  const { layout, values, blinders } = opening
  const count = chunkCount(layout)
  const largest = values.reduce((top, value) => Math.max(top, Math.abs(value)), 0)
  const digits = Math.max(1, Math.ceil(Math.log2(largest + 1) / Math.log2(BASE)))
  return kernels.scoped(() => {
    const parts = kernels.allocate(SUM_BYTES * count * digits)
    // part (digit, chunk), lowest digit first; digits carry the sign of their number
    sumSmallRows(engine, parts, {
      count: count * digits,
      columns: layout.chunk,
      fill: (row, into) => {
        const [digit, chunk] = [Math.floor(row / count), row % count]
        const from = chunkStart(layout, chunk)
        const scale = BASE ** digit
        for (let i = 0; i < chunkLength(layout, chunk); i++) into[i] = Math.trunc((values[from + i] ?? 0) / scale) % BASE
      },
    })
    const sums = parts + SUM_BYTES * count * (digits - 1)
    for (let k = 0; k < count; k++) {
      for (let digit = digits - 2; digit >= 0; digit--) {
        kernels.x.multiplySmall(sums + SUM_BYTES * k, BigInt(BASE))
        kernels.x.xyzzAdd(sums + SUM_BYTES * k, parts + SUM_BYTES * (count * digit + k))
      }
      addBlinder(kernels, tables, sums + SUM_BYTES * k, blinders + SCALAR_BYTES * k)
    }
    return encodePoints(kernels, affineOf(kernels, sums, count), count)
  })
}
