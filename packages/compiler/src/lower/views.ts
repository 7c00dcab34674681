import { elementCount, stridesOf } from '@tacit/model'
import { type Region, type Storage, storageBytes, type View } from '../program/program.ts'

/** A dense row-major view from the start of a region. */
export function denseView(region: Region, storage: Storage, shape: readonly number[], zeroPoint = 0): View {
  return { region, offsetBytes: 0, storage, zeroPoint, shape, strides: stridesOf(shape) }
}

/** Whether the elements lie one after the other in row-major order. */
export function isDense(view: View): boolean {
  let expected = 1
  for (let axis = view.shape.length - 1; axis >= 0; axis--) {
    if ((view.shape[axis] ?? 1) !== 1 && view.strides[axis] !== expected) return false
    expected *= view.shape[axis] ?? 1
  }
  return true
}

/** Axes permuted: output axis i is input axis perm[i]. */
export function transposed(view: View, perm: readonly number[]): View {
  const { border: _, ...rest } = view
  return { ...rest, shape: perm.map((axis) => view.shape[axis] ?? 1), strides: perm.map((axis) => view.strides[axis] ?? 0) }
}

/** From `starts`, every `steps`-th element, `shape` of them. */
export function sliced(
  view: View,
  { starts, steps, shape }: { starts: readonly number[]; steps: readonly number[]; shape: readonly number[] },
): View {
  const { border: _, ...rest } = view
  const skipped = starts.reduce((sum, start, axis) => sum + start * (view.strides[axis] ?? 0), 0)
  return {
    ...rest,
    offsetBytes: view.offsetBytes + skipped * storageBytes[view.storage],
    shape,
    strides: view.strides.map((stride, axis) => stride * (steps[axis] ?? 1)),
  }
}

/** Broadcast to a shape of the same or higher rank. */
export function broadcast(view: View, shape: readonly number[]): View {
  const missing = shape.length - view.shape.length
  const { border: _, ...rest } = view
  return {
    ...rest,
    shape,
    strides: shape.map((size, axis) => ((view.shape[axis - missing] ?? 1) === size ? (view.strides[axis - missing] ?? 0) : 0)),
  }
}

/** The same elements in row-major order under another shape, or undefined where that needs a copy. */
export function reshaped(view: View, shape: readonly number[]): View | undefined {
  const { border: _, ...rest } = view
  if (elementCount(shape) === 0) return { ...rest, shape, strides: stridesOf(shape) }
  // Walk both shapes from the end, in groups of axes with equal products; inside a group the source must be dense.
  const strides = new Array<number>(shape.length).fill(1)
  let from = view.shape.length - 1
  let to = shape.length - 1
  while (from >= 0 || to >= 0) {
    const [first, firstTo] = [from, to]
    let [sourceSize, targetSize] = [1, 1]
    if (from >= 0) sourceSize = view.shape[from--] ?? 1
    if (to >= 0) targetSize = shape[to--] ?? 1
    while (sourceSize !== targetSize) {
      if (sourceSize < targetSize && from >= 0) sourceSize *= view.shape[from--] ?? 1
      else if (to >= 0) targetSize *= shape[to--] ?? 1
      else return undefined
    }
    const step = groupStep(view, from + 1, first)
    if (step === undefined) return undefined
    let stride = step
    for (let axis = firstTo; axis > to; axis--) {
      strides[axis] = stride
      stride *= shape[axis] ?? 1
    }
  }
  return { ...rest, shape, strides }
}

/** The innermost step of axes first..last if they are walked as one, else undefined. */
function groupStep(view: View, first: number, last: number): number | undefined {
  let step: number | undefined
  let expected = 0
  for (let axis = last; axis >= first; axis--) {
    const size = view.shape[axis] ?? 1
    if (size === 1) continue
    const stride = view.strides[axis] ?? 0
    if (step === undefined) step = stride
    else if (stride !== expected) return undefined
    expected = stride * size
  }
  return step ?? 1
}
