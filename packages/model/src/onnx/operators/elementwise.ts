import type { BinaryOperator, UnaryOperator, ValueId } from '../../graph.ts'
import type { ElementType, TensorType } from '../../tensor.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'
import { broadcastShapes } from '../shapes.ts'
import { roundedTypeFromOnnx } from '../tensor-proto.ts'

const integers: readonly ElementType[] = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64']
const numeric: readonly ElementType[] = ['float32', ...integers]
const any: readonly ElementType[] = [...numeric, 'bool']

function unaryReader(operator: UnaryOperator, allowed: readonly ElementType[]): OperatorReader {
  return (node) => {
    const x = node.input(0)
    node.expectTypes([x], allowed)
    node.emit({ operator }, [x], node.typeOf(x))
  }
}

function binaryReader(operator: BinaryOperator, allowed: readonly ElementType[], result?: ElementType): OperatorReader {
  return (node) => {
    const [a, b] = [node.input(0), node.input(1)]
    node.expectTypes([a, b], allowed)
    assertSameType(node, operator === 'Pow' ? [a] : [a, b])
    node.emit({ operator }, [a, b], {
      elementType: result ?? node.typeOf(a).elementType,
      shape: broadcastShapes(node, node.shapeOf(a), node.shapeOf(b)),
    })
  }
}

function assertSameType(node: NodeReader, ids: readonly ValueId[]): void {
  const types = new Set(ids.map((id) => node.typeOf(id).elementType))
  if (types.size > 1) throw node.invalid(`its inputs have different element types (${[...types].join(', ')})`)
}

/** Sum, Min, Max and Mean of any number of inputs, as a chain from left to right. */
function chainReader(operator: 'Add' | 'Min' | 'Max', average = false): OperatorReader {
  return (node) => {
    const ids = node.inputs()
    node.expectTypes(ids, numeric)
    assertSameType(node, ids)
    const elementType = node.typeOf(ids[0] ?? '').elementType
    let sum = ids[0] ?? ''
    for (const id of ids.slice(1))
      sum = node.emitInner({ operator }, [sum, id], { elementType, shape: broadcastShapes(node, node.shapeOf(sum), node.shapeOf(id)) })
    if (average) sum = node.emitInner({ operator: 'Div' }, [sum, node.scalar(elementType, ids.length)], node.typeOf(sum))
    node.emitAlias(0, sum)
  }
}

function floatInput(node: NodeReader): readonly [ValueId, TensorType] {
  const x = node.input(0)
  node.expectTypes([x], ['float32'])
  return [x, node.typeOf(x)]
}

function clip(node: NodeReader): void {
  const x = node.input(0)
  node.expectTypes([x], numeric)
  const bounds = [node.optional(1), node.optional(2)]
  const known = bounds.map((id) => (id === undefined ? undefined : node.constantOf(id)))
  if (node.version < 11) {
    const [min, max] = [node.float('min', Number.NEGATIVE_INFINITY), node.float('max', Number.POSITIVE_INFINITY)]
    node.emit({ operator: 'Clip', min, max }, [x], node.typeOf(x))
    return
  }
  const wide = node.typeOf(x).elementType === 'int64' || node.typeOf(x).elementType === 'uint64'
  if (!wide && bounds.every((id, index) => id === undefined || known[index] !== undefined)) {
    const min = known[0] === undefined ? Number.NEGATIVE_INFINITY : Number(known[0].data[0])
    const max = known[1] === undefined ? Number.POSITIVE_INFINITY : Number(known[1].data[0])
    node.emit({ operator: 'Clip', min, max }, [x], node.typeOf(x))
    return
  }
  let value = x
  if (bounds[0] !== undefined) value = node.emitInner({ operator: 'Max' }, [value, bounds[0]], node.typeOf(x))
  if (bounds[1] !== undefined) value = node.emitInner({ operator: 'Min' }, [value, bounds[1]], node.typeOf(x))
  node.emitAlias(0, value)
}

function cast(node: NodeReader, target: ElementType): void {
  const x = node.input(0)
  const type = node.typeOf(x)
  if (type.elementType === target) node.emitAlias(0, x)
  else node.emit({ operator: 'Cast' }, [x], { elementType: target, shape: type.shape })
}

function where(node: NodeReader): void {
  const [condition, then, otherwise] = [node.input(0), node.input(1), node.input(2)]
  node.expectTypes([condition], ['bool'])
  assertSameType(node, [then, otherwise])
  const shape = broadcastShapes(node, node.shapeOf(condition), node.shapeOf(then), node.shapeOf(otherwise))
  node.emit({ operator: 'Where' }, [condition, then, otherwise], { elementType: node.typeOf(then).elementType, shape })
}

function pRelu(node: NodeReader): void {
  const [x, type] = floatInput(node)
  const slope = node.input(1)
  node.expectTypes([slope], ['float32'])
  if (broadcastShapes(node, type.shape, node.shapeOf(slope)).length !== type.shape.length) throw node.invalid('the slope has too many axes')
  const negative = node.emitInner({ operator: 'Less' }, [x, node.scalar('float32', 0)], { elementType: 'bool', shape: type.shape })
  const scaled = node.emitInner({ operator: 'Mul' }, [slope, x], type)
  node.emit({ operator: 'Where' }, [negative, scaled, x], type)
}

function swish(node: NodeReader): void {
  const [x, type] = floatInput(node)
  const alpha = node.float('alpha', 1)
  const scaled = alpha === 1 ? x : node.emitInner({ operator: 'Mul' }, [node.scalar('float32', alpha), x], type)
  node.emit({ operator: 'Mul' }, [x, node.emitInner({ operator: 'Sigmoid' }, [scaled], type)], type)
}

function mish(node: NodeReader): void {
  const [x, type] = floatInput(node)
  const soft = node.emitInner({ operator: 'Softplus' }, [x], type)
  node.emit({ operator: 'Mul' }, [x, node.emitInner({ operator: 'Tanh' }, [soft], type)], type)
}

function softsign(node: NodeReader): void {
  const [x, type] = floatInput(node)
  const size = node.emitInner({ operator: 'Abs' }, [x], type)
  node.emit({ operator: 'Div' }, [x, node.emitInner({ operator: 'Add' }, [node.scalar('float32', 1), size], type)], type)
}

function thresholdedRelu(node: NodeReader): void {
  const [x, type] = floatInput(node)
  const above = node.emitInner({ operator: 'Greater' }, [x, node.scalar('float32', node.float('alpha', 1))], {
    ...type,
    elementType: 'bool',
  })
  node.emit({ operator: 'Where' }, [above, x, node.scalar('float32', 0)], type)
}

/** gamma * (x < 0 ? alpha (e^x - 1) : x). */
function selu(node: NodeReader): void {
  const [x, type] = floatInput(node)
  const inner = node.emitInner({ operator: 'Elu', alpha: node.float('alpha', 1.6732632423543772) }, [x], type)
  node.emit({ operator: 'Mul' }, [node.scalar('float32', node.float('gamma', 1.0507009873554805)), inner], type)
}

/** max(x, 0) + min(0, alpha (e^(x / alpha) - 1)): Elu of x / alpha, scaled. */
function celu(node: NodeReader): void {
  const [x, type] = floatInput(node)
  const alpha = node.float('alpha', 1)
  const scale = node.scalar('float32', alpha)
  const divided = node.emitInner({ operator: 'Div' }, [x, scale], type)
  const inner = node.emitInner({ operator: 'Elu', alpha: 1 }, [divided], type)
  node.emit({ operator: 'Mul' }, [scale, inner], type)
}

/** Operators that treat every element alike. */
export const elementwiseReaders: Readonly<Record<string, OperatorReader>> = {
  Abs: unaryReader('Abs', numeric),
  Neg: unaryReader('Neg', numeric),
  Sign: unaryReader('Sign', numeric),
  Relu: unaryReader('Relu', numeric),
  Floor: unaryReader('Floor', ['float32']),
  Ceil: unaryReader('Ceil', ['float32']),
  Round: unaryReader('Round', ['float32']),
  Reciprocal: unaryReader('Reciprocal', ['float32']),
  Sqrt: unaryReader('Sqrt', ['float32']),
  Exp: unaryReader('Exp', ['float32']),
  Log: unaryReader('Log', ['float32']),
  Erf: unaryReader('Erf', ['float32']),
  Sigmoid: unaryReader('Sigmoid', ['float32']),
  Tanh: unaryReader('Tanh', ['float32']),
  HardSwish: unaryReader('HardSwish', ['float32']),
  Softplus: unaryReader('Softplus', ['float32']),
  Not: unaryReader('Not', ['bool']),
  Add: binaryReader('Add', numeric),
  Sub: binaryReader('Sub', numeric),
  Mul: binaryReader('Mul', numeric),
  Div: binaryReader('Div', numeric),
  Pow: binaryReader('Pow', numeric),
  And: binaryReader('And', ['bool']),
  Or: binaryReader('Or', ['bool']),
  Xor: binaryReader('Xor', ['bool']),
  Equal: binaryReader('Equal', any, 'bool'),
  Less: binaryReader('Less', numeric, 'bool'),
  LessOrEqual: binaryReader('LessOrEqual', numeric, 'bool'),
  Greater: binaryReader('Greater', numeric, 'bool'),
  GreaterOrEqual: binaryReader('GreaterOrEqual', numeric, 'bool'),
  Sum: chainReader('Add'),
  Mean: chainReader('Add', true),
  Min: chainReader('Min'),
  Max: chainReader('Max'),
  Clip: clip,
  Where: where,
  PRelu: pRelu,
  Swish: swish,
  Mish: mish,
  Softsign: softsign,
  ThresholdedRelu: thresholdedRelu,
  Selu: selu,
  Celu: celu,
  LeakyRelu: (node) => node.emit({ operator: 'LeakyRelu', alpha: node.float('alpha', 0.01) }, [floatInput(node)[0]], floatInput(node)[1]),
  Elu: (node) => node.emit({ operator: 'Elu', alpha: node.float('alpha', 1) }, [floatInput(node)[0]], floatInput(node)[1]),
  HardSigmoid: (node) => {
    const [x, type] = floatInput(node)
    node.emit({ operator: 'HardSigmoid', alpha: node.float('alpha', 0.2), beta: node.float('beta', 0.5) }, [x], type)
  },
  Gelu: (node) => {
    const [x, type] = floatInput(node)
    node.emit({ operator: 'Gelu', approximate: node.text('approximate', 'none') === 'tanh' ? 'tanh' : 'none' }, [x], type)
  },
  Cast: (node) => cast(node, roundedTypeFromOnnx(node.integer('to'), `The target of node ${node.node.name}`)),
  CastLike: (node) => {
    node.assertNotFourBit(node.input(1))
    cast(node, node.typeOf(node.input(1)).elementType)
  },
}
