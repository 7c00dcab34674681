// Layer normalisation of rows as docs/spec/q8.md, section 3, defines it, and the cells that show it.
import type { LayerNormSpec } from '@tacit/protocol'
import { WitnessMismatchError } from '../errors.ts'
import { layerNormCells } from '../relation/layer-norm.ts'
import { putBits } from './bits.ts'
import type { SlotWriter } from './cells.ts'

/** Layer normalisation of a tensor [rows, size]. */
export function layerNormWriter(spec: LayerNormSpec, x: Int8Array): SlotWriter {
  const { rows, size, gain, epsilon, zeroPoint, low, high } = spec
  const cells = layerNormCells(spec)
  const top = high - low
  const output = new Int8Array(x.length)
  const centred = new Float64Array(x.length)
  const squares = new Float64Array(x.length)
  const digits = new Float64Array(x.length)
  const roots = new Float64Array(rows)
  const quotient = (element: number): number => {
    const root = roots[Math.floor(element / size)] ?? 1
    return Math.floor((2 * gain * (centred[element] ?? 0) + root) / (2 * root)) + zeroPoint - low
  }
  for (let row = 0; row < rows; row++) {
    const values = x.subarray(row * size, (row + 1) * size)
    const sum = values.reduce((total, value) => total + value, 0)
    values.forEach((value, j) => {
      centred[row * size + j] = size * value - sum
      squares[row * size + j] = (size * value - sum) ** 2
    })
    const spread = size * values.reduce((total, value) => total + value * value, 0) - sum * sum + epsilon
    const root = integerRoot(spread)
    roots[row] = root
    const slacks = [spread - root * root, 2 * root - (spread - root * root)]
    slacks.forEach((slack, which) => {
      let rest = slack
      for (let k = 0; k < cells.digits; k++) {
        digits[row * size + which * cells.digits + k] = rest % 2 ** cells.digitBits
        rest = Math.floor(rest / 2 ** cells.digitBits)
      }
    })
  }
  for (let element = 0; element < x.length; element++) output[element] = Math.min(Math.max(quotient(element), 0), top) + low
  const lastWeight = Number(cells.range.at(-1) ?? 0n)
  return {
    output,
    auxiliaries: [squares, digits],
    write: (element, bits, column) => {
      const c = centred[element] ?? 0
      const root = roots[Math.floor(element / size)] ?? 1
      const rounded = quotient(element)
      const value = Math.min(Math.max(rounded, 0), top)
      const excess = rounded - value
      if (Math.abs(excess) >= 2 ** cells.excessBits)
        throw new WitnessMismatchError('A normalised value is further outside its range than the excess bits can say.')
      const remainder = 2 * gain * c + root - 2 * root * (rounded - (zeroPoint - low))
      const slack = 2 * root - 1 - remainder
      const digit = digits[element] ?? 0
      putTwosComplement(bits, 0, cells.centreBits, c)
      putBits(bits, cells.root, cells.rootBits, root)
      const upper = value >= 2 ** (cells.range.length - 1) ? 1 : 0
      putBits(bits, cells.value, cells.range.length - 1, value - upper * lastWeight)
      bits[cells.value + cells.range.length - 1] = upper
      putTwosComplement(bits, cells.excess, cells.excessBits + 1, excess)
      putBits(bits, cells.remainder, cells.rootBits + 1, remainder)
      putBits(bits, cells.slack, cells.rootBits + 1, slack)
      putBits(bits, cells.digit, cells.digitBits, digit)
      ;[c, root, value, excess, rounded, excess < 0 ? 1 : 0, remainder, remainder + slack, digit].forEach((number, k) => {
        column(k, number)
      })
    },
  }
}

/** floor(sqrt(n)) of an integer below 2^52. */
function integerRoot(n: number): number {
  let root = Math.floor(Math.sqrt(n))
  while (root * root > n) root--
  while ((root + 1) * (root + 1) <= n) root++
  return root
}

function putTwosComplement(bits: Uint8Array, at: number, width: number, value: number): void {
  putBits(bits, at, width, value < 0 ? value + 2 ** width : value)
}
