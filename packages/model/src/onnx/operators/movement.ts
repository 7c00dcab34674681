import type { ValueId } from '../../graph.ts'
import { elementCount, tensor, toNumbers } from '../../tensor.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { broadcastShapes } from '../shapes.ts'

function emitReshape(node: NodeReader, x: ValueId, shape: readonly number[]): void {
  const type = node.typeOf(x)
  if (elementCount(shape) !== elementCount(type.shape))
    throw node.invalid(`[${type.shape.join(', ')}] does not reshape to [${shape.join(', ')}]`)
  node.emit({ operator: 'Reshape' }, [x], { elementType: type.elementType, shape })
}

function reshape(node: NodeReader): void {
  const x = node.input(0)
  const from = node.shapeOf(x)
  const allowZero = node.integer('allowzero', 0) !== 0
  const wanted = toNumbers(node.constant(1, 'target shape').data)
  const shape = wanted.map((size, axis) => (size === 0 && !allowZero ? (from[axis] ?? 0) : size))
  const open = shape.indexOf(-1)
  if (shape.some((size, axis) => size < 0 && axis !== open)) throw node.invalid(`target shape [${wanted.join(', ')}] is not a shape`)
  if (open >= 0) {
    const known = shape.reduce((product, size, axis) => (axis === open ? product : product * size), 1)
    shape[open] = known === 0 ? 0 : elementCount(from) / known
    if (!Number.isInteger(shape[open])) throw node.invalid(`[${from.join(', ')}] does not reshape to [${wanted.join(', ')}]`)
  }
  emitReshape(node, x, shape)
}

function flatten(node: NodeReader): void {
  const x = node.input(0)
  const shape = node.shapeOf(x)
  const axis = node.integer('axis', 1)
  const at = axis === shape.length ? axis : node.axis(axis, Math.max(shape.length, 1))
  emitReshape(node, x, [elementCount(shape.slice(0, at)), elementCount(shape.slice(at))])
}

function squeeze(node: NodeReader): void {
  const x = node.input(0)
  const shape = node.shapeOf(x)
  const axes = node.integersAt(1, 'axes')?.map((axis) => node.axis(axis, shape.length))
  if (axes?.some((axis) => shape[axis] !== 1)) throw node.invalid('it squeezes an axis that is not 1')
  emitReshape(
    node,
    x,
    shape.filter((size, axis) => (axes === undefined ? size !== 1 : !axes.includes(axis))),
  )
}

function unsqueeze(node: NodeReader): void {
  const x = node.input(0)
  const from = node.shapeOf(x)
  const wanted = node.integersAt(1, 'axes')
  if (wanted === undefined) throw node.invalid('it names no axes')
  const rank = from.length + wanted.length
  const axes = new Set(wanted.map((axis) => node.axis(axis, rank)))
  if (axes.size !== wanted.length || rank > 32) throw node.invalid('its axes repeat or are too many')
  const rest = [...from]
  emitReshape(
    node,
    x,
    Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.shift() ?? 1))),
  )
}

function transpose(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const perm = node.integers('perm') ?? shape.map((_, axis) => shape.length - 1 - axis)
  if (perm.length !== shape.length || new Set(perm).size !== perm.length || perm.some((axis) => axis < 0 || axis >= shape.length))
    throw node.invalid(`perm [${perm.join(', ')}] is no permutation of ${shape.length} axes`)
  node.emit({ operator: 'Transpose', perm }, [x], { elementType, shape: perm.map((axis) => shape[axis] ?? 1) })
}

function concat(node: NodeReader): void {
  const ids = node.inputs()
  const first = node.typeOf(ids[0] ?? '')
  const axis = node.axis(node.integer('axis'), first.shape.length)
  let size = 0
  for (const id of ids) {
    const type = node.typeOf(id)
    const fits = type.elementType === first.elementType && type.shape.length === first.shape.length
    if (!fits || type.shape.some((length, other) => other !== axis && length !== first.shape[other]))
      throw node.invalid('its inputs do not fit together')
    size += type.shape[axis] ?? 0
  }
  node.emit({ operator: 'Concat', axis }, ids, { ...first, shape: first.shape.with(axis, size) })
}

function split(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const axis = node.axis(node.integer('axis', 0), shape.length)
  const total = shape[axis] ?? 0
  const count = node.has('num_outputs') ? node.integer('num_outputs') : node.node.outputs.length
  if (count < 1 || count !== node.node.outputs.length)
    throw node.invalid(`it splits into ${count} parts and names ${node.node.outputs.length}`)
  const part = Math.ceil(total / count)
  const equal = Array.from({ length: count }, (_, index) => Math.max(Math.min(part, total - part * index), 0))
  const sizes = node.integersAt(1, 'split') ?? equal
  if (sizes.length !== count || sizes.some((size) => size < 0) || sizes.reduce((sum, size) => sum + size, 0) !== total)
    throw node.invalid(`parts [${sizes.join(', ')}] do not add up to ${total}`)
  node.emit({ operator: 'Split', axis, sizes }, [x], ...sizes.map((size) => ({ elementType, shape: shape.with(axis, size) })))
}

function slice(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const [begins, ends] = [node.integersAt(1, 'starts'), node.integersAt(2, 'ends')]
  if (begins === undefined || ends === undefined) throw node.invalid('it names no starts or ends')
  const axes = (node.integersAt(3, 'axes') ?? begins.map((_, index) => index)).map((axis) => node.axis(axis, shape.length))
  const strides = node.integersAt(4, 'steps') ?? begins.map(() => 1)
  if (ends.length !== begins.length || axes.length !== begins.length || strides.length !== begins.length)
    throw node.invalid('starts, ends, axes and steps differ in length')
  const starts = shape.map(() => 0)
  const steps = shape.map(() => 1)
  const result = [...shape]
  for (const [index, axis] of axes.entries()) {
    const step = strides[index] ?? 1
    if (step === 0) throw node.invalid('a step is 0')
    const size = shape[axis] ?? 0
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
    const clamped = (value: number) => Math.min(Math.max(value < 0 ? value + size : value, low), high)
    const [start, end] = [clamped(begins[index] ?? 0), clamped(ends[index] ?? 0)]
    const count = Math.max(Math.ceil((end - start) / step), 0)
    starts[axis] = count === 0 ? 0 : start
    steps[axis] = step
    result[axis] = count
  }
  node.emit({ operator: 'Slice', starts, steps }, [x], { elementType, shape: result })
}

function gather(node: NodeReader): void {
  const [data, indices] = [node.input(0), node.input(1)]
  node.expectTypes([indices], ['int32', 'int64'])
  const { elementType, shape } = node.typeOf(data)
  const axis = node.axis(node.integer('axis', 0), shape.length)
  node.emit({ operator: 'Gather', axis }, [data, indices], {
    elementType,
    shape: [...shape.slice(0, axis), ...node.shapeOf(indices), ...shape.slice(axis + 1)],
  })
}

function expand(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const wanted = toNumbers(node.constant(1, 'target shape').data)
  if (wanted.some((size) => size < 0)) throw node.invalid(`target shape [${wanted.join(', ')}] is not a shape`)
  node.emit({ operator: 'Expand' }, [x], { elementType, shape: broadcastShapes(node, shape, wanted) })
}

function tile(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const repeats = toNumbers(node.constant(1, 'repeats').data)
  if (repeats.length !== shape.length || repeats.some((count) => count < 0))
    throw node.invalid(`repeats [${repeats.join(', ')}] do not fit`)
  node.emit({ operator: 'Tile', repeats }, [x], { elementType, shape: shape.map((size, axis) => size * (repeats[axis] ?? 1)) })
}

function pad(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const given = node.integersAt(1, 'pads')
  if (given === undefined) throw node.invalid('it names no pads')
  const axes = (node.integersAt(3, 'axes') ?? shape.map((_, axis) => axis)).map((axis) => node.axis(axis, shape.length))
  const mode = node.text('mode', 'constant')
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'edge' && mode !== 'wrap')
    throw node.unsupported(`its mode is ${mode}`, 'constant, reflect, edge, wrap')
  if (given.length !== 2 * axes.length) throw node.invalid(`${given.length} pads do not fit ${axes.length} axes`)
  const value = node.optional(2) === undefined ? node.float('value', 0) : Number(node.constant(2, 'constant value').data[0] ?? 0)
  const pads = new Array<number>(2 * shape.length).fill(0)
  for (const [index, axis] of axes.entries()) {
    pads[axis] = given[index] ?? 0
    pads[axis + shape.length] = given[index + axes.length] ?? 0
  }
  const result = shape.map((size, axis) => size + (pads[axis] ?? 0) + (pads[axis + shape.length] ?? 0))
  if (result.some((size) => size < 0) || (mode !== 'constant' && shape.some((size, axis) => size === 0 && (result[axis] ?? 0) > 0)))
    throw node.invalid('its pads leave no elements')
  node.emit({ operator: 'Pad', pads, mode, value }, [x], { elementType, shape: result })
}

function constant(node: NodeReader): void {
  const value = node.attribute('value')
  if (value?.tensor !== undefined) node.emitConstant(value.tensor)
  else if (node.has('value_float')) node.emitConstant(tensor('float32', [], [node.float('value_float', 0)]))
  else if (node.has('value_floats')) {
    const floats = node.attribute('value_floats')?.floats ?? []
    node.emitConstant(tensor('float32', [floats.length], floats))
  } else if (node.has('value_int')) node.emitConstant(tensor('int64', [], [node.integer('value_int')]))
  else if (node.has('value_ints')) {
    const integers = node.attribute('value_ints')?.integers ?? []
    node.emitConstant(tensor('int64', [integers.length], integers))
  } else throw node.unsupported('its value is neither a tensor nor numbers', 'value, value_float(s), value_int(s)')
}

function shapeOf(node: NodeReader): void {
  const shape = node.shapeOf(node.input(0))
  const bound = (value: number) => Math.min(Math.max(value < 0 ? value + shape.length : value, 0), shape.length)
  const part = shape.slice(bound(node.integer('start', 0)), bound(node.integer('end', shape.length)))
  node.emitConstant(tensor('int64', [part.length], part))
}

function constantOfShape(node: NodeReader): void {
  const shape = toNumbers(node.constant(0, 'shape').data)
  if (shape.some((size) => size < 0)) throw node.invalid(`[${shape.join(', ')}] is not a shape`)
  const value = node.attribute('value')?.tensor
  node.emitConstant(node.generated(value?.elementType ?? 'float32', shape, () => value?.data[0] ?? 0))
}

function range(node: NodeReader): void {
  const [start, limit, delta] = [node.constant(0, 'start'), node.constant(1, 'limit'), node.constant(2, 'delta')]
  const [first = 0, end = 0, step = 1] = [start, limit, delta].map((bound) => Number(bound.data[0] ?? 0))
  if (step === 0 || ![first, end, step].every(Number.isFinite)) throw node.invalid('its bounds are not finite or its step is 0')
  const count = Math.max(Math.ceil((end - first) / step), 0)
  node.emitConstant(node.generated(start.elementType, [count], (index) => first + index * step))
}

/** Keeps the upper or lower triangle of the last two axes. */
function trilu(node: NodeReader): void {
  const x = node.input(0)
  const { elementType, shape } = node.typeOf(x)
  const [rows = 0, columns = 0] = shape.slice(-2)
  if (shape.length < 2) throw node.invalid('its input has fewer than two axes')
  const k = node.optional(1) === undefined ? 0 : Number(node.constant(1, 'diagonal').data[0] ?? 0)
  const upper = node.integer('upper', 1) !== 0
  const mask = node.innerConstant(
    node.generated('bool', [rows, columns], (index) => {
      const diagonal = (index % columns) - Math.floor(index / columns)
      return Number(upper ? diagonal >= k : diagonal <= k)
    }),
  )
  node.emit({ operator: 'Where' }, [mask, x, node.scalar(elementType, 0)], { elementType, shape })
}

/** Operators that move elements or describe shapes. */
export const movementReaders: Readonly<Record<string, OperatorReader>> = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Trilu: trilu,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Shape: shapeOf,
  Range: range,
  Size: (node) => node.emitConstant(tensor('int64', [], [elementCount(node.shapeOf(node.input(0)))])),
  Identity: (node) => node.emitAlias(0, node.input(0)),
  Dropout: dropout,
}

function dropout(node: NodeReader): void {
  const training = node.optional(2)
  if (training !== undefined && node.constantOf(training)?.data[0] !== 0) throw node.unsupported('it is in training mode', 'inference')
  if (node.outputCount > 1) throw node.unsupported('its mask is used', 'the first output')
  node.emitAlias(0, node.input(0))
}
