import { InvalidGraphError } from '../errors.ts'
import type { GraphNode, Operation } from '../graph.ts'
import type { Tensor, TensorType } from '../tensor.ts'
import { conv, integerConv } from './convolution.ts'
import { activation, binary, cast, unary, where } from './elementwise.ts'
import { gemm, integerMatMul, matMul } from './linear.ts'
import { concat, expand, gather, pad, reshape, slice, split, tile, transpose } from './movement.ts'
import { batchNormalization, layerNormalization, rmsNormalization, softmax } from './normalization.ts'
import { averagePool, maxPool } from './pool.ts'
import {
  dequantizeLinear,
  dynamicQuantizeLinear,
  type QLinearConvInputs,
  type QLinearMatMulInputs,
  qLinearConv,
  qLinearMatMul,
  quantizeLinear,
} from './quantized.ts'
import { argExtreme, reduce } from './reduce.ts'
import { scatter } from './scatter.ts'
import { topK } from './top-k.ts'

/** What a node computes from, for error messages and dispatch. */
export type NodeToEvaluate = Pick<GraphNode, 'name' | 'operation'>

/** The outputs of one node; `types` are the output types that the importer inferred. */
export function evaluateNode(node: NodeToEvaluate, inputs: readonly Tensor[], types: readonly TensorType[]): Tensor[] {
  const type = types[0]
  if (type === undefined) throw new InvalidGraphError(node.name, 'it has no output')
  try {
    return evaluate(node.operation, inputs, types, type)
  } catch (error) {
    if (error instanceof InvalidGraphError && error.node !== node.name) throw new InvalidGraphError(node.name, error.reason)
    throw error
  }
}

function evaluate(operation: Operation, inputs: readonly Tensor[], types: readonly TensorType[], type: TensorType): Tensor[] {
  const at = (index: number): Tensor => {
    const tensor = inputs[index]
    if (tensor === undefined) throw new InvalidGraphError(`an operator ${operation.operator}`, `it lacks input ${index}`)
    return tensor
  }
  switch (operation.operator) {
    case 'LeakyRelu':
    case 'Elu':
    case 'HardSigmoid':
    case 'Gelu':
    case 'Clip':
      return [activation(operation, at(0), type)]
    case 'Cast':
      return [cast(at(0), type)]
    case 'Where':
      return [where(at(0), at(1), at(2), type)]
    case 'MatMul':
      return [matMul(at(0), at(1), type)]
    case 'Gemm':
      return [gemm(operation, [at(0), at(1), inputs[2]], type)]
    case 'Conv':
      return [conv(operation, [at(0), at(1), inputs[2]], type)]
    case 'MaxPool':
      return [maxPool(operation.window, at(0), type)]
    case 'AveragePool':
      return [averagePool(operation, at(0), type)]
    case 'BatchNormalization':
      return [batchNormalization(operation.epsilon, [at(0), at(1), at(2), at(3), at(4)], type)]
    case 'LayerNormalization':
      return [layerNormalization(operation, [at(0), at(1), inputs[2]], type)]
    case 'RMSNormalization':
      return [rmsNormalization(operation, [at(0), at(1)], type)]
    case 'Softmax':
    case 'LogSoftmax':
      return [softmax(operation.operator, at(0), operation.axis, type)]
    case 'Reshape':
      return [reshape(at(0), type)]
    case 'Transpose':
      return [transpose(operation.perm, at(0), type)]
    case 'Concat':
      return [concat(operation.axis, inputs, type)]
    case 'Split':
      return split(operation.axis, at(0), types)
    case 'Slice':
      return [slice(operation, at(0), type)]
    case 'Gather':
      return [gather(operation.axis, at(0), at(1), type)]
    case 'Scatter':
      return [scatter(operation.reduction, [at(0), at(1), at(2)], type)]
    case 'TopK':
      return topK(operation, at(0), [type, types[1] ?? type])
    case 'Expand':
      return [expand(at(0), type)]
    case 'Tile':
      return [tile(at(0), type)]
    case 'Pad':
      return [pad(operation, at(0), type)]
    case 'ReduceSum':
    case 'ReduceMean':
    case 'ReduceMax':
    case 'ReduceMin':
    case 'ReduceProd':
    case 'ReduceSumSquare':
    case 'ReduceL2':
      return [reduce(operation.operator, at(0), operation.axes, type)]
    case 'ArgMax':
    case 'ArgMin':
      return [argExtreme(operation.operator, at(0), operation.axis, type)]
    case 'QuantizeLinear':
      return [quantizeLinear(operation.axis, [at(0), at(1), at(2)], type)]
    case 'DequantizeLinear':
      return [dequantizeLinear(operation.axis, [at(0), at(1), at(2)], type)]
    case 'DynamicQuantizeLinear':
      return dynamicQuantizeLinear(at(0), [type, types[1] ?? type, types[2] ?? type])
    case 'MatMulInteger':
      return [integerMatMul(at(0), at(1), { a: at(2), b: at(3) }, type)]
    case 'ConvInteger':
      return [integerConv(operation, [at(0), at(1)], { x: at(2), w: at(3) }, type)]
    case 'QLinearMatMul':
      return [qLinearMatMul([at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)] satisfies QLinearMatMulInputs, type)]
    case 'QLinearConv':
      return [qLinearConv(operation, [at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), inputs[8]] satisfies QLinearConvInputs, type)]
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
    case 'Pow':
    case 'Min':
    case 'Max':
    case 'And':
    case 'Or':
    case 'Xor':
    case 'Equal':
    case 'Less':
    case 'LessOrEqual':
    case 'Greater':
    case 'GreaterOrEqual':
    case 'BitwiseAnd':
    case 'BitwiseOr':
    case 'BitwiseXor':
    case 'ShiftLeft':
    case 'ShiftRight':
      return [binary(operation.operator, at(0), at(1), type)]
    default:
      return [unary(operation.operator, at(0), type)]
  }
}
