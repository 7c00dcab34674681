import { InvalidGraphError } from '../errors.ts'
import type { Operation } from '../graph.ts'
import { allocate, elementCount, elementSizeBytes, getNumber, setElement, stridesOf, type Tensor, type TensorType } from '../tensor.ts'
import { broadcastIndices, bytesOf, gatherElements, stridedIndices } from './arrays.ts'

/** The same elements under another shape. */
export function reshape(x: Tensor, type: TensorType): Tensor {
  return { ...type, data: x.data }
}

/** Axes permuted: output axis i is input axis perm[i]. */
export function transpose(perm: readonly number[], x: Tensor, type: TensorType): Tensor {
  const strides = stridesOf(x.shape)
  return pickElements(
    x,
    type,
    stridedIndices(
      type.shape,
      perm.map((axis) => strides[axis] ?? 1),
    ),
  )
}

/** Broadcast to the output's shape. */
export function expand(x: Tensor, type: TensorType): Tensor {
  return pickElements(x, type, broadcastIndices(type.shape, x.shape))
}

/** Every start-th element, step by step, per axis. */
export function slice(
  form: { readonly starts: readonly number[]; readonly steps: readonly number[] },
  x: Tensor,
  type: TensorType,
): Tensor {
  const strides = stridesOf(x.shape)
  const offset = form.starts.reduce((sum, start, axis) => sum + start * (strides[axis] ?? 1), 0)
  const steps = form.steps.map((step, axis) => step * (strides[axis] ?? 1))
  return pickElements(x, type, stridedIndices(type.shape, steps, offset))
}

/** The tensor repeated along each axis. */
export function tile(x: Tensor, type: TensorType): Tensor {
  return pickElements(
    x,
    type,
    mappedIndices(x.shape, type.shape, (position, _, size) => position % size),
  )
}

/** Surrounded by a constant or by its own elements; negative pads crop. */
export function pad(form: Extract<Operation, { operator: 'Pad' }>, x: Tensor, type: TensorType): Tensor {
  const indices = mappedIndices(x.shape, type.shape, (position, axis, size) => {
    const at = position - (form.pads[axis] ?? 0)
    if (at >= 0 && at < size) return at
    if (form.mode === 'edge') return at < 0 ? 0 : size - 1
    if (form.mode === 'wrap') return ((at % size) + size) % size
    if (form.mode === 'reflect') return reflect(at, size)
    return -1
  })
  const data = allocate(type.elementType, indices.length)
  if (form.mode === 'constant' && form.value !== 0) for (let i = 0; i < data.length; i++) setElement(data, i, form.value)
  gatherElements(data, x.data, indices)
  return { ...type, data }
}

function reflect(at: number, size: number): number {
  if (size === 1) return 0
  const period = 2 * (size - 1)
  const folded = ((at % period) + period) % period
  return folded < size ? folded : period - folded
}

/** Tensors one after the other along an axis. */
export function concat(axis: number, inputs: readonly Tensor[], type: TensorType): Tensor {
  const data = allocate(type.elementType, elementCount(type.shape))
  const bytes = bytesOf(data)
  const rowBytes = elementCount(type.shape.slice(axis)) * elementSizeBytes(type.elementType)
  let column = 0
  for (const input of inputs) {
    const partBytes = elementCount(input.shape.slice(axis)) * elementSizeBytes(type.elementType)
    const source = bytesOf(input.data)
    if (partBytes > 0)
      for (let row = 0; row * partBytes < source.length; row++)
        bytes.set(source.subarray(row * partBytes, (row + 1) * partBytes), row * rowBytes + column)
    column += partBytes
  }
  return { ...type, data }
}

/** The inverse of {@link concat}. */
export function split(axis: number, x: Tensor, types: readonly TensorType[]): Tensor[] {
  const strides = stridesOf(x.shape)
  let start = 0
  return types.map((type) => {
    const indices = stridedIndices(type.shape, strides, start * (strides[axis] ?? 1))
    start += type.shape[axis] ?? 0
    return pickElements(x, type, indices)
  })
}

/** Slices of `data` along an axis, chosen by index. */
export function gather(axis: number, data: Tensor, indices: Tensor, type: TensorType): Tensor {
  const size = data.shape[axis] ?? 1
  const inner = elementCount(data.shape.slice(axis + 1))
  const outer = elementCount(data.shape.slice(0, axis))
  const count = indices.data.length
  const source = new Int32Array(outer * count * inner)
  for (let i = 0; i < count; i++) {
    const chosen = getNumber(indices.data, i)
    const index = chosen < 0 ? chosen + size : chosen
    if (!(index >= 0 && index < size)) throw new InvalidGraphError('a Gather', `index ${chosen} is outside an axis of ${size}`)
    for (let o = 0; o < outer; o++) for (let k = 0; k < inner; k++) source[(o * count + i) * inner + k] = (o * size + index) * inner + k
  }
  return pickElements(data, type, source)
}

function pickElements(x: Tensor, type: TensorType, indices: Int32Array): Tensor {
  const data = allocate(type.elementType, indices.length)
  gatherElements(data, x.data, indices)
  return { ...type, data }
}

/** Source indices where each axis is mapped on its own; -1 where any axis maps to -1. */
function mappedIndices(
  from: readonly number[],
  to: readonly number[],
  map: (position: number, axis: number, size: number) => number,
): Int32Array {
  let indices = Int32Array.of(0)
  for (const [axis, size] of to.entries()) {
    const source = from[axis] ?? 1
    const mapped = Int32Array.from({ length: size }, (_, position) => map(position, axis, source))
    const next = new Int32Array(indices.length * size)
    for (const [i, base] of indices.entries())
      for (const [k, at] of mapped.entries()) next[i * size + k] = base < 0 || at < 0 ? -1 : base * source + at
    indices = next
  }
  return indices
}
