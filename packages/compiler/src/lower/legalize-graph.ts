// Forms without a kernel of their own, rewritten into forms that have one, with the same bits.
import { elementCount, type ElementType, foldConstants, type Graph, type GraphNode, type ValueId } from '@tacit/model'
import { GraphEditor } from './graph-editor.ts'
import { quantizedBounds } from './integer-operands.ts'
import { isRoundTrip } from './round-trip.ts'

/** A rewriting: whether it took the node. */
type Rule = (node: GraphNode, editor: GraphEditor) => boolean

/** Constant parts computed, rare forms replaced. */
export function legalizeGraph(graph: Graph): Graph {
  const editor = new GraphEditor(foldConstants(graph))
  for (const node of editor.graph.nodes) {
    const rule = rules[node.operation.operator]
    if (rule === undefined || !rule(node, editor)) editor.nodes.push(node)
  }
  return editor.build()
}

/** alpha a b, then beta c, where c is not one constant per column. */
const gemm: Rule = (node, editor) => {
  const { operation } = node
  const [a = '', b = '', c] = node.inputs
  if (operation.operator !== 'Gemm' || c === undefined) return false
  const result = editor.type(node.outputs[0] ?? '')
  const constant = editor.constant(c)
  const count = elementCount(editor.type(c).shape)
  const perColumn = (count === 1 || count === result.shape[1]) && (editor.type(c).shape.at(-1) ?? 1) === count
  if (constant !== undefined && perColumn) return false
  const product = editor.add({ ...operation, beta: 1 }, [a, b], result)
  const beta = Math.fround(operation.beta)
  editor.finish(node, { operator: 'Add' }, [product, beta === 1 ? c : editor.binary('Mul', c, beta)])
  return true
}

/** Several scales, or one that is known at run time only: (q - z) in integers, then float arithmetic. */
const dequantize: Rule = (node, editor) => {
  const { operation } = node
  const [x = '', scale = '', zero = ''] = node.inputs
  if (operation.operator !== 'DequantizeLinear') return false
  const source = editor.producer(x)
  if (source !== undefined && isRoundTrip(source, editor.graph)) return false
  const known = [scale, zero].map((id) => editor.constant(id))
  const { elementType, shape } = editor.type(x)
  const isByte = elementType === 'int8' || elementType === 'uint8'
  if (isByte && known.every((value) => value?.data.length === 1)) return false
  const along = (id: ValueId): ValueId => editor.along(id, operation.axis, shape.length)
  const centred = editor.binary('Sub', editor.cast(x, 'int32'), along(editor.cast(zero, 'int32')))
  editor.finish(node, { operator: 'Mul' }, [editor.cast(centred, 'float32'), along(scale)])
  return true
}

/** Several scales, or one that is known at run time only: float arithmetic, then a cast. */
const quantize: Rule = (node, editor) => {
  const { operation } = node
  const [x = '', scale = '', zero = ''] = node.inputs
  const result = editor.type(node.outputs[0] ?? '')
  if (operation.operator !== 'QuantizeLinear' || (result.elementType !== 'int8' && result.elementType !== 'uint8')) return false
  if ([scale, zero].every((id) => editor.constant(id)?.data.length === 1) || isRoundTrip(node, editor.graph)) return false
  const along = (id: ValueId): ValueId => editor.along(id, operation.axis, result.shape.length)
  quantizeWith(node, 0, editor, { x, scale: along(scale), zero: along(editor.cast(zero, 'float32')), elementType: result.elementType })
  return true
}

type Quantizing = { readonly x: ValueId; readonly scale: ValueId; readonly zero: ValueId; readonly elementType: ElementType }

/** clamp(nearest(x / scale) + zero); NaN gives zero. */
function quantizeWith(node: GraphNode, output: number, editor: GraphEditor, { x, scale, zero, elementType }: Quantizing): void {
  const rounded = editor.unary('Round', editor.binary('Div', x, scale))
  const type = editor.type(rounded)
  const number = editor.add({ operator: 'Where' }, [editor.binary('Equal', rounded, rounded), rounded, editor.scalar('float32', 0)], type)
  const [min, max] = quantizedBounds(elementType)
  const clamped = editor.add({ operator: 'Clip', min, max }, [editor.binary('Add', number, zero)], type)
  editor.nodes.push({
    name: node.name,
    operation: { operator: 'Cast' },
    inputs: [clamped],
    outputs: node.outputs.slice(output, output + 1),
  })
}

/** A dynamic quantisation whose parts are read by more than integer products. */
const dynamicQuantize: Rule = (node, editor) => {
  if (node.operation.operator !== 'DynamicQuantizeLinear') return false
  const [x = ''] = node.inputs
  const [y = '', , zeroId = ''] = node.outputs
  const readers = editor.graph.nodes.filter(({ inputs }) => inputs.includes(y))
  const zeroReaders = editor.graph.nodes.filter(({ inputs }) => inputs.includes(zeroId))
  const products = readers.every(
    ({ operation, inputs }) =>
      /^(?:MatMul|Conv)Integer$/.test(operation.operator) && inputs[0] === y && inputs[1] !== y && inputs[2] === zeroId,
  )
  const shown = [y, zeroId].some((id) => editor.graph.outputs.includes(id))
  if (products && !shown && zeroReaders.every((reader) => readers.includes(reader))) return false
  const axes = editor.type(x).shape.map((_, axis) => axis)
  const scalar = { elementType: 'float32' as const, shape: [] }
  const extreme = (operator: 'ReduceMax' | 'ReduceMin'): ValueId => {
    const found = axes.length === 0 ? x : editor.add({ operator, axes, keepDims: false }, [x], scalar)
    return editor.binary(operator === 'ReduceMax' ? 'Max' : 'Min', found, 0)
  }
  const [low, high] = [extreme('ReduceMin'), extreme('ReduceMax')]
  const span = editor.binary('Div', editor.binary('Sub', high, low), 255)
  const isZero = editor.binary('Equal', span, 0)
  const scale = editor.add({ operator: 'Where' }, [isZero, editor.scalar('float32', 1), span], scalar)
  const rounded = editor.unary('Round', editor.binary('Div', editor.unary('Neg', low), scale))
  const zero = editor.add({ operator: 'Clip', min: 0, max: 255 }, [rounded], scalar)
  editor.rename(node, 1, scale)
  editor.nodes.push({ name: `${node.name} zero point`, operation: { operator: 'Cast' }, inputs: [zero], outputs: node.outputs.slice(2, 3) })
  quantizeWith(node, 0, editor, { x, scale, zero, elementType: 'uint8' })
  return true
}

/** Statistics that are known at run time only. */
const batchNormalization: Rule = (node, editor) => {
  const { operation } = node
  const [x = '', ...parameters] = node.inputs
  if (operation.operator !== 'BatchNormalization' || parameters.every((id) => editor.constant(id) !== undefined)) return false
  const [scale = '', bias = '', mean = '', variance = ''] = parameters
  const deviation = editor.unary('Sqrt', editor.binary('Add', variance, Math.fround(operation.epsilon)))
  const a = editor.binary('Div', scale, deviation)
  const b = editor.binary('Sub', bias, editor.binary('Mul', mean, a))
  const rank = editor.type(x).shape.length
  const scaled = editor.binary('Mul', x, editor.along(a, 1, rank))
  editor.finish(node, { operator: 'Add' }, [scaled, editor.along(b, 1, rank)])
  return true
}

/** Integer functions of one input by integer arithmetic. */
const integerUnary: Rule = (node, editor) => {
  const { operation } = node
  const [x = ''] = node.inputs
  const { elementType } = editor.type(x)
  if (elementType === 'float32' || elementType === 'bool') return false
  const zero = editor.scalar(elementType, 0)
  switch (operation.operator) {
    case 'Neg':
      editor.finish(node, { operator: 'Sub' }, [zero, x])
      return true
    case 'Relu':
      editor.finish(node, { operator: 'Max' }, [x, zero])
      return true
    case 'Abs':
      editor.finish(node, { operator: 'Max' }, [x, editor.binary('Sub', zero, x)])
      return true
    case 'Sign': {
      const [above, below] = [editor.binary('Greater', x, zero), editor.binary('Less', x, zero)]
      editor.finish(node, { operator: 'Sub' }, [editor.cast(above, elementType), editor.cast(below, elementType)])
      return true
    }
    case 'Clip': {
      const bounded = Number.isFinite(operation.min) ? editor.binary('Max', x, operation.min) : x
      if (Number.isFinite(operation.max)) editor.finish(node, { operator: 'Min' }, [bounded, editor.scalar(elementType, operation.max)])
      else editor.rename(node, 0, bounded)
      return true
    }
    default:
      return false
  }
}

const rules: Readonly<Record<string, Rule>> = {
  Gemm: gemm,
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
  DynamicQuantizeLinear: dynamicQuantize,
  BatchNormalization: batchNormalization,
  Neg: integerUnary,
  Relu: integerUnary,
  Abs: integerUnary,
  Sign: integerUnary,
  Clip: integerUnary,
}
