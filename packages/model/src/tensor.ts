/** The element types that graphs carry. */
export type ElementType = 'float32' | 'float64' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'bool'

/** Element type and static shape. A scalar has the empty shape. */
export type TensorType = { readonly elementType: ElementType; readonly shape: readonly number[] }

/** The typed array that holds each element type; `bool` is one byte, 0 or 1. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

/** A value: its type and its elements in row-major order. */
export type Tensor = TensorType & { readonly data: TensorData }

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const

/** Zeroed storage for `count` elements of a type. */
export function allocate(elementType: ElementType, count: number): TensorData {
  return new constructors[elementType](count)
}

/** Bytes of one element. */
export function elementSizeBytes(elementType: ElementType): number {
  return constructors[elementType].BYTES_PER_ELEMENT
}

/** The number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

/** A tensor from numbers (integers for integer types), in row-major order. */
export function tensor(elementType: ElementType, shape: readonly number[], values: Iterable<number | bigint>): Tensor {
  const data = allocate(elementType, elementCount(shape))
  let index = 0
  for (const value of values) {
    if (index >= data.length) throw new RangeError(`${index + 1} values do not fit shape [${shape.join(', ')}].`)
    setElement(data, index++, value)
  }
  if (index !== data.length) throw new RangeError(`${index} values do not fill shape [${shape.join(', ')}].`)
  return { elementType, shape, data }
}

/** A float32 tensor over existing values. */
export function float32(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return { elementType: 'float32', shape, data: Float32Array.from(values) }
}

/** One element as a number; 64-bit integers beyond 2^53 are rounded. */
export function getNumber(data: TensorData, index: number): number {
  return Number(data[index] ?? 0)
}

/** Stores one element, converting between number and bigint as the storage asks. */
export function setElement(data: TensorData, index: number, value: number | bigint): void {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = typeof value === 'bigint' ? value : BigInt(value)
  else data[index] = Number(value)
}

/** All elements as numbers; 64-bit integers beyond 2^53 are rounded. */
export function toNumbers(data: TensorData): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number)
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis])
}

/** Row-major strides of a shape, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1)
  return strides
}
