import type { Operation, ValueId } from '../../graph.ts'
import { elementCount, stridesOf, type TensorType } from '../../tensor.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

type ScatterReduction = Extract<Operation, { operator: 'Scatter' }>['reduction']

/** Indices as int64, negative ones counted from the end. */
function positive(e: Expressions, indices: ValueId, size: number): ValueId {
  const wide = e.cast(indices, 'int64')
  return e.where(e.binary('Less', wide, 0), e.add(wide, size), wide)
}

/** Where each element of `indices` points in a row-major tensor of `shape`, when it replaces the coordinate of `axis`. */
function flatElements(e: Expressions, indices: ValueId, shape: readonly number[], axis: number): ValueId {
  const strides = stridesOf(shape)
  let flat = e.multiply(positive(e, indices, shape[axis] ?? 1), strides[axis] ?? 1)
  for (const [other, size] of e.shape(indices).entries())
    if (other !== axis && size > 1) flat = e.add(flat, e.multiply(e.positions('int64', shape.length, other, size), strides[other] ?? 1))
  return flat
}

/** Where each tuple of `indices` points among the rows that its coordinates leave. */
function flatTuples(e: Expressions, node: NodeReader, indices: ValueId, sizes: readonly number[]): ValueId {
  const shape = e.shape(indices)
  const last = shape.length - 1
  const strides = stridesOf(sizes)
  const terms = sizes.map((size, at) => {
    const coordinate = e.reshape(e.slice(indices, last, { start: at, count: 1 }), shape.slice(0, -1))
    return e.multiply(positive(e, coordinate, size), strides[at] ?? 1)
  })
  const [first, ...rest] = terms
  if (first === undefined) throw node.invalid('its indices have no coordinates')
  return rest.reduce((sum, term) => e.add(sum, term), first)
}

function assertIndices(node: NodeReader, indices: ValueId): void {
  node.expectTypes([indices], ['int32', 'int64'])
}

function gatherElements(node: NodeReader): void {
  const e = new Expressions(node)
  const [x, indices] = [node.input(0), node.input(1)]
  assertIndices(node, indices)
  const { elementType, shape } = node.typeOf(x)
  const axis = node.axis(node.integer('axis', 0), shape.length)
  if (node.shapeOf(indices).length !== shape.length) throw node.invalid('data and indices differ in rank')
  const flat = flatElements(e, indices, shape, axis)
  node.emit({ operator: 'Gather', axis: 0 }, [e.reshape(x, [elementCount(shape)]), flat], { elementType, shape: node.shapeOf(indices) })
}

function gatherTuples(node: NodeReader): void {
  const e = new Expressions(node)
  const [x, indices] = [node.input(0), node.input(1)]
  assertIndices(node, indices)
  const { elementType, shape } = node.typeOf(x)
  const from = node.shapeOf(indices)
  const batchAxes = node.integer('batch_dims', 0)
  const width = from.at(-1) ?? 0
  if (from.length < 1 || width < 1 || batchAxes + width > shape.length || batchAxes >= from.length)
    throw node.invalid('its indices do not fit its data')
  const sizes = shape.slice(0, batchAxes + width)
  const inner = shape.slice(batchAxes + width)
  let flat = flatTuples(e, node, indices, sizes.slice(batchAxes))
  // A batch coordinate is the position along that axis of the indices.
  const strides = stridesOf(sizes)
  for (let axis = 0; axis < batchAxes; axis++)
    flat = e.add(flat, e.multiply(e.positions('int64', from.length - 1, axis, from[axis] ?? 1), strides[axis] ?? 1))
  const rows = e.reshape(x, [elementCount(sizes), ...inner])
  node.emit({ operator: 'Gather', axis: 0 }, [rows, flat], { elementType, shape: [...from.slice(0, -1), ...inner] })
}

function reductionOf(node: NodeReader): ScatterReduction {
  const reduction = node.text('reduction', 'none')
  if (reduction !== 'none' && reduction !== 'add' && reduction !== 'mul' && reduction !== 'min' && reduction !== 'max')
    throw node.unsupported(`its reduction is ${reduction}`, 'none, add, mul, min, max')
  return reduction
}

type Scatter = { readonly rows: number; readonly width: number; readonly indices: ValueId; readonly updates: ValueId }

function emitScatter(node: NodeReader, e: Expressions, { rows, width, indices, updates }: Scatter): void {
  const data = node.input(0)
  const type = node.typeOf(data)
  const count = elementCount(node.shapeOf(indices))
  const flat: TensorType = { elementType: type.elementType, shape: [rows, width] }
  const inputs = [e.reshape(data, flat.shape), e.reshape(indices, [count, 1]), e.reshape(updates, [count, width])]
  const result = node.emitInner({ operator: 'Scatter', reduction: reductionOf(node) }, inputs, flat)
  node.emit({ operator: 'Reshape' }, [result], type)
}

function scatterElements(node: NodeReader): void {
  const e = new Expressions(node)
  const [data, indices, updates] = [node.input(0), node.input(1), node.input(2)]
  assertIndices(node, indices)
  const { shape } = node.typeOf(data)
  const axis = node.axis(node.integer('axis', 0), shape.length)
  const own = node.shapeOf(indices)
  if (
    own.length !== shape.length ||
    own.some((size, other) => size !== node.shapeOf(updates)[other] || (other !== axis && size > (shape[other] ?? 0)))
  )
    throw node.invalid('its indices and updates do not fit its data')
  emitScatter(node, e, { rows: elementCount(shape), width: 1, indices: flatElements(e, indices, shape, axis), updates })
}

function scatterTuples(node: NodeReader): void {
  const e = new Expressions(node)
  const [data, indices, updates] = [node.input(0), node.input(1), node.input(2)]
  assertIndices(node, indices)
  const { shape } = node.typeOf(data)
  const from = node.shapeOf(indices)
  const width = from.at(-1) ?? 0
  const inner = shape.slice(width)
  if (
    from.length < 1 ||
    width < 1 ||
    width > shape.length ||
    elementCount(node.shapeOf(updates)) !== elementCount(from.slice(0, -1)) * elementCount(inner)
  )
    throw node.invalid('its indices and updates do not fit its data')
  const sizes = shape.slice(0, width)
  emitScatter(node, e, { rows: elementCount(sizes), width: elementCount(inner), indices: flatTuples(e, node, indices, sizes), updates })
}

/** New keys or values written into a cache of fixed length, from a position per batch entry on. */
function tensorScatter(node: NodeReader): void {
  const e = new Expressions(node)
  const [data, update, start] = [node.input(0), node.input(1), node.optional(2)]
  const { shape } = node.typeOf(data)
  const axis = node.axis(node.integer('axis', -2), shape.length)
  const [size, count, batch] = [shape[axis] ?? 0, node.shapeOf(update)[axis] ?? 0, shape[0] ?? 1]
  if (axis === 0 || node.shapeOf(update).some((length, other) => other !== axis && length !== shape[other]))
    throw node.invalid('its update does not fit its data')
  const inner = elementCount(shape.slice(axis + 1))
  const outer = elementCount(shape.slice(0, axis))
  const begin = start === undefined ? e.filled('int64', [batch], 0) : e.cast(start, 'int64')
  let position = e.add(e.reshape(begin, [batch, 1, 1]), e.positions('int64', 3, 2, count))
  if (node.text('mode', 'linear') === 'circular') position = e.subtract(position, e.multiply(e.divide(position, size), size))
  const rowStarts = e.multiply(e.reshape(e.positions('int64', 1, 0, outer), [batch, outer / batch, 1]), size)
  const indices = e.reshape(e.add(rowStarts, position), [outer * count])
  emitScatter(node, e, { rows: outer * size, width: inner, indices, updates: update })
}

/** The k largest or smallest elements along an axis and where they are; of equals the first ones. */
function topK(node: NodeReader): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32', 'int8', 'uint8', 'int32', 'int64', 'int16', 'uint16', 'uint32', 'uint64'])
  const { elementType, shape } = node.typeOf(x)
  const axis = node.axis(node.integer('axis', -1), shape.length)
  const k = node.version < 10 ? node.integer('k') : Number(node.constant(1, 'k').data[0] ?? 0)
  if (!(Number.isSafeInteger(k) && k >= 0 && k <= (shape[axis] ?? 0))) throw node.invalid(`k is ${k} on an axis of ${shape[axis]}`)
  const result = shape.with(axis, k)
  const largest = node.integer('largest', 1) !== 0
  node.emit({ operator: 'TopK', axis, k, largest }, [x], { elementType, shape: result }, { elementType: 'int64', shape: result })
}

/** Slices chosen by a condition that is known at import. */
function compress(node: NodeReader): void {
  const e = new Expressions(node)
  const x = node.input(0)
  const chosen = Array.from(node.constant(1, 'condition').data as ArrayLike<number>).flatMap((value, index) => (value !== 0 ? [index] : []))
  const whole = !node.has('axis')
  const data = whole ? e.reshape(x, [elementCount(node.shapeOf(x))]) : x
  const axis = whole ? 0 : node.axis(node.integer('axis'), node.shapeOf(x).length)
  node.emitAlias(0, e.gather(data, e.constant('int64', [chosen.length], chosen), axis))
}

/** Where a tensor that is known at import is not zero. */
function nonZero(node: NodeReader): void {
  const { shape, data } = node.constant(0, 'input')
  const strides = stridesOf(shape)
  const found = Array.from(data as ArrayLike<number | bigint>, Number).flatMap((value, index) => (value !== 0 ? [index] : []))
  const coordinates = shape.flatMap((size, axis) => found.map((index) => Math.floor(index / (strides[axis] ?? 1)) % size))
  node.emitAlias(0, new Expressions(node).constant('int64', [shape.length, found.length], coordinates))
}

/** Reading and writing at computed places, and selection. */
export const indexingReaders: Readonly<Record<string, OperatorReader>> = {
  GatherElements: gatherElements,
  GatherND: gatherTuples,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterTuples,
  TensorScatter: tensorScatter,
  TopK: topK,
  Compress: compress,
  NonZero: nonZero,
}
