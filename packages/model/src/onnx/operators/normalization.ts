import type { ValueId } from '../../graph.ts'
import { elementCount, type TensorType, tensor } from '../../tensor.ts'
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
  const epsilon = node.float('epsilon', 1e-5)
  if (operator === 'LayerNormalization') rowStatistics(node, axis, epsilon)
  node.emitFirst({ operator, axis, epsilon }, inputs, type)
}

function softmax(node: NodeReader, operator: 'Softmax' | 'LogSoftmax'): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  const type = node.typeOf(x)
  const { shape } = type
  if (node.version >= 13) {
    node.emit({ operator, axis: node.axis(node.integer('axis', -1), shape.length) }, [x], type)
    return
  }
  // Before operator set 13 everything from the axis on is one row.
  const axis = node.axis(node.integer('axis', 1), shape.length)
  const rows: TensorType = { elementType: 'float32', shape: [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))] }
  const flat = node.emitInner({ operator: 'Reshape' }, [x], rows)
  node.emit({ operator: 'Reshape' }, [node.emitInner({ operator, axis: 1 }, [flat], rows)], type)
}

/** Mean and inverse deviation of each row, for the files that use them. */
function rowStatistics(node: NodeReader, axis: number, epsilon: number): void {
  if (node.outputCount < 2) return
  const x = node.input(0)
  const { shape } = node.typeOf(x)
  const axes = shape.map((_, index) => index).slice(axis)
  const rows: TensorType = { elementType: 'float32', shape: shape.map((size, index) => (index < axis ? size : 1)) }
  const meanOf = (id: ValueId) => node.emitInner({ operator: 'ReduceMean', axes, keepDims: true }, [id], rows)
  const mean = meanOf(x)
  const deviation = node.emitInner({ operator: 'Sub' }, [x, mean], { elementType: 'float32', shape })
  const variance = meanOf(node.emitInner({ operator: 'Mul' }, [deviation, deviation], { elementType: 'float32', shape }))
  const guarded = node.emitInner({ operator: 'Add' }, [variance, node.scalar('float32', epsilon)], rows)
  const inverse = node.emitInner({ operator: 'Reciprocal' }, [node.emitInner({ operator: 'Sqrt' }, [guarded], rows)], rows)
  node.emitAlias(1, mean)
  node.emitAlias(2, inverse)
}

/** Rows of `groups` channel groups to zero mean and unit variance, then scale and bias per channel. */
function groupedNormalization(node: NodeReader, groups: number): void {
  const [x, scale, bias] = [node.input(0), node.input(1), node.input(2)]
  node.expectTypes([x, scale, bias], ['float32'])
  const { shape } = node.typeOf(x)
  const [batch = 1, channels = 1] = shape
  if (shape.length < 2 || groups < 1 || channels % groups !== 0)
    throw node.invalid(`${channels} channels do not split into ${groups} groups`)
  const row = elementCount(shape.slice(1)) / groups
  const perGroup = channels / groups
  const type = (dimensions: readonly number[]): TensorType => ({ elementType: 'float32', shape: dimensions })
  const rows = node.emitInner({ operator: 'Reshape' }, [x], type([batch, groups, row]))
  const ones = node.innerConstant(tensor('float32', [1], [1]))
  const epsilon = node.float('epsilon', 1e-5)
  const normal = node.emitInner({ operator: 'LayerNormalization', axis: 2, epsilon }, [rows, ones], type([batch, groups, row]))
  const back = node.emitInner({ operator: 'Reshape' }, [normal], type(shape))
  const columnShape = [channels, ...shape.slice(2).map(() => 1)]
  const perChannel = (id: ValueId): ValueId => {
    const count = elementCount(node.shapeOf(id))
    if (count === channels) return node.emitInner({ operator: 'Reshape' }, [id], type(columnShape))
    if (count !== groups) throw node.invalid(`its scale or bias has ${count} values for ${channels} channels`)
    const column = node.emitInner({ operator: 'Reshape' }, [id], type([groups, 1]))
    const spread = node.emitInner({ operator: 'Expand' }, [column], type([groups, perGroup]))
    return node.emitInner({ operator: 'Reshape' }, [spread], type(columnShape))
  }
  const scaled = node.emitInner({ operator: 'Mul' }, [back, perChannel(scale)], type(shape))
  node.emit({ operator: 'Add' }, [scaled, perChannel(bias)], type(shape))
}

/** Normalisations and softmax. */
export const normalizationReaders: Readonly<Record<string, OperatorReader>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: (node) => rowNormalization(node, 'LayerNormalization'),
  RMSNormalization: (node) => rowNormalization(node, 'RMSNormalization'),
  // The name that onnxruntime's exporters give it in the default domain.
  SimplifiedLayerNormalization: (node) => rowNormalization(node, 'RMSNormalization'),
  Softmax: (node) => softmax(node, 'Softmax'),
  LogSoftmax: (node) => softmax(node, 'LogSoftmax'),
  InstanceNormalization: (node) => groupedNormalization(node, node.shapeOf(node.input(0))[1] ?? 1),
  GroupNormalization: (node) => groupedNormalization(node, node.integer('num_groups')),
}
