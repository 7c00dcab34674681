import { InvalidGraphError } from '../errors.ts'
import type { Tensor, TensorData } from '../tensor.ts'

/** Storage whose elements are numbers. */
export type NumberData = Exclude<TensorData, BigInt64Array | BigUint64Array>

/** The elements of a tensor that cannot be 64-bit integers at this place. */
export function numberData(tensor: Tensor): NumberData {
  const { data } = tensor
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    throw new InvalidGraphError('an operator', 'it does not take 64-bit integers')
  return data
}

/** The bit patterns of a tensor's elements, to move values without touching NaN payloads. */
export function bitPatterns(data: TensorData): Uint8Array | Uint16Array | Uint32Array | BigUint64Array {
  const { buffer, byteOffset, length, BYTES_PER_ELEMENT: size } = data
  if (size === 1) return new Uint8Array(buffer, byteOffset, length)
  if (size === 2) return new Uint16Array(buffer, byteOffset, length)
  if (size === 4) return new Uint32Array(buffer, byteOffset, length)
  return new BigUint64Array(buffer, byteOffset, length)
}

/** The bytes of a tensor's elements. */
export function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** to[i] = from[indices[i]]; a negative index leaves to[i] as it is. Both have the same element type. */
export function gatherElements(to: TensorData, from: TensorData, indices: Int32Array): void {
  const target = bitPatterns(to)
  const source = bitPatterns(from)
  if (target instanceof BigUint64Array || source instanceof BigUint64Array) {
    if (!(target instanceof BigUint64Array && source instanceof BigUint64Array)) throw new TypeError('Element sizes differ.')
    for (let i = 0; i < indices.length; i++) if ((indices[i] ?? -1) >= 0) target[i] = source[indices[i] ?? 0] ?? 0n
    return
  }
  for (let i = 0; i < indices.length; i++) if ((indices[i] ?? -1) >= 0) target[i] = source[indices[i] ?? 0] ?? 0
}

/**
 * For every element of `shape` in row-major order, offset + sum over axes of index * stride.
 * Strides of 0 broadcast; negative ones walk backwards.
 */
export function stridedIndices(shape: readonly number[], strides: readonly number[], offset = 0): Int32Array {
  const total = shape.reduce((product, dimension) => product * dimension, 1)
  const indices = new Int32Array(total)
  if (total === 0) return indices
  const counter = new Array<number>(shape.length).fill(0)
  let position = offset
  for (let i = 0; i < total; i++) {
    indices[i] = position
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] ?? 0
      const next = (counter[axis] ?? 0) + 1
      if (next < (shape[axis] ?? 1)) {
        counter[axis] = next
        position += stride
        break
      }
      counter[axis] = 0
      position -= stride * (next - 1)
    }
  }
  return indices
}

/** Where each element of the broadcast `shape` reads a tensor of shape `from`. */
export function broadcastIndices(shape: readonly number[], from: readonly number[]): Int32Array {
  const strides = new Array<number>(shape.length).fill(0)
  let stride = 1
  for (let axis = from.length - 1; axis >= 0; axis--) {
    const size = from[axis] ?? 1
    if (size !== 1) strides[axis + shape.length - from.length] = stride
    stride *= size
  }
  return stridedIndices(shape, strides)
}
