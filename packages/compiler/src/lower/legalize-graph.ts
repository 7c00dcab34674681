// Forms without a kernel of their own, rewritten into forms that have one, with the same bits.
import { elementCount, type ElementType, float32, foldConstants, type Graph, type GraphNode, type ValueId } from '@tacit/model'
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

/** A bias that is known at run time only: added last, as always. */
const convolutionBias: Rule = (node, editor) => {
  const { operation } = node
  const [x = '', w = '', bias] = node.inputs
  if (operation.operator !== 'Conv' || bias === undefined || editor.constant(bias) !== undefined) return false
  const result = editor.type(node.outputs[0] ?? '')
  const sum = editor.add(operation, [x, w], result)
  editor.finish(node, { operator: 'Add' }, [sum, editor.along(bias, 1, result.shape.length)])
  return true
}

/** The largest over three spatial axes is the largest over the first of those over the others. */
const maxPool: Rule = (node, editor) => {
  const { operation } = node
  const [x = ''] = node.inputs
  if (operation.operator !== 'MaxPool' || operation.window.kernel.length !== 3) return false
  const { kernel, strides, dilations, pads } = operation.window
  const [n = 1, c = 1, d = 1, h = 1, w = 1] = editor.type(x).shape
  const [, , depth = 1, height = 1, width = 1] = editor.type(node.outputs[0] ?? '').shape
  const { elementType } = editor.type(x)
  const pick = (list: readonly number[], from: number, to: number): readonly number[] => list.slice(from, to)
  const planes = editor.reshape(x, [n, c * d, h, w])
  const inPlane = {
    kernel: pick(kernel, 1, 3),
    strides: pick(strides, 1, 3),
    dilations: pick(dilations, 1, 3),
    pads: [...pick(pads, 1, 3), ...pick(pads, 4, 6)],
  }
  const flat = editor.add({ operator: 'MaxPool', window: inPlane }, [planes], { elementType, shape: [n, c * d, height, width] })
  const columns = editor.reshape(flat, [n, c, d, height * width])
  const across = {
    kernel: [kernel[0] ?? 1, 1],
    strides: [strides[0] ?? 1, 1],
    dilations: [dilations[0] ?? 1, 1],
    pads: [pads[0] ?? 0, 0, pads[3] ?? 0, 0],
  }
  const stacked = editor.add({ operator: 'MaxPool', window: across }, [columns], { elementType, shape: [n, c, depth, height * width] })
  editor.rename(node, 0, stacked)
  return true
}

const mostTaps = 512

/** The average over three spatial axes: shifted copies added in the order of the window, then divided by how many count. */
const averagePool: Rule = (node, editor) => {
  const { operation } = node
  const [x = ''] = node.inputs
  if (operation.operator !== 'AveragePool' || operation.window.kernel.length < 3) return false
  const { kernel, strides, dilations, pads } = operation.window
  const rank = kernel.length
  const [input, result] = [editor.type(x).shape, editor.type(node.outputs[0] ?? '')]
  const taps = elementCount(kernel)
  if (taps > mostTaps) return false
  const size = result.shape.slice(2)
  const reach = size.map((count, axis) => (count - 1) * (strides[axis] ?? 1) + ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1)
  const after = reach.map((span, axis) => Math.max(span - (pads[axis] ?? 0) - (input[axis + 2] ?? 1), 0))
  const padded = editor.add({ operator: 'Pad', pads: [0, 0, ...pads.slice(0, rank), 0, 0, ...after], mode: 'constant', value: 0 }, [x], {
    elementType: 'float32',
    shape: [...input.slice(0, 2), ...after.map((end, axis) => (input[axis + 2] ?? 1) + (pads[axis] ?? 0) + end)],
  })
  let sum = editor.scalar('float32', 0)
  const counts = new Float32Array(elementCount(size))
  for (let tap = 0; tap < taps; tap++) {
    const offsets = coordinates(tap, kernel).map((at, axis) => at * (dilations[axis] ?? 1))
    const part = editor.add({ operator: 'Slice', starts: [0, 0, ...offsets], steps: [1, 1, ...strides] }, [padded], result)
    sum = editor.add({ operator: 'Add' }, [part, sum], result)
    for (let place = 0; place < counts.length; place++) {
      const counted = coordinates(place, size).every((position, axis) => {
        const at = position * (strides[axis] ?? 1) + (offsets[axis] ?? 0) - (pads[axis] ?? 0)
        const [low, high] = operation.countIncludePad
          ? [-(pads[axis] ?? 0), (input[axis + 2] ?? 1) + (pads[axis + rank] ?? 0)]
          : [0, input[axis + 2] ?? 1]
        return at >= low && at < high
      })
      if (counted) counts[place] = (counts[place] ?? 0) + 1
    }
  }
  editor.finish(node, { operator: 'Div' }, [sum, editor.tensor(float32(size, counts))])
  return true
}

/** The coordinates of a row-major position. */
function coordinates(position: number, shape: readonly number[]): number[] {
  let rest = position
  return shape
    .toReversed()
    .map((size) => {
      const at = rest % size
      rest = Math.floor(rest / size)
      return at
    })
    .reverse()
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
  Conv: convolutionBias,
  MaxPool: maxPool,
  AveragePool: averagePool,
  Neg: integerUnary,
  Relu: integerUnary,
  Abs: integerUnary,
  Sign: integerUnary,
  Clip: integerUnary,
}
