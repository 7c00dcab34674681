import type { ReduceOperator } from '../../graph.ts'
import type { ElementType } from '../../tensor.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { broadcastShapes } from '../shapes.ts'

function batchNormalization(node: NodeReader): void {
  const ids = [0, 1, 2, 3, 4].map((index) => node.input(index))
  node.expectTypes(ids, ['float32'])
  if (node.integer('training_mode', 0) !== 0) throw node.unsupported('it is in training mode', 'inference')
  const type = node.typeOf(ids[0] ?? '')
  const channels = type.shape[1] ?? 1
  if (type.shape.length < 2 || ids.slice(1).some((id) => node.shapeOf(id).length !== 1 || node.shapeOf(id)[0] !== channels))
    throw node.invalid('its statistics are not one per channel')
  node.emit({ operator: 'BatchNormalization', epsilon: node.float('epsilon', 1e-5) }, ids, type)
}

function rowNormalization(node: NodeReader, operator: 'LayerNormalization' | 'RMSNormalization'): void {
  const [x, scale, bias] = [node.input(0), node.input(1), operator === 'LayerNormalization' ? node.optional(2) : undefined]
  const inputs = bias === undefined ? [x, scale] : [x, scale, bias]
  node.expectTypes(inputs, ['float32'])
  const type = node.typeOf(x)
  const axis = node.axis(node.integer('axis', -1), type.shape.length)
  const row = type.shape.slice(axis)
  for (const id of inputs.slice(1))
    if (broadcastShapes(node, row, node.shapeOf(id)).some((size, index) => size !== row[index]))
      throw node.invalid('scale or bias do not fit the row')
  node.emit({ operator, axis, epsilon: node.float('epsilon', 1e-5) }, inputs, type)
}

function softmax(node: NodeReader, operator: 'Softmax' | 'LogSoftmax'): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  const type = node.typeOf(x)
  node.emit({ operator, axis: node.axis(node.integer('axis', -1), type.shape.length) }, [x], type)
}

const reducible: readonly ElementType[] = ['float32', 'int8', 'uint8', 'int32', 'uint32', 'int64', 'uint64']

function reduceReader(operator: ReduceOperator): OperatorReader {
  return (node) => {
    const x = node.input(0)
    node.expectTypes([x], operator === 'ReduceL2' ? ['float32'] : reducible)
    const { elementType, shape } = node.typeOf(x)
    const given = node.integersAt(1, 'axes')
    if ((given === undefined || given.length === 0) && node.integer('noop_with_empty_axes', 0) !== 0) {
      if (
        operator !== 'ReduceSum' &&
        operator !== 'ReduceMean' &&
        operator !== 'ReduceMax' &&
        operator !== 'ReduceMin' &&
        operator !== 'ReduceProd'
      )
        throw node.unsupported('it has no axes and noop_with_empty_axes', 'axes')
      node.emitAlias(0, x)
      return
    }
    const chosen =
      given === undefined || given.length === 0 ? shape.map((_, axis) => axis) : given.map((axis) => node.axis(axis, shape.length))
    const axes = [...new Set(chosen)].sort((a, b) => a - b)
    const keepDims = node.integer('keepdims', 1) !== 0
    if (axes.length === 0) {
      node.emitAlias(0, x)
      return
    }
    const empty = axes.some((axis) => shape[axis] === 0)
    if (empty && (elementType !== 'float32' || operator === 'ReduceMean'))
      throw node.unsupported('it reduces an empty axis', 'axes with elements')
    const result = keepDims ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : shape.filter((_, axis) => !axes.includes(axis))
    node.emit({ operator, axes, keepDims }, [x], { elementType, shape: result })
  }
}

function argExtreme(node: NodeReader, operator: 'ArgMax' | 'ArgMin'): void {
  const x = node.input(0)
  const { shape } = node.typeOf(x)
  if (node.integer('select_last_index', 0) !== 0) throw node.unsupported('select_last_index is set', 'the first of equal elements')
  const axis = node.axis(node.integer('axis', 0), shape.length)
  if (shape[axis] === 0) throw node.invalid('its axis is empty')
  const keepDims = node.integer('keepdims', 1) !== 0
  node.emit({ operator, axis, keepDims }, [x], { elementType: 'int64', shape: keepDims ? shape.with(axis, 1) : shape.toSpliced(axis, 1) })
}

/** Normalisations, reductions and softmax. */
export const normalizationReaders: Readonly<Record<string, OperatorReader>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: (node) => rowNormalization(node, 'LayerNormalization'),
  RMSNormalization: (node) => rowNormalization(node, 'RMSNormalization'),
  Softmax: (node) => softmax(node, 'Softmax'),
  LogSoftmax: (node) => softmax(node, 'LogSoftmax'),
  ReduceSum: reduceReader('ReduceSum'),
  ReduceMean: reduceReader('ReduceMean'),
  ReduceMax: reduceReader('ReduceMax'),
  ReduceMin: reduceReader('ReduceMin'),
  ReduceProd: reduceReader('ReduceProd'),
  ReduceSumSquare: reduceReader('ReduceSumSquare'),
  ReduceL2: reduceReader('ReduceL2'),
  ArgMax: (node) => argExtreme(node, 'ArgMax'),
  ArgMin: (node) => argExtreme(node, 'ArgMin'),
}
