import type { ValueId, Window } from '../../graph.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { broadcastShapes, matMulShape, placeWindow } from '../shapes.ts'

function matMul(node: NodeReader): void {
  const [a, b] = [node.input(0), node.input(1)]
  node.expectTypes([a, b], ['float32'])
  node.emit({ operator: 'MatMul' }, [a, b], { elementType: 'float32', shape: matMulShape(node, node.shapeOf(a), node.shapeOf(b)) })
}

function gemm(node: NodeReader): void {
  const [a, b, c] = [node.input(0), node.input(1), node.optional(2)]
  const inputs = c === undefined ? [a, b] : [a, b, c]
  node.expectTypes(inputs, ['float32'])
  const [transA, transB] = [node.integer('transA', 0) !== 0, node.integer('transB', 0) !== 0]
  const [left, right] = [node.shapeOf(a), node.shapeOf(b)]
  if (left.length !== 2 || right.length !== 2) throw node.invalid('its operands are not matrices')
  const [m = 0, k = 0] = transA ? left.toReversed() : left
  const [kOther = 0, n = 0] = transB ? right.toReversed() : right
  if (k !== kOther) throw node.invalid(`inner sizes ${k} and ${kOther} differ`)
  if (c !== undefined && broadcastShapes(node, [m, n], node.shapeOf(c)).some((size, axis) => size !== [m, n][axis]))
    throw node.invalid('the bias does not broadcast to the result')
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)]
  node.emit({ operator: 'Gemm', alpha, beta, transA, transB }, inputs, { elementType: 'float32', shape: [m, n] })
}

/** A convolution whose shapes fit. */
export type CheckedConvolution = {
  readonly window: Window
  readonly group: number
  readonly filters: number
  readonly shape: readonly number[]
}

/** Checks a convolution's shapes and returns its window, groups and output shape. */
export function convolution(node: NodeReader, x: readonly number[], w: readonly number[]): CheckedConvolution {
  const group = node.integer('group', 1)
  const [batch = 0, channels = 0, ...size] = x
  const [filters = 0, filterChannels = 0, ...kernel] = w
  if (x.length < 3 || w.length !== x.length) throw node.invalid(`input and weights have ranks ${x.length} and ${w.length}`)
  if (group < 1 || filters % group !== 0 || filterChannels * group !== channels)
    throw node.invalid(`${channels} channels, ${filters} filters of ${filterChannels} and ${group} groups do not fit`)
  const placed = placeWindow(node, size, kernel)
  if (placed.window.kernel.some((length, axis) => length !== kernel[axis])) throw node.invalid('kernel_shape differs from the weights')
  return { window: placed.window, group, filters, shape: [batch, filters, ...placed.size] }
}

function conv(node: NodeReader): void {
  const [x, w, bias] = [node.input(0), node.input(1), node.optional(2)]
  const inputs: ValueId[] = bias === undefined ? [x, w] : [x, w, bias]
  node.expectTypes(inputs, ['float32'])
  const { window, group, filters, shape } = convolution(node, node.shapeOf(x), node.shapeOf(w))
  if (bias !== undefined && (node.shapeOf(bias).length !== 1 || node.shapeOf(bias)[0] !== filters))
    throw node.invalid('the bias is not one per filter')
  node.emit({ operator: 'Conv', window, group }, inputs, { elementType: 'float32', shape })
}

function pool(node: NodeReader, operator: 'MaxPool' | 'AveragePool'): void {
  const x = node.input(0)
  const type = node.typeOf(x)
  node.expectTypes([x], operator === 'MaxPool' ? ['float32', 'int8', 'uint8'] : ['float32'])
  if (type.shape.length < 3) throw node.invalid('its input has no spatial axis')
  const placed = placeWindow(node, type.shape.slice(2))
  const result = { elementType: type.elementType, shape: [...type.shape.slice(0, 2), ...placed.size] }
  const { window } = placed
  if (operator === 'MaxPool') node.emit({ operator, window }, [x], result)
  else node.emit({ operator, window, countIncludePad: node.integer('count_include_pad', 0) !== 0 }, [x], result)
}

function globalPool(node: NodeReader, operator: 'ReduceMean' | 'ReduceMax'): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  const { shape } = node.typeOf(x)
  if (shape.length < 3) throw node.invalid('its input has no spatial axis')
  const axes = shape.map((_, axis) => axis).slice(2)
  node.emit({ operator, axes, keepDims: true }, [x], { elementType: 'float32', shape: shape.map((size, axis) => (axis < 2 ? size : 1)) })
}

/** Matrix products, convolutions and pooling. */
export const linearReaders: Readonly<Record<string, OperatorReader>> = {
  MatMul: matMul,
  Gemm: gemm,
  Conv: conv,
  MaxPool: (node) => pool(node, 'MaxPool'),
  AveragePool: (node) => pool(node, 'AveragePool'),
  GlobalAveragePool: (node) => globalPool(node, 'ReduceMean'),
  GlobalMaxPool: (node) => globalPool(node, 'ReduceMax'),
}
