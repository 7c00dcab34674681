import { InvalidGraphError } from '../errors.ts'
import type { ReduceOperator } from '../graph.ts'
import { allocate, elementCount, setElement, stridesOf, type Tensor, type TensorType } from '../tensor.ts'
import { type NumberData, numberData, stridedIndices } from './arrays.ts'
import { laneSum } from './lane-sum.ts'

const f32 = Math.fround

/** First element of every group of a reduction, and where the group's elements lie relative to it, both row-major. */
export function reductionGroups(
  shape: readonly number[],
  axes: readonly number[],
): { readonly starts: Int32Array; readonly offsets: Int32Array } {
  const strides = stridesOf(shape)
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis))
  const pick = (values: readonly number[], chosen: readonly number[]) => chosen.map((axis) => values[axis] ?? 1)
  return {
    starts: stridedIndices(pick(shape, kept), pick(strides, kept)),
    offsets: stridedIndices(pick(shape, axes), pick(strides, axes)),
  }
}

/** Reductions over axes; float32 sums are lane sums, integers are exact and wrap. */
export function reduce(operator: ReduceOperator, x: Tensor, axes: readonly number[], type: TensorType): Tensor {
  const { starts, offsets } = reductionGroups(x.shape, axes)
  const data = allocate(type.elementType, elementCount(type.shape))
  if (x.elementType === 'float32') {
    const input = numberData(x)
    for (let i = 0; i < starts.length; i++) data[i] = reduceFloats(operator, input, starts[i] ?? 0, offsets)
  } else {
    for (let i = 0; i < starts.length; i++) {
      const result = reduceIntegers(operator, x, starts[i] ?? 0, offsets)
      setElement(data, i, typeof data[i] === 'bigint' ? result : Number(BigInt.asIntN(32, result)))
    }
  }
  return { ...type, data }
}

function reduceFloats(operator: ReduceOperator, input: NumberData, start: number, offsets: Int32Array): number {
  const at = (i: number) => input[start + (offsets[i] ?? 0)] ?? 0
  const n = offsets.length
  switch (operator) {
    case 'ReduceSum':
      return laneSum(n, at)
    case 'ReduceMean':
      return f32(laneSum(n, at) / n)
    case 'ReduceSumSquare':
      return laneSum(n, (i) => f32(at(i) * at(i)))
    case 'ReduceL2':
      return f32(Math.sqrt(laneSum(n, (i) => f32(at(i) * at(i)))))
    case 'ReduceProd': {
      let product = 1
      for (let i = 0; i < n; i++) product = f32(product * at(i))
      return product
    }
    case 'ReduceMax':
    case 'ReduceMin': {
      const choose = operator === 'ReduceMax' ? Math.max : Math.min
      let extreme = operator === 'ReduceMax' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
      for (let i = 0; i < n; i++) extreme = choose(extreme, at(i))
      return extreme
    }
  }
}

function reduceIntegers(operator: ReduceOperator, x: Tensor, start: number, offsets: Int32Array): bigint {
  const values = Array.from(offsets, (offset) => BigInt(x.data[start + offset] ?? 0))
  switch (operator) {
    case 'ReduceSum':
      return values.reduce((sum, value) => BigInt.asIntN(64, sum + value), 0n)
    case 'ReduceMean':
      return values.length === 0 ? 0n : values.reduce((sum, value) => BigInt.asIntN(64, sum + value), 0n) / BigInt(values.length)
    case 'ReduceSumSquare':
      return values.reduce((sum, value) => BigInt.asIntN(64, sum + value * value), 0n)
    case 'ReduceProd':
      return values.reduce((product, value) => BigInt.asIntN(64, product * value), 1n)
    case 'ReduceMax':
      return values.reduce((best, value) => (value > best ? value : best))
    case 'ReduceMin':
      return values.reduce((best, value) => (value < best ? value : best))
    case 'ReduceL2':
      throw new InvalidGraphError('an operator ReduceL2', `it does not take ${x.elementType}`)
  }
}

/** Index of the largest or smallest element along an axis; ties give the lowest, NaN counts as largest nowhere. */
export function argExtreme(operator: 'ArgMax' | 'ArgMin', x: Tensor, axis: number, type: TensorType): Tensor {
  const { starts, offsets } = reductionGroups(x.shape, [axis])
  const data = new BigInt64Array(starts.length)
  for (let i = 0; i < starts.length; i++) {
    let best = 0
    for (let k = 1; k < offsets.length; k++) {
      const candidate = x.data[(starts[i] ?? 0) + (offsets[k] ?? 0)] ?? 0
      const current = x.data[(starts[i] ?? 0) + (offsets[best] ?? 0)] ?? 0
      if (operator === 'ArgMax' ? candidate > current : candidate < current) best = k
    }
    data[i] = BigInt(best)
  }
  return { ...type, data }
}
