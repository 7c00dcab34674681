import type { Operation } from '../graph.ts'
import { allocate, elementCount, type Tensor, type TensorType } from '../tensor.ts'
import { broadcastIndices, type NumberData, numberData } from './arrays.ts'

const f32 = Math.fround

/** One operand of a batch of products, read by row and column of op(a). */
export type MatrixOperand = { readonly data: NumberData; readonly rowStride: number; readonly columnStride: number }

/** A product of [..., m, k] and [..., k, n], with rank-1 operands promoted and the batch axes broadcast. */
export type ProductShape = {
  readonly m: number
  readonly k: number
  readonly n: number
  /** First element of a and of b for every product of the batch. */
  readonly offsetsA: Int32Array
  readonly offsetsB: Int32Array
}

/** The sizes and batch offsets of NumPy's matmul. */
export function productShape(a: readonly number[], b: readonly number[]): ProductShape {
  const left = a.length === 1 ? [1, ...a] : a
  const right = b.length === 1 ? [...b, 1] : b
  const [m = 1, k = 1] = left.slice(-2)
  const n = right.at(-1) ?? 1
  const batchA = left.slice(0, -2)
  const batchB = right.slice(0, -2)
  const batch = broadcastBatch(batchA, batchB)
  const scale = (indices: Int32Array, size: number) => indices.map((index) => index * size)
  return {
    m,
    k,
    n,
    offsetsA: scale(broadcastIndices(batch, batchA), m * k),
    offsetsB: scale(broadcastIndices(batch, batchB), k * n),
  }
}

function broadcastBatch(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1]
    return x === 1 ? y : x
  })
}

/** Float matrix product: one accumulator per output, k ascending, every step rounded. */
export function matMul(a: Tensor, b: Tensor, type: TensorType): Tensor {
  const { m, k, n, offsetsA, offsetsB } = productShape(a.shape, b.shape)
  const data = new Float32Array(elementCount(type.shape))
  const [x, y] = [numberData(a), numberData(b)]
  for (let batch = 0; batch < offsetsA.length; batch++) {
    const left = { data: x.subarray(offsetsA[batch]), rowStride: k, columnStride: 1 }
    const right = { data: y.subarray(offsetsB[batch]), rowStride: n, columnStride: 1 }
    multiplyInto(data.subarray(batch * m * n), { m, k, n }, left, right)
  }
  return { ...type, data }
}

/** alpha op(a) op(b) + beta c. */
export function gemm(
  operation: Extract<Operation, { operator: 'Gemm' }>,
  inputs: readonly [Tensor, Tensor, Tensor | undefined],
  type: TensorType,
): Tensor {
  const [a, b, c] = inputs
  const [m = 1, n = 1] = type.shape
  const k = a.shape[operation.transA ? 0 : 1] ?? 1
  const data = new Float32Array(m * n)
  const left = { data: numberData(a), rowStride: operation.transA ? 1 : k, columnStride: operation.transA ? m : 1 }
  const right = { data: numberData(b), rowStride: operation.transB ? 1 : n, columnStride: operation.transB ? k : 1 }
  multiplyInto(data, { m, k, n }, left, right)
  const alpha = f32(operation.alpha)
  if (alpha !== 1) for (let i = 0; i < data.length; i++) data[i] = f32(alpha * (data[i] ?? 0))
  if (c !== undefined) addBias(data, c, type.shape, f32(operation.beta))
  return { ...type, data }
}

function addBias(data: Float32Array, c: Tensor, shape: readonly number[], beta: number): void {
  const bias = numberData(c)
  const index = broadcastIndices(shape, c.shape)
  for (let i = 0; i < data.length; i++) {
    const value = bias[index[i] ?? 0] ?? 0
    data[i] = f32((data[i] ?? 0) + (beta === 1 ? value : f32(beta * value)))
  }
}

function multiplyInto(
  out: Float32Array,
  size: { readonly m: number; readonly k: number; readonly n: number },
  a: MatrixOperand,
  b: MatrixOperand,
): void {
  const { m, k, n } = size
  for (let row = 0; row < m; row++)
    for (let column = 0; column < n; column++) {
      let sum = 0
      for (let i = 0; i < k; i++) {
        const product = f32(
          (a.data[row * a.rowStride + i * a.columnStride] ?? 0) * (b.data[i * b.rowStride + column * b.columnStride] ?? 0),
        )
        sum = f32(sum + product)
      }
      out[row * n + column] = sum
    }
}

/** Exact integer matrix product of zero-point-corrected operands, modulo 2^32. */
export function integerMatMul(a: Tensor, b: Tensor, zeroPoints: { readonly a: Tensor; readonly b: Tensor }, type: TensorType): Tensor {
  const { m, k, n, offsetsA, offsetsB } = productShape(a.shape, b.shape)
  const data = allocate('int32', elementCount(type.shape))
  const [x, y] = [numberData(a), numberData(b)]
  const rowZero = zeroPointReader(zeroPoints.a)
  const columnZero = zeroPointReader(zeroPoints.b)
  for (let batch = 0; batch < offsetsA.length; batch++)
    for (let row = 0; row < m; row++)
      for (let column = 0; column < n; column++) {
        const [startA, startB] = [(offsetsA[batch] ?? 0) + row * k, (offsetsB[batch] ?? 0) + column]
        const [zeroA, zeroB] = [rowZero(row), columnZero(column)]
        let sum = 0
        for (let i = 0; i < k; i++) sum = (sum + Math.imul((x[startA + i] ?? 0) - zeroA, (y[startB + i * n] ?? 0) - zeroB)) | 0
        data[(batch * m + row) * n + column] = sum
      }
  return { ...type, data }
}

/** A zero point for all, or one per index. */
export function zeroPointReader(zeroPoint: Tensor): (index: number) => number {
  const values = numberData(zeroPoint)
  return values.length === 1 ? () => values[0] ?? 0 : (index) => values[index] ?? 0
}
