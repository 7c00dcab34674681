import type { ValueId } from '../../graph.ts'
import { type ElementType, elementCount } from '../../tensor.ts'
import { quantizedRange } from '../../interpret/quantized.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { matMulShape } from '../shapes.ts'
import { roundedTypeFromOnnx } from '../tensor-proto.ts'
import { convolution } from './linear.ts'

const quantized: readonly ElementType[] = ['int8', 'uint8', 'int16', 'uint16']
const bytes: readonly ElementType[] = ['int8', 'uint8']

/** An absent zero point, as the zeros it stands for. */
function zeroPoint(node: NodeReader, index: number, like: ValueId | undefined, elementType: ElementType): ValueId {
  const given = node.optional(index)
  if (given !== undefined) return given
  const shape = like === undefined ? [] : node.shapeOf(like)
  return node.innerConstant(node.generated(elementType, shape, () => 0))
}

/** Checks that scale and zero point are scalars or one per index of the axis, and returns that axis. */
function scaleAxis(node: NodeReader, x: ValueId, scale: ValueId, zero: ValueId): number {
  const [shape, scales] = [node.shapeOf(x), node.shapeOf(scale)]
  node.expectTypes([scale], ['float32'])
  if (elementCount(node.shapeOf(zero)) !== elementCount(scales)) throw node.invalid('scale and zero point differ in length')
  if (elementCount(scales) === 1) return 0
  const axis = node.axis(node.integer('axis', 1), shape.length)
  if (scales.length !== 1 || scales[0] !== shape[axis]) throw node.invalid('the scales are not one per index of the axis')
  return axis
}

function quantizeLinear(node: NodeReader): void {
  const [x, scale] = [node.input(0), node.input(1)]
  node.expectTypes([x], ['float32'])
  const given = node.optional(2)
  node.assertNotFourBit(given)
  const wanted = node.integer('output_dtype', 0)
  const elementType =
    given !== undefined ? node.typeOf(given).elementType : wanted === 0 ? 'uint8' : roundedTypeFromOnnx(wanted, `Node ${node.node.name}`)
  const zero = zeroPoint(node, 2, scale, elementType)
  node.expectTypes([zero], quantized)
  if (node.integer('block_size', 0) !== 0) {
    quantizeBlocks(node, { x, scale, zero }, elementType)
    return
  }
  node.emit({ operator: 'QuantizeLinear', axis: scaleAxis(node, x, scale, zero) }, [x, scale, zero], {
    elementType,
    shape: node.shapeOf(x),
  })
}

function dequantizeLinear(node: NodeReader): void {
  const [x, scale] = [node.input(0), node.input(1)]
  node.expectTypes([x], [...quantized, 'int32'])
  const zero = zeroPoint(node, 2, scale, node.typeOf(x).elementType)
  if (node.integer('block_size', 0) !== 0) {
    dequantizeBlocks(node, { x, scale, zero })
    return
  }
  node.emit({ operator: 'DequantizeLinear', axis: scaleAxis(node, x, scale, zero) }, [x, scale, zero], {
    elementType: 'float32',
    shape: node.shapeOf(x),
  })
}

type Blocks = { readonly x: ValueId; readonly scale: ValueId; readonly zero: ValueId }

/** Every block of an axis has its own scale: the parameters repeated to the shape of x. */
function blockParameters(node: NodeReader, e: Expressions, { x, scale, zero }: Blocks): readonly [ValueId, ValueId] {
  const shape = e.shape(x)
  const axis = node.axis(node.integer('axis', 1), shape.length)
  const block = node.integer('block_size')
  const blocks = e.shape(scale)
  const fits =
    blocks.length === shape.length &&
    blocks.every((size, other) => size === (other === axis ? Math.ceil((shape[axis] ?? 0) / block) : shape[other]))
  if (!fits || elementCount(e.shape(zero)) !== elementCount(blocks)) throw node.invalid('its scales are not one per block')
  const repeated = (id: ValueId): ValueId => {
    const split = e.reshape(id, blocks.toSpliced(axis + 1, 0, 1))
    const wide = e.expand(split, blocks.toSpliced(axis + 1, 0, block))
    const all = e.reshape(wide, blocks.with(axis, (blocks[axis] ?? 0) * block))
    return e.slice(all, axis, { start: 0, count: shape[axis] ?? 0 })
  }
  return [repeated(scale), repeated(zero)]
}

function dequantizeBlocks(node: NodeReader, blocks: Blocks): void {
  const e = new Expressions(node)
  const [scale, zero] = blockParameters(node, e, blocks)
  const centred = e.subtract(e.cast(blocks.x, 'int32'), e.cast(zero, 'int32'))
  node.emitAlias(0, e.multiply(e.cast(centred, 'float32'), scale))
}

function quantizeBlocks(node: NodeReader, blocks: Blocks, elementType: ElementType): void {
  const e = new Expressions(node)
  const [scale, zero] = blockParameters(node, e, blocks)
  const rounded = e.unary('Round', e.divide(blocks.x, scale))
  const number = e.where(e.binary('Equal', rounded, rounded), rounded, 0)
  const sum = e.add(number, e.cast(zero, 'float32'))
  const [min, max] = quantizedRange(elementType)
  node.emitAlias(0, e.cast(node.emitInner({ operator: 'Clip', min, max }, [sum], node.typeOf(sum)), elementType))
}

function dynamicQuantizeLinear(node: NodeReader): void {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  node.emit(
    { operator: 'DynamicQuantizeLinear' },
    [x],
    { elementType: 'uint8', shape: node.shapeOf(x) },
    { elementType: 'float32', shape: [] },
    { elementType: 'uint8', shape: [] },
  )
}

function assertScalars(node: NodeReader, ids: readonly ValueId[]): void {
  if (ids.some((id) => elementCount(node.shapeOf(id)) !== 1))
    throw node.unsupported('a scale or zero point of its activations is not a scalar', 'one scale and zero point per activation')
}

function assertPerColumn(node: NodeReader, ids: readonly ValueId[], columns: number): void {
  for (const id of ids) {
    const count = elementCount(node.shapeOf(id))
    if (count !== 1 && (count !== columns || node.shapeOf(id).length !== 1))
      throw node.unsupported('a scale or zero point of its weights has an unusual shape', 'one, or one per output channel')
  }
}

function matMulInteger(node: NodeReader): void {
  const [a, b] = [node.input(0), node.input(1)]
  node.expectTypes([a, b], bytes)
  const shape = matMulShape(node, node.shapeOf(a), node.shapeOf(b))
  const [zeroA, zeroB] = [
    zeroPoint(node, 2, undefined, node.typeOf(a).elementType),
    zeroPoint(node, 3, undefined, node.typeOf(b).elementType),
  ]
  assertPerColumn(node, [zeroA], node.shapeOf(a).at(-2) ?? 1)
  assertPerColumn(node, [zeroB], node.shapeOf(b).at(-1) ?? 1)
  node.emit({ operator: 'MatMulInteger' }, [a, b, zeroA, zeroB], { elementType: 'int32', shape })
}

function convInteger(node: NodeReader): void {
  const [x, w] = [node.input(0), node.input(1)]
  node.expectTypes([x, w], bytes)
  const { window, group, filters, shape } = convolution(node, node.shapeOf(x), node.shapeOf(w))
  const [zeroX, zeroW] = [
    zeroPoint(node, 2, undefined, node.typeOf(x).elementType),
    zeroPoint(node, 3, undefined, node.typeOf(w).elementType),
  ]
  assertScalars(node, [zeroX])
  assertPerColumn(node, [zeroW], filters)
  node.emit({ operator: 'ConvInteger', window, group }, [x, w, zeroX, zeroW], { elementType: 'int32', shape })
}

function qLinearMatMul(node: NodeReader): void {
  const ids = Array.from({ length: 8 }, (_, index) => node.input(index))
  const [a = '', aScale = '', aZero = '', b = '', bScale = '', bZero = '', yScale = '', yZero = ''] = ids
  node.expectTypes([a, b, aZero, bZero, yZero], bytes)
  node.expectTypes([aScale, bScale, yScale], ['float32'])
  assertScalars(node, [aScale, aZero, yScale, yZero])
  assertPerColumn(node, [bScale, bZero], node.shapeOf(b).at(-1) ?? 1)
  node.emit({ operator: 'QLinearMatMul' }, ids, {
    elementType: node.typeOf(yZero).elementType,
    shape: matMulShape(node, node.shapeOf(a), node.shapeOf(b)),
  })
}

function qLinearConv(node: NodeReader): void {
  const ids = Array.from({ length: 8 }, (_, index) => node.input(index))
  const [x = '', xScale = '', xZero = '', w = '', wScale = '', wZero = '', yScale = '', yZero = ''] = ids
  const bias = node.optional(8)
  node.expectTypes([x, w, xZero, wZero, yZero], bytes)
  node.expectTypes([xScale, wScale, yScale], ['float32'])
  const { window, group, filters, shape } = convolution(node, node.shapeOf(x), node.shapeOf(w))
  assertScalars(node, [xScale, xZero, yScale, yZero])
  assertPerColumn(node, [wScale, wZero], filters)
  if (bias !== undefined) {
    node.expectTypes([bias], ['int32'])
    if (node.shapeOf(bias).length !== 1 || node.shapeOf(bias)[0] !== filters) throw node.invalid('the bias is not one per filter')
  }
  node.emit({ operator: 'QLinearConv', window, group }, bias === undefined ? ids : [...ids, bias], {
    elementType: node.typeOf(yZero).elementType,
    shape,
  })
}

/** ONNX's own int8 operators. */
export const quantizedReaders: Readonly<Record<string, OperatorReader>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  MatMulInteger: matMulInteger,
  ConvInteger: convInteger,
  QLinearMatMul: qLinearMatMul,
  QLinearConv: qLinearConv,
}
