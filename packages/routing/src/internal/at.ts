/** The element at an index that the caller knows to exist. */
export function at<T>(items: { readonly [index: number]: T; readonly length: number }, index: number): T {
  const item = items[index]
  if (item === undefined) throw new RangeError(`index ${index} of ${items.length}`)
  return item
}

/** 0, 1, ..., count - 1. */
export function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}
