import type { ValueId } from '../../graph.ts'
import { elementCount, type TensorType } from '../../tensor.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { placeWindow } from '../shapes.ts'
import { elementTypeFromOnnx } from '../tensor-proto.ts'
import { cos } from './trigonometry.ts'

function floats(node: NodeReader): readonly [Expressions, ValueId] {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  return [new Expressions(node), x]
}

function isInfinite(node: NodeReader): void {
  const [e, x] = floats(node)
  const [low, high] = [node.integer('detect_negative', 1) !== 0, node.integer('detect_positive', 1) !== 0]
  const parts = [
    ...(high ? [e.binary('Equal', x, Number.POSITIVE_INFINITY)] : []),
    ...(low ? [e.binary('Equal', x, Number.NEGATIVE_INFINITY)] : []),
  ]
  const [first = e.filled('bool', e.shape(x), 0), second] = parts
  node.emitAlias(0, second === undefined ? first : e.binary('Or', first, second))
}

/** Local response normalisation over neighbouring channels. */
function localResponse(node: NodeReader): void {
  const [e, x] = floats(node)
  const size = node.integer('size')
  const channels = e.shape(x)[1] ?? 1
  if (size < 1 || size > 256) throw node.unsupported(`its size is ${size}`, 'sizes from 1 to 256')
  const before = Math.floor((size - 1) / 2)
  const rank = e.shape(x).length
  const pads = new Array<number>(2 * rank)
    .fill(0)
    .with(1, before)
    .with(rank + 1, size - 1 - before)
  const padded = e.pad(e.multiply(x, x), pads)
  const terms = Array.from({ length: size }, (_, offset) => e.slice(padded, 1, { start: offset, count: channels }))
  const sum = terms.reduce((total, term) => e.add(total, term))
  const base = e.add(e.multiply(sum, node.float('alpha', 1e-4) / size), node.float('bias', 1))
  node.emitAlias(0, e.divide(x, e.binary('Pow', base, node.float('beta', 0.75))))
}

function meanVariance(node: NodeReader): void {
  const [e, x] = floats(node)
  const axes = (node.integers('axes') ?? [0, 2, 3]).map((axis) => node.axis(axis, e.shape(x).length))
  const mean = e.reduce('ReduceMean', x, axes, true)
  const deviation = e.subtract(x, mean)
  const variance = e.reduce('ReduceMean', e.multiply(deviation, deviation), axes, true)
  node.emitAlias(0, e.divide(deviation, e.add(e.unary('Sqrt', variance), 1e-9)))
}

/** The p-norm of every window, from the average of p-th powers. */
function normPool(node: NodeReader): void {
  const [e, x] = floats(node)
  const shape = e.shape(x)
  const { window, size } = placeWindow(node, shape.slice(2))
  const p = node.integer('p', 2)
  const powers = e.binary('Pow', e.unary('Abs', x), p)
  const type: TensorType = { elementType: 'float32', shape: [...shape.slice(0, 2), ...size] }
  const mean = node.emitInner({ operator: 'AveragePool', window, countIncludePad: true }, [powers], type)
  // The divisor counts positions within the pads, which is the whole kernel wherever no window reaches past them.
  const past = size.some((count, axis) => {
    const span = ((window.kernel[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1)
    return (
      (count - 1) * (window.strides[axis] ?? 1) + span >=
      (shape[axis + 2] ?? 1) + (window.pads[axis] ?? 0) + (window.pads[axis + size.length] ?? 0)
    )
  })
  if (past) throw node.unsupported('ceil_mode reaches past its pads', 'windows that end inside the padded input')
  node.emitAlias(0, e.binary('Pow', e.multiply(mean, elementCount(window.kernel)), 1 / p))
}

function globalNormPool(node: NodeReader): void {
  const [e, x] = floats(node)
  const axes = e
    .shape(x)
    .map((_, axis) => axis)
    .slice(2)
  const p = node.integer('p', 2)
  node.emitAlias(0, e.binary('Pow', e.reduce('ReduceSum', e.binary('Pow', e.unary('Abs', x), p), axes, true), 1 / p))
}

function eyeLike(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const [rows = 0, columns = 0] = shape
  if (shape.length !== 2) throw node.invalid('its input is no matrix')
  const k = node.integer('k', 0)
  const target = node.has('dtype') ? elementTypeFromOnnx(node.integer('dtype'), `Node ${node.node.name}`) : elementType
  node.emitConstant(node.generated(target, [rows, columns], (i) => Number((i % columns) - Math.floor(i / columns) === k)))
}

function shrink(node: NodeReader): void {
  const x = node.input(0)
  const e = new Expressions(node)
  const [lambda, bias] = [node.float('lambd', 0.5), node.float('bias', 0)]
  const value = e.cast(x, 'float32')
  const high = e.where(e.binary('Greater', value, lambda), e.subtract(value, bias), 0)
  const result = e.where(e.binary('Less', value, -lambda), e.add(value, bias), high)
  node.emitAlias(0, e.cast(result, node.typeOf(x).elementType))
}

/** Crops or pads the middle of some axes to a size that is known at import. */
function centerCropPad(node: NodeReader): void {
  const e = new Expressions(node)
  const x = node.input(0)
  const shape = e.shape(x)
  const wanted = Array.from(node.constant(1, 'shape').data as ArrayLike<number | bigint>, Number)
  const axes = (node.integers('axes') ?? shape.map((_, axis) => axis)).map((axis) => node.axis(axis, shape.length))
  const pads = new Array<number>(2 * shape.length).fill(0)
  for (const [index, axis] of axes.entries()) {
    const [size, target] = [shape[axis] ?? 0, wanted[index] ?? 0]
    // The larger half of an odd difference lies behind.
    const before = target >= size ? Math.floor((target - size) / 2) : -Math.floor((size - target) / 2)
    pads[axis] = before
    pads[axis + shape.length] = target - size - before
  }
  node.emitAlias(0, e.pad(x, pads))
}

/** Rows of a matrix reversed up to lengths that are known at import. */
function reverseSequence(node: NodeReader): void {
  const e = new Expressions(node)
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const [batchAxis, timeAxis] = [node.integer('batch_axis', 1), node.integer('time_axis', 0)]
  const lengths = Array.from(node.constant(1, 'sequence lengths').data as ArrayLike<number | bigint>, Number)
  const [batch = 1, time = 1] = [shape[batchAxis], shape[timeAxis]]
  if (new Set([batchAxis, timeAxis, 0, 1]).size !== 2 || lengths.length !== batch) throw node.invalid('its axes are not 0 and 1')
  node.reserve(batch * time)
  const rows = e.reshape(batchAxis === 0 ? x : e.transpose(x, [1, 0, ...shape.slice(2).map((_, axis) => axis + 2)]), [
    batch * time,
    ...shape.slice(2),
  ])
  const indices = lengths.flatMap((length, b) => Array.from({ length: time }, (_, t) => b * time + (t < length ? length - 1 - t : t)))
  const picked = e.reshape(e.gather(rows, e.constant('int64', [batch * time], indices), 0), [batch, time, ...shape.slice(2)])
  if (batchAxis === 0) node.emit({ operator: 'Reshape' }, [picked], { elementType, shape })
  else node.emitAlias(0, e.transpose(picked, [1, 0, ...shape.slice(2).map((_, axis) => axis + 2)]))
}

/** Sums of cosines over n = 0 .. size - 1. */
function window(coefficients: readonly number[]): OperatorReader {
  return (node) => {
    const e = new Expressions(node)
    const size = Number(node.constant(0, 'size').data[0] ?? 0)
    const period = node.integer('periodic', 1) !== 0 ? size : size - 1
    const elementType = elementTypeFromOnnx(node.integer('output_datatype', 1), `Node ${node.node.name}`)
    const n = e.positions('float32', 1, 0, size)
    const [constant = 0, ...rest] = coefficients
    const terms = rest.map((a, k) => e.multiply(cos(e, e.multiply(n, (2 * Math.PI * (k + 1)) / period)), k % 2 === 0 ? -a : a))
    const sum = terms.reduce((total, term) => e.add(total, term), e.filled('float32', [size], constant))
    node.emitAlias(0, e.cast(sum, elementType))
  }
}

/** Old names and small operators. */
export const variousReaders: Readonly<Record<string, OperatorReader>> = {
  IsNaN: (node) => {
    const [e, x] = floats(node)
    node.emitAlias(0, e.unary('Not', e.binary('Equal', x, x)))
  },
  IsInf: isInfinite,
  LRN: localResponse,
  MeanVarianceNormalization: meanVariance,
  LpPool: normPool,
  GlobalLpPool: globalNormPool,
  EyeLike: eyeLike,
  Shrink: shrink,
  CenterCropPad: centerCropPad,
  ReverseSequence: reverseSequence,
  HannWindow: window([0.5, 0.5]),
  HammingWindow: window([25 / 46, 21 / 46]),
  BlackmanWindow: window([0.42, 0.5, 0.08]),
}
