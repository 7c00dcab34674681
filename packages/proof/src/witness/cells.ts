// The cells of every output, in kernel memory, as bits and as the integer values of the gate's columns.
import type { LayerRequantisation, LayerSpec } from '@tacit/protocol'
import type { LayerWeights } from '../commit/weights.ts'
import { WitnessMismatchError } from '../errors.ts'
import type { Kernels } from '../kernels/kernels.ts'
import { requantisationCells } from '../relation/gate.ts'
import type { Relation } from '../relation/relation.ts'
import { type Accumulators, accumulate, pooledValues } from './accumulate.ts'
import { putBits } from './bits.ts'
import { layerNormWriter } from './layer-norm.ts'
import { softmaxWriter } from './softmax.ts'

/** Cells u8[rows + 1][slots][cells] and columns i64[rows + 1][slots][columns], row 0 zero; and the layer's output. */
export type CellWitness = {
  readonly cells: number
  readonly columns: number
  readonly output: Int8Array
  /** One per auxiliary tensor of the relation. */
  readonly auxiliaries: readonly Float64Array[]
}

/** Everything the prover knows about one output: bits and column values. */
export type SlotWitness = { readonly bits: Uint8Array; readonly columns: readonly (number | bigint)[] }

/** Computes a layer and its cells. */
export function computeCells(
  kernels: Kernels,
  relation: Relation,
  layer: { readonly spec: LayerSpec; readonly inputs: readonly Int8Array[]; readonly weights: LayerWeights | undefined },
): CellWitness {
  const { space, gate } = relation
  const slotCount = (space.rows.length + 1) * space.slots
  const cells = kernels.allocate(slotCount * gate.cells)
  const columns = kernels.allocate(8 * slotCount * gate.columns.length)
  kernels.bytes(cells, slotCount * gate.cells).fill(0)
  kernels.bytes(columns, 8 * slotCount * gate.columns.length).fill(0)
  const bits = kernels.bytes(cells, slotCount * gate.cells)
  const words = kernels.uint32(columns, 2 * slotCount * gate.columns.length)
  const { output, auxiliaries, write } = slotWriter(layer)
  space.outputs.forEach((element, k) => {
    if (element < 0) return
    const slot = space.slots + k
    write(element, bits.subarray(slot * gate.cells, (slot + 1) * gate.cells), (column, value) => {
      storeInt64(words, 2 * (slot * gate.columns.length + column), value)
    })
  })
  return { cells, columns, output, auxiliaries }
}

type Writer = (element: number, bits: Uint8Array, column: (index: number, value: number | bigint) => void) => void
/** The output of a layer, what the prover adds to it, and how to write the cells of one output. */
export type SlotWriter = { readonly output: Int8Array; readonly auxiliaries: readonly Float64Array[]; readonly write: Writer }

function slotWriter(layer: {
  readonly spec: LayerSpec
  readonly inputs: readonly Int8Array[]
  readonly weights: LayerWeights | undefined
}): SlotWriter {
  const { spec, inputs, weights } = layer
  const x = inputs[0] ?? new Int8Array(0)
  if (spec.kind === 'maxPool')
    return maximumWriter(pooledValues(spec.window, x), (spec.window.kernel[0] ?? 1) * (spec.window.kernel[1] ?? 1))
  if (spec.kind === 'argmax') return argmaxWriter(x)
  if (spec.kind === 'table') return tableWriter(x, spec.table)
  if (spec.kind === 'softmax') return softmaxWriter(spec, x)
  if (spec.kind === 'layerNorm') return layerNormWriter(spec, x)
  const accumulators = accumulate(spec, inputs, weights)
  const writer = requantisationWriter(accumulators, spec.requantisation)
  if (spec.kind !== 'square') return writer
  const first = requantisationCells(spec.requantisation).count
  return {
    ...writer,
    write: (element, bits, column) => {
      writer.write(element, bits, column)
      const unsigned = (x[element] ?? 0) + 128
      for (let k = 0; k < 8; k++) bits[first + k] = (unsigned >> k) & 1
      column(4, unsigned)
    },
  }
}

function requantisationWriter(accumulators: Accumulators, requantisation: LayerRequantisation): SlotWriter {
  const { shift, range, excessBits } = requantisationCells(requantisation)
  const top = requantisation.high - requantisation.low
  const output = new Int8Array(accumulators.length)
  const scale = 2 ** shift
  const split = splitter(accumulators, shift)
  for (let i = 0; i < output.length; i++) output[i] = Math.min(Math.max(split(i)[0], 0), top) + requantisation.low
  const lastWeight = Number(range.at(-1) ?? 0n)
  return {
    output,
    auxiliaries: [],
    write: (element, bits, column) => {
      const [rounded, remainder] = split(element)
      const value = Math.min(Math.max(rounded, 0), top)
      const excess = Math.abs(rounded - value)
      const below = rounded < value ? 1 : 0
      if (excess >= 2 ** excessBits) throw new WitnessMismatchError('A value is further outside its range than the excess bits can say.')
      putBits(bits, 0, shift, remainder)
      const high = value >= 2 ** (range.length - 1) ? 1 : 0
      putBits(bits, shift, range.length - 1, value - high * lastWeight)
      bits[shift + range.length - 1] = high
      putBits(bits, shift + range.length, excessBits, excess)
      bits[shift + range.length + excessBits] = below
      column(0, value)
      column(1, excess)
      const exact = (value + excess) * scale + remainder
      column(2, exact < 2 ** 53 ? exact : (BigInt(value + excess) << BigInt(shift)) + BigInt(remainder))
      column(3, below)
    },
  }
}

// floor(v / 2^s) and v mod 2^s, exact: dividing a double by a power of two rounds nothing.
function splitter(accumulators: Accumulators, shift: number): (i: number) => readonly [number, number] {
  const scale = 2 ** shift
  if (accumulators instanceof Float64Array) {
    return (i) => {
      const v = accumulators[i] ?? 0
      const rounded = Math.floor(v / scale)
      return [rounded, v - rounded * scale]
    }
  }
  return (i) => {
    const v = accumulators[i] ?? 0n
    const rounded = v >> BigInt(shift)
    return [Number(rounded), Number(v - (rounded << BigInt(shift)))]
  }
}

function maximumWriter(values: Int8Array, taps: number): SlotWriter {
  const output = new Int8Array(values.length / taps)
  for (let i = 0; i < output.length; i++)
    output[i] = values.subarray(i * taps, (i + 1) * taps).reduce((top, value) => Math.max(top, value), -128)
  return {
    output,
    auxiliaries: [],
    write: (element, bits, column) => {
      const top = output[element] ?? 0
      const winner = values.subarray(element * taps, (element + 1) * taps).indexOf(top)
      for (let k = 0; k < taps; k++) {
        const difference = top - (values[element * taps + k] ?? 0)
        putBits(bits, 8 * k, 8, difference)
        column(k, difference)
      }
      bits[8 * taps + winner] = 1
      column(taps + winner, 1)
      column(2 * taps, 1)
    },
  }
}

function argmaxWriter(values: Int8Array): SlotWriter {
  const top = values.reduce((largest, value) => Math.max(largest, value), -128)
  const winner = values.indexOf(top)
  if (winner > 127) throw new WitnessMismatchError('The index of the largest value does not fit an int8 output.')
  const auxiliary = Float64Array.from([...Array.from(values, (_, k) => (k === winner ? 1 : 0)), top])
  return {
    output: Int8Array.of(winner),
    auxiliaries: [auxiliary],
    write: (element, bits, column) => {
      const distance = top - (values[element] ?? 0) - (element < winner ? 1 : 0)
      bits[0] = element === winner ? 1 : 0
      putBits(bits, 1, 8, distance)
      column(0, distance)
      column(1, element === winner ? 1 : 0)
    },
  }
}

function tableWriter(values: Int8Array, table: readonly number[]): SlotWriter {
  return {
    output: values.map((value) => table[value + 128] ?? 0),
    auxiliaries: [],
    write: (element, bits, column) => {
      const index = (values[element] ?? 0) + 128
      const [high, low] = [index >> 4, index & 15]
      bits[high] = 1
      bits[16 + low] = 1
      column(high, 1)
      for (let a = 0; a < 16; a++) column(16 + a, table[16 * a + low] ?? 0)
      column(32, 1)
      column(33, 1)
      column(34, index)
    },
  }
}

function storeInt64(words: Uint32Array, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    words[at] = Number(value & 0xffffffffn)
    words[at + 1] = Number((value >> 32n) & 0xffffffffn)
    return
  }
  words[at] = value >>> 0
  words[at + 1] = Math.floor(value / 2 ** 32) >>> 0
}
