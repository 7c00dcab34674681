// Softmax of rows of scores as docs/spec/q8.md, section 3, defines it, and the cells that show it.
import type { SoftmaxSpec } from '@tacit/protocol'
import { isMasked, softmaxCells } from '../relation/softmax.ts'
import { putBits } from './bits.ts'
import type { SlotWriter } from './cells.ts'

type Row = { readonly maximum: number; readonly sum: number; readonly attained: number }

/** The softmax of a tensor [rows, heads, size]. */
export function softmaxWriter(spec: SoftmaxSpec, x: Int8Array): SlotWriter {
  const { rows, heads, size, table } = spec
  const cells = softmaxCells(spec)
  const marker = 2 ** cells.sumBits
  const all = Array.from({ length: rows * heads }, (_, r): Row => {
    const seen = [...x.subarray(r * size, (r + 1) * size)].filter((_, s) => !isMasked(spec, Math.floor(r / heads), s))
    const maximum = Math.max(...seen)
    const sum = seen.reduce((total, value) => total + (table[maximum - value] ?? 0), 0)
    return { maximum, sum, attained: seen.filter((value) => value === maximum).length }
  })
  const output = new Int8Array(x.length)
  const auxiliary = new Float64Array(rows * heads * (size + 1))
  const place = (element: number) => {
    const r = Math.floor(element / size)
    const s = element % size
    const { maximum = 0, sum = 1, attained = 1 } = all[r] ?? {}
    const masked = isMasked(spec, Math.floor(r / heads), s)
    const w = maximum - (x[element] ?? 0)
    const e = masked ? 0 : (table[w] ?? 0)
    const probability = Math.floor((510 * e + sum) / (2 * sum))
    return { r, s, masked, w, e, sum, attained, probability, remainder: 510 * e + sum - 2 * sum * probability }
  }
  for (let element = 0; element < x.length; element++) {
    const { r, s, masked, w, e, probability } = place(element)
    output[element] = probability - 128
    auxiliary[r * (size + 1) + s] = e + (masked || w !== 0 ? 0 : marker)
    auxiliary[r * (size + 1) + size] = all[r]?.maximum ?? 0
  }
  return {
    output,
    auxiliaries: [auxiliary],
    write: (element, bits, column) => {
      const { masked, w, sum, attained, probability, remainder } = place(element)
      const [high, low] = masked ? [-1, 0] : [w >> 4, w & 15]
      const slack = 2 * sum - 1 - remainder
      if (high >= 0) bits[high] = 1
      bits[16 + low] = 1
      putBits(bits, cells.difference, 9, w & 511)
      bits[cells.flag] = masked ? 1 : 0
      putBits(bits, cells.sum, cells.sumBits, sum)
      putBits(bits, cells.attained, cells.attainedBits, attained - 1)
      putBits(bits, cells.probability, 8, probability)
      putBits(bits, cells.remainder, cells.sumBits + 1, remainder)
      putBits(bits, cells.slack, cells.sumBits + 1, slack)
      if (high >= 0) column(high, 1)
      for (let a = 0; a < 16; a++) column(16 + a, (table[16 * a + low] ?? 0) + (a === 0 && low === 0 ? marker : 0))
      column(32, low === 0 ? 1 : 0)
      column(33, high >= 0 ? 1 : 0)
      column(34, 1)
      column(35, 16 * Math.max(high, 0) + low)
      column(36, w)
      column(37, masked ? 1 : 0)
      column(38, sum)
      column(39, sum + marker * (attained - 1))
      column(40, probability)
      column(41, remainder)
      column(42, remainder + slack)
    },
  }
}
