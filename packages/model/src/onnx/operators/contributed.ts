import type { Operation, ValueId } from '../../graph.ts'
import { elementCount, type TensorType, tensor } from '../../tensor.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { broadcastShapes } from '../shapes.ts'
import { elementwiseReaders } from './elementwise.ts'
import { linearReaders } from './linear.ts'
import { quantizedReaders } from './quantized.ts'

// Operators that onnxruntime adds in its domain com.microsoft: its quantiser writes the QLinear ones, its optimiser the fused ones.
// Each becomes the standard operators that it stands for. onnxruntime's own kernels round some of them in other places, so a
// quantised answer can differ by one step (see docs/limits.md).

/** A quantised tensor: value, scale, zero point. */
type Quantized = { readonly x: ValueId; readonly scale: ValueId; readonly zero: ValueId | undefined }

/** Inputs index, index + 1, index + 2 as a quantised tensor. */
function quantizedAt(node: NodeReader, index: number): Quantized {
  return { x: node.input(index), scale: node.input(index + 1), zero: node.optional(index + 2) }
}

function zeroOf(node: NodeReader, zero: ValueId | undefined, elementType: TensorType['elementType']): ValueId {
  return zero ?? node.innerConstant(tensor(elementType, [], [0]))
}

function dequantized(node: NodeReader, { x, scale, zero }: Quantized, axis = 0): ValueId {
  const type = node.typeOf(x)
  const operation: Operation = { operator: 'DequantizeLinear', axis }
  return node.emitInner(operation, [x, scale, zeroOf(node, zero, type.elementType)], { elementType: 'float32', shape: type.shape })
}

/** Output 0 as float `y`, quantised with a scale and zero point; the zero point's type is the result's. */
function emitQuantized(node: NodeReader, y: ValueId, scale: ValueId, zero: ValueId): void {
  node.emit({ operator: 'QuantizeLinear', axis: 0 }, [y, scale, zero], {
    elementType: node.typeOf(zero).elementType,
    shape: node.shapeOf(y),
  })
}

/** The zero point at an input, or 0 of the type that `like` has. */
function resultZero(node: NodeReader, index: number, like: ValueId): ValueId {
  return zeroOf(node, node.optional(index), node.typeOf(like).elementType)
}

/** a, b and y with scale and zero point each: a op b in floats. */
function qLinearBinary(operator: 'Add' | 'Mul'): OperatorReader {
  return (node) => {
    const e = new Expressions(node)
    const [a, b] = [quantizedAt(node, 0), quantizedAt(node, 3)]
    emitQuantized(node, e.binary(operator, dequantized(node, a), dequantized(node, b)), node.input(6), resultZero(node, 7, a.x))
  }
}

/** x and y with scale and zero point each, and a float function between them. */
function qLinearUnary(compute: (node: NodeReader, e: Expressions, x: ValueId) => ValueId): OperatorReader {
  return (node) => {
    const x = quantizedAt(node, 0)
    emitQuantized(node, compute(node, new Expressions(node), dequantized(node, x)), node.input(3), resultZero(node, 4, x.x))
  }
}

function withActivation(node: NodeReader, e: Expressions, x: ValueId): ValueId {
  const parameters = node.attribute('activation_params')?.floats ?? []
  const type = node.typeOf(x)
  const name = node.text('activation', '')
  switch (name) {
    case '':
      return x
    case 'Relu':
    case 'Sigmoid':
    case 'Tanh':
    case 'Softplus':
      return e.unary(name, x)
    case 'LeakyRelu':
      return node.emitInner({ operator: 'LeakyRelu', alpha: parameters[0] ?? node.float('leaky_relu_alpha', 0.01) }, [x], type)
    case 'Clip':
      return node.emitInner(
        { operator: 'Clip', min: parameters[0] ?? Number.NEGATIVE_INFINITY, max: parameters[1] ?? Number.POSITIVE_INFINITY },
        [x],
        type,
      )
    case 'HardSigmoid':
      return node.emitInner({ operator: 'HardSigmoid', alpha: parameters[0] ?? 0.2, beta: parameters[1] ?? 0.5 }, [x], type)
    default:
      throw node.unsupported(`its activation is ${name}`, 'Relu, Sigmoid, Tanh, Softplus, LeakyRelu, Clip, HardSigmoid')
  }
}

/** Concatenates tensors that are quantised differently. */
function qLinearConcat(node: NodeReader): void {
  const e = new Expressions(node)
  const [scale, zero] = [node.input(0), node.input(1)]
  const parts = Array.from({ length: (node.inputCount - 2) / 3 }, (_, index) => dequantized(node, quantizedAt(node, 2 + 3 * index)))
  const rank = node.shapeOf(parts[0] ?? '').length
  emitQuantized(node, e.concat(parts, node.axis(node.integer('axis'), rank)), scale, zero)
}

/** a, scale, zero, b, scale, zero, bias (int32), y scale, y zero: a quantised Gemm; without y's scale the result is float. */
function qGemm(node: NodeReader): void {
  const e = new Expressions(node)
  const [a, b] = [quantizedAt(node, 0), quantizedAt(node, 3)]
  const [bias, scale] = [node.optional(6), node.optional(7)]
  const [transA, transB, alpha] = [node.integer('transA', 0) !== 0, node.integer('transB', 0) !== 0, node.float('alpha', 1)]
  const turn = (x: ValueId, wanted: boolean) => (wanted ? e.transpose(x, [1, 0]) : x)
  const [left, right] = [turn(a.x, transA), turn(b.x, transB)]
  const [m = 1] = node.shapeOf(left)
  const [, n = 1] = node.shapeOf(right)
  const int32: TensorType = { elementType: 'int32', shape: [m, n] }
  const zeros = [zeroOf(node, a.zero, node.typeOf(a.x).elementType), zeroOf(node, b.zero, node.typeOf(b.x).elementType)]
  const product = node.emitInner({ operator: 'MatMulInteger' }, [left, right, ...zeros], int32)
  const sum = bias === undefined ? product : e.add(product, bias)
  const factor = e.multiply(e.multiply(a.scale, b.scale), alpha)
  const y = e.multiply(e.cast(sum, 'float32'), factor)
  if (scale === undefined) node.emitAlias(0, y)
  else emitQuantized(node, y, scale, resultZero(node, 8, a.x))
}

/** int32 product of quantised operands times both scales, plus a bias. */
function scaledProduct(node: NodeReader, a: Quantized, b: Quantized, bias: ValueId | undefined): void {
  const e = new Expressions(node)
  const shape = [...node.shapeOf(a.x).slice(0, -1), node.shapeOf(b.x).at(-1) ?? 1]
  const zeros = [zeroOf(node, a.zero, node.typeOf(a.x).elementType), zeroOf(node, b.zero, node.typeOf(b.x).elementType)]
  const product = node.emitInner({ operator: 'MatMulInteger' }, [a.x, b.x, ...zeros], { elementType: 'int32', shape })
  const y = e.multiply(e.cast(product, 'float32'), e.multiply(a.scale, b.scale))
  node.emitAlias(0, bias === undefined ? y : e.add(y, bias))
}

/** a quantised on the fly, as DynamicQuantizeLinear does. */
function dynamicQuantizeMatMul(node: NodeReader): void {
  const a = node.input(0)
  node.expectTypes([a], ['float32'])
  const names = ['q', 's', 'z'].map((role) => node.innerName(role))
  const [x = '', scale = '', zero = ''] = names
  node.emitNamed({ operator: 'DynamicQuantizeLinear' }, [a], names, [
    { elementType: 'uint8', shape: node.shapeOf(a) },
    { elementType: 'float32', shape: [] },
    { elementType: 'uint8', shape: [] },
  ])
  scaledProduct(node, { x, scale, zero }, { x: node.input(1), scale: node.input(2), zero: node.optional(3) }, node.optional(4))
}

function matMulIntegerToFloat(node: NodeReader): void {
  const a = { x: node.input(0), scale: node.input(2), zero: node.optional(4) }
  scaledProduct(node, a, { x: node.input(1), scale: node.input(3), zero: node.optional(5) }, node.optional(6))
}

/** alpha a b, either side with its last two axes exchanged. */
function fusedMatMul(node: NodeReader): void {
  const e = new Expressions(node)
  if (node.integer('transBatchA', 0) !== 0 || node.integer('transBatchB', 0) !== 0)
    throw node.unsupported('it exchanges batch axes', 'transA and transB')
  const turn = (x: ValueId, wanted: boolean): ValueId => {
    const rank = node.shapeOf(x).length
    const perm = Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis))
    return wanted && rank > 1 ? e.transpose(x, perm) : x
  }
  const product = e.matMul(turn(node.input(0), node.integer('transA', 0) !== 0), turn(node.input(1), node.integer('transB', 0) !== 0))
  const alpha = node.float('alpha', 1)
  node.emitAlias(0, alpha === 1 ? product : e.multiply(product, alpha))
}

/** A standard operator whose result goes through an activation, after adding input `sum` where there is one. */
function fused(operator: 'Conv' | 'Gemm', sum: number): OperatorReader {
  return (node) => {
    const e = new Expressions(node)
    const inner = node.innerReader(node.node.inputs.slice(0, 3))
    linearReaders[operator]?.(inner.reader)
    const added = node.optional(sum)
    const result = inner.result()
    node.emitAlias(0, withActivation(node, e, added === undefined ? result : e.add(result, added)))
  }
}

/** tanh form of Gelu of x + bias. */
function fastGelu(node: NodeReader): void {
  const e = new Expressions(node)
  const bias = node.optional(1)
  const x = bias === undefined ? node.input(0) : e.add(node.input(0), bias)
  node.emit({ operator: 'Gelu', approximate: 'tanh' }, [x], node.typeOf(x))
}

function biasGelu(node: NodeReader): void {
  const x = new Expressions(node).add(node.input(0), node.input(1))
  node.emit({ operator: 'Gelu', approximate: 'none' }, [x], node.typeOf(x))
}

function quickGelu(node: NodeReader): void {
  const e = new Expressions(node)
  const x = node.input(0)
  node.emitAlias(0, e.multiply(x, e.unary('Sigmoid', e.multiply(x, node.float('alpha', 1.702)))))
}

/** Normalises x + skip + bias; output 3 is that sum. */
function skipNormalization(operator: 'LayerNormalization' | 'RMSNormalization'): OperatorReader {
  return (node) => {
    const e = new Expressions(node)
    const beta = operator === 'LayerNormalization' ? node.optional(3) : undefined
    const bias = node.optional(operator === 'LayerNormalization' ? 4 : 3)
    const skipped = e.add(node.input(0), node.input(1))
    const sum = bias === undefined ? skipped : e.add(skipped, bias)
    const type = node.typeOf(sum)
    if (broadcastShapes(node, node.shapeOf(node.input(0)), node.shapeOf(node.input(1))).length !== type.shape.length)
      throw node.invalid('its inputs do not fit together')
    const inputs = [sum, node.input(2), ...(beta === undefined ? [] : [beta])]
    const epsilon = node.float('epsilon', operator === 'LayerNormalization' ? 1e-12 : 1e-5)
    node.emitFirst({ operator, axis: type.shape.length - 1, epsilon }, inputs, type)
    if (node.node.outputs[3]) node.emitAlias(3, sum)
  }
}

function average(node: NodeReader, e: Expressions, x: ValueId): ValueId {
  const axes = node
    .shapeOf(x)
    .map((_, axis) => axis)
    .slice(2)
  return e.reduce('ReduceMean', x, axes, true)
}

/** Pools a dequantised image; channels-last inputs are turned first. */
function qLinearAveragePool(node: NodeReader): void {
  const x = quantizedAt(node, 0)
  if (node.integer('channels_last', 0) !== 0) throw node.unsupported('its channels come last', 'channels first')
  const inner = node.innerReader([dequantized(node, x)])
  linearReaders['AveragePool']?.(inner.reader)
  emitQuantized(node, inner.result(), node.input(3), resultZero(node, 4, x.x))
}

function qLinearGlobalAveragePool(node: NodeReader): void {
  if (node.integer('channels_last', 0) !== 0) throw node.unsupported('its channels come last', 'channels first')
  qLinearUnary(average)(node)
}

function qLinearSoftmax(node: NodeReader): void {
  const e = new Expressions(node)
  const x = quantizedAt(node, 0)
  const value = dequantized(node, x)
  const type = node.typeOf(value)
  const axis = node.axis(node.integer('axis', node.integer('opset', 13) < 13 ? 1 : -1), type.shape.length)
  // Before operator set 13 everything from the axis on is one row.
  const rows = node.integer('opset', 13) < 13 ? [elementCount(type.shape.slice(0, axis)), elementCount(type.shape.slice(axis))] : type.shape
  const flat = e.reshape(value, rows)
  const operation: Operation = { operator: 'Softmax', axis: rows === type.shape ? axis : 1 }
  const softmax = e.reshape(node.emitInner(operation, [flat], { elementType: 'float32', shape: rows }), type.shape)
  emitQuantized(node, softmax, node.input(3), resultZero(node, 4, x.x))
}

function standard(readers: Readonly<Record<string, OperatorReader>>, name: string): OperatorReader {
  return (node) => readers[name]?.(node)
}

/** Domain com.microsoft. */
export const contributedReaders: Readonly<Record<string, OperatorReader>> = {
  QLinearAdd: qLinearBinary('Add'),
  QLinearMul: qLinearBinary('Mul'),
  QLinearSigmoid: qLinearUnary((_, e, x) => e.unary('Sigmoid', x)),
  QLinearLeakyRelu: qLinearUnary((node, _, x) =>
    node.emitInner({ operator: 'LeakyRelu', alpha: node.float('alpha', 0.01) }, [x], node.typeOf(x)),
  ),
  QLinearGlobalAveragePool: qLinearGlobalAveragePool,
  QLinearAveragePool: qLinearAveragePool,
  QLinearConcat: qLinearConcat,
  QLinearSoftmax: qLinearSoftmax,
  QGemm: qGemm,
  QLinearConv: standard(quantizedReaders, 'QLinearConv'),
  QuantizeLinear: standard(quantizedReaders, 'QuantizeLinear'),
  DequantizeLinear: standard(quantizedReaders, 'DequantizeLinear'),
  DynamicQuantizeMatMul: dynamicQuantizeMatMul,
  MatMulIntegerToFloat: matMulIntegerToFloat,
  FusedMatMul: fusedMatMul,
  FusedConv: fused('Conv', 3),
  FusedGemm: fused('Gemm', 3),
  Gelu: standard(elementwiseReaders, 'Gelu'),
  FastGelu: fastGelu,
  BiasGelu: biasGelu,
  QuickGelu: quickGelu,
  SkipLayerNormalization: skipNormalization('LayerNormalization'),
  SkipSimplifiedLayerNormalization: skipNormalization('RMSNormalization'),
}
