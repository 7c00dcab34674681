import { UnsupportedOperatorError } from '../errors.ts'
import type { Graph, GraphNode, Window } from '../graph.ts'
import { float32, type Tensor, type TensorType, tensor } from '../tensor.ts'
import { elementTypeToOnnx } from './tensor-proto.ts'
import { type OnnxAttributeValue, type OnnxFileNode, type OnnxFileValue, writeOnnx } from './write-onnx.ts'

/** What one node becomes: attributes, and constant inputs after its own. */
type Written = {
  /** Where ONNX calls it otherwise. */
  readonly operator?: string
  readonly attributes?: Readonly<Record<string, OnnxAttributeValue>>
  readonly constants?: Readonly<Record<string, Tensor>>
}

/** The bytes of an ONNX file (operator set 21) with the same meaning as a graph. */
export function graphToOnnx(graph: Graph): Uint8Array<ArrayBuffer> {
  const initializers: Record<string, Tensor> = Object.fromEntries(graph.constants)
  const nodes = graph.nodes.map((node): OnnxFileNode => {
    const { operator = node.operation.operator, attributes = {}, constants = {} } = write(node, graph)
    const added = Object.entries(constants).map(([role, value]) => {
      const name = `${node.name}:${node.outputs[0]}/${role}`
      initializers[name] = value
      return name
    })
    return { name: node.name, operator, inputs: [...node.inputs, ...added], outputs: node.outputs, attributes }
  })
  const declare = (name: string): OnnxFileValue => ({ name, ...typeOf(graph, name) })
  return writeOnnx({
    name: graph.name,
    opset: 21,
    inputs: graph.inputs.map(declare),
    outputs: graph.outputs.map(declare),
    initializers,
    nodes,
  })
}

function write(node: GraphNode, graph: Graph): Written {
  const { operation } = node
  const output = typeOf(graph, node.outputs[0] ?? '')
  switch (operation.operator) {
    case 'LeakyRelu':
    case 'Elu':
      return { attributes: { alpha: { float: operation.alpha } } }
    case 'HardSigmoid':
      return { attributes: { alpha: { float: operation.alpha }, beta: { float: operation.beta } } }
    case 'Gelu':
      return { attributes: { approximate: { text: operation.approximate } } }
    case 'Clip':
      return { constants: { min: tensor(output.elementType, [], [operation.min]), max: tensor(output.elementType, [], [operation.max]) } }
    case 'Cast':
      return { attributes: { to: { integer: elementTypeToOnnx(output.elementType) } } }
    case 'Gemm':
      return {
        attributes: {
          alpha: { float: operation.alpha },
          beta: { float: operation.beta },
          transA: { integer: Number(operation.transA) },
          transB: { integer: Number(operation.transB) },
        },
      }
    case 'Conv':
    case 'ConvInteger':
    case 'QLinearConv':
      return { attributes: { ...windowAttributes(operation.window), group: { integer: operation.group } } }
    case 'MaxPool':
      return { attributes: windowAttributes(operation.window) }
    case 'AveragePool':
      return { attributes: { ...windowAttributes(operation.window), count_include_pad: { integer: Number(operation.countIncludePad) } } }
    case 'BatchNormalization':
      return { attributes: { epsilon: { float: operation.epsilon } } }
    case 'LayerNormalization':
      return { attributes: { axis: { integer: operation.axis }, epsilon: { float: operation.epsilon } } }
    case 'Softmax':
    case 'LogSoftmax':
    case 'Concat':
    case 'Gather':
    case 'QuantizeLinear':
    case 'DequantizeLinear':
      return { attributes: { axis: { integer: operation.axis } } }
    case 'Reshape':
      return { constants: { shape: int64(output.shape) }, attributes: { allowzero: { integer: 1 } } }
    case 'Expand':
      return { constants: { shape: int64(output.shape) } }
    case 'Transpose':
      return { attributes: { perm: { integers: operation.perm } } }
    case 'Split':
      return { attributes: { axis: { integer: operation.axis } }, constants: { split: int64(operation.sizes) } }
    case 'Tile':
      return { constants: { repeats: int64(operation.repeats) } }
    case 'ReduceSum':
    case 'ReduceMean':
    case 'ReduceMax':
    case 'ReduceMin':
    case 'ReduceProd':
    case 'ReduceSumSquare':
    case 'ReduceL2':
      return { attributes: { keepdims: { integer: Number(operation.keepDims) } }, constants: { axes: int64(operation.axes) } }
    case 'ArgMax':
    case 'ArgMin':
      return { attributes: { axis: { integer: operation.axis }, keepdims: { integer: Number(operation.keepDims) } } }
    case 'Pad':
      return {
        attributes: { mode: { text: operation.mode } },
        constants: { pads: int64(operation.pads), value: tensor(output.elementType, [], [operation.value]) },
      }
    case 'Slice':
      return { constants: sliceConstants(operation, output) }
    case 'Scatter':
      return { operator: 'ScatterND', attributes: { reduction: { text: operation.reduction } } }
    case 'TopK':
      return {
        attributes: { axis: { integer: operation.axis }, largest: { integer: Number(operation.largest) } },
        constants: { k: int64([operation.k]) },
      }
    case 'ShiftLeft':
    case 'ShiftRight':
      return { operator: 'BitShift', attributes: { direction: { text: operation.operator === 'ShiftLeft' ? 'LEFT' : 'RIGHT' } } }
    case 'RMSNormalization':
      throw new UnsupportedOperatorError(node.name, operation.operator, {
        reason: 'operator set 21 does not have it',
        supported: 'operators of operator set 21',
      })
    default:
      return {}
  }
}

function sliceConstants(
  form: { readonly starts: readonly number[]; readonly steps: readonly number[] },
  output: TensorType,
): Record<string, Tensor> {
  const ends = output.shape.map((count, axis) => {
    const [start, step] = [form.starts[axis] ?? 0, form.steps[axis] ?? 1]
    const end = start + step * count
    // An end before the first element would count from the back; the smallest integer is clamped instead.
    return end < 0 ? Number.MIN_SAFE_INTEGER : end
  })
  return { starts: int64(form.starts), ends: int64(ends), axes: int64(ends.map((_, axis) => axis)), steps: int64(form.steps) }
}

function windowAttributes({ kernel, strides, dilations, pads }: Window): Record<string, OnnxAttributeValue> {
  return {
    kernel_shape: { integers: kernel },
    strides: { integers: strides },
    dilations: { integers: dilations },
    pads: { integers: pads },
  }
}

function int64(values: readonly number[]): Tensor {
  return tensor('int64', [values.length], values)
}

function typeOf(graph: Graph, id: string): TensorType {
  return graph.types.get(id) ?? float32([], [0])
}
