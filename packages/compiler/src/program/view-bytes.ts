import { walkedBytes } from './byte-ranges.ts'
import { type Extent, storageBytes, type View } from './program.ts'

/** The bytes that the elements of a view take up, or undefined where they are in too many pieces to follow. */
export function viewTouches(view: View): Extent | undefined {
  const size = storageBytes[view.storage]
  const strides = view.shape.map((count, axis) => ({ count, stepBytes: (view.strides[axis] ?? 0) * size }))
  const ranges = walkedBytes(view.offsetBytes, strides, size)
  return ranges === undefined ? undefined : { region: view.region, ranges }
}
