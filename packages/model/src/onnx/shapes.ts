import type { Window } from '../graph.ts'
import type { NodeReader } from './node-reader.ts'

/** The NumPy broadcast of several shapes. */
export function broadcastShapes(node: NodeReader, ...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1
    for (const shape of shapes) {
      const dimension = shape[axis - rank + shape.length] ?? 1
      if (dimension === 1) continue
      if (size !== 1 && size !== dimension)
        throw node.invalid(`shapes ${shapes.map((s) => `[${s.join(', ')}]`).join(' and ')} do not broadcast`)
      size = dimension
    }
    return size
  })
}

/** The shape of a matrix product with NumPy's rules for rank 1 and batches. */
export function matMulShape(node: NodeReader, a: readonly number[], b: readonly number[]): number[] {
  if (a.length === 0 || b.length === 0) throw node.invalid('a scalar is no matrix')
  const [k, kOther] = [a.at(-1), b.length === 1 ? b[0] : b.at(-2)]
  if (k !== kOther) throw node.invalid(`inner sizes ${k} and ${kOther} differ`)
  const batch = broadcastShapes(node, a.slice(0, -2), b.slice(0, -2))
  return [...batch, ...(a.length === 1 ? [] : a.slice(-2, -1)), ...(b.length === 1 ? [] : b.slice(-1))]
}

/** A window and the spatial sizes it produces. */
export type PlacedWindow = { readonly window: Window; readonly size: readonly number[] }

/** Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. */
export function placeWindow(node: NodeReader, input: readonly number[], kernelFallback?: readonly number[]): PlacedWindow {
  const rank = input.length
  const kernel = node.integers('kernel_shape') ?? kernelFallback
  if (kernel === undefined) throw node.invalid('attribute kernel_shape is missing')
  const strides = node.integers('strides') ?? kernel.map(() => 1)
  const dilations = node.integers('dilations') ?? kernel.map(() => 1)
  const pads = node.integers('pads') ?? new Array<number>(2 * rank).fill(0)
  if (rank < 1 || kernel.length !== rank || strides.length !== rank || dilations.length !== rank || pads.length !== 2 * rank)
    throw node.invalid(`window attributes do not fit ${rank} spatial axes`)
  if ([...kernel, ...strides, ...dilations].some((value) => value < 1) || pads.some((value) => value < 0))
    throw node.invalid('a window size, stride or dilation is below 1, or a pad below 0')
  const auto = node.text('auto_pad', 'NOTSET')
  const spans = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1)
  const placed =
    auto === 'SAME_UPPER' || auto === 'SAME_LOWER' ? samePads(input, spans, strides, auto) : auto === 'VALID' ? pads.map(() => 0) : pads
  const ceil = node.integer('ceil_mode', 0) === 1
  const size = input.map((length, axis) => {
    const [begin, end, stride] = [placed[axis] ?? 0, placed[axis + rank] ?? 0, strides[axis] ?? 1]
    const room = length + begin + end - (spans[axis] ?? 1)
    if (room < 0) throw node.invalid('the window is larger than its input')
    const count = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1
    // A window that ceil_mode would start beyond the input and its first pad does not count.
    return ceil && (count - 1) * stride >= length + begin ? count - 1 : count
  })
  return { window: { kernel, strides, dilations, pads: placed }, size }
}

function samePads(input: readonly number[], spans: readonly number[], strides: readonly number[], auto: string): number[] {
  const totals = input.map((length, axis) => {
    const stride = strides[axis] ?? 1
    return Math.max((Math.ceil(length / stride) - 1) * stride + (spans[axis] ?? 1) - length, 0)
  })
  const small = totals.map((total) => Math.floor(total / 2))
  const large = totals.map((total) => Math.ceil(total / 2))
  return auto === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small]
}
