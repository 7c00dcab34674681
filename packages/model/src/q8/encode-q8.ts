import { concatBytes, utf8 } from '@tacit/protocol'
import type { Window } from '../graph.ts'
import { bytesOf } from '../interpret/arrays.ts'
import type { Q8Boundary, Q8Layer, Q8Model, Q8Requantization } from './q8-model.ts'

/** The first eight bytes of every encoding: name and version. */
export const q8Magic: Uint8Array = concatBytes(utf8('TACITQ8'), Uint8Array.of(1))

/** The number of each layer kind in the encoding. */
export const layerKinds = {
  dense: 1,
  conv: 2,
  averagePool: 3,
  maxPool: 4,
  add: 5,
  square: 6,
  rescale: 7,
  denseTransposed: 8,
  matmul: 9,
  softmax: 10,
  layerNorm: 11,
  table: 12,
} as const

/** The canonical bytes of a q8 network (docs/spec/q8.md, section 6). */
export function encodeQ8(model: Q8Model): Uint8Array<ArrayBuffer> {
  return concatBytes(
    q8Magic,
    u32(model.boundaries.length),
    ...model.boundaries.map(boundary),
    u32(model.inputCount, model.layers.length),
    ...model.layers.map(layer),
    u32(model.outputs.length),
    ...model.outputs.map((output) => concatBytes(u32(output.boundary), Uint8Array.of(output.answer === 'argmax' ? 1 : 0))),
  )
}

function boundary({ shape, scale, zeroPoint, lo, hi }: Q8Boundary): Uint8Array {
  const tail = new DataView(new ArrayBuffer(7))
  tail.setFloat32(0, scale, true)
  tail.setInt8(4, zeroPoint)
  tail.setInt8(5, lo)
  tail.setInt8(6, hi)
  return concatBytes(u32(shape.length, ...shape), new Uint8Array(tail.buffer))
}

function layer(of: Q8Layer): Uint8Array {
  const kind = Uint8Array.of(layerKinds[of.kind])
  switch (of.kind) {
    case 'dense':
    case 'denseTransposed':
      return concatBytes(kind, u32(of.input, of.rows, of.inputSize, of.outputSize), requantization(of.requantization), bytesOf(of.weights))
    case 'conv':
      return concatBytes(
        kind,
        u32(of.input),
        window(of.window),
        u32(of.group, of.outputChannels),
        requantization(of.requantization),
        bytesOf(of.weights),
      )
    case 'averagePool':
      return concatBytes(kind, u32(of.input), window(of.window), requantization(of.requantization))
    case 'maxPool':
      return concatBytes(kind, u32(of.input), window(of.window))
    case 'square':
    case 'rescale':
      return concatBytes(kind, u32(of.input), requantization(of.requantization))
    case 'add':
      return concatBytes(kind, u32(...of.inputs, ...of.multipliers), i64(of.bias), Uint8Array.of(of.shift))
    case 'matmul': {
      const order = Uint8Array.of(of.orderB === 'heads' ? 1 : 0)
      return concatBytes(kind, u32(...of.inputs, of.rows, of.heads, of.inner, of.outputs), order, requantization(of.requantization))
    }
    case 'softmax': {
      const mask = Uint8Array.of(of.mask === 'causal' ? 1 : 0)
      return concatBytes(kind, u32(of.input, of.rows, of.heads, of.size), mask, u16(of.table))
    }
    case 'layerNorm':
      return concatBytes(kind, u32(of.input, of.rows, of.size, of.gain), i64(BigInt(of.epsilon)))
    case 'table':
      return concatBytes(kind, u32(of.input), bytesOf(of.table))
  }
}

function window({ kernel, strides, dilations, pads }: Window): Uint8Array {
  return u32(kernel.length, ...kernel, ...strides, ...dilations, ...pads)
}

function requantization({ multipliers, biases, shift }: Q8Requantization): Uint8Array {
  return concatBytes(Uint8Array.of(shift), u32(multipliers.length), u32(...multipliers), i64(...biases))
}

function u32(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true)
  return new Uint8Array(view.buffer)
}

function u16(values: Uint16Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * values.length))
  for (const [index, value] of values.entries()) view.setUint16(2 * index, value, true)
  return new Uint8Array(view.buffer)
}

function i64(...values: readonly bigint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length))
  for (const [index, value] of values.entries()) view.setBigInt64(8 * index, value, true)
  return new Uint8Array(view.buffer)
}
