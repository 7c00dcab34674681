import type { Graph, GraphNode } from '@tacit/model'
import type { Obfuscator } from '../obfuscate/obfuscator.ts'
import { UnsupportedNodeError } from '../errors.ts'
import type { Program } from '../program/program.ts'
import { lowerConv, lowerConvInteger, lowerQLinearConv } from './convolution.ts'
import { isFloatElementwise, lowerElementwise } from './elementwise.ts'
import { GraphState, type NodeLowering } from './graph-state.ts'
import { legalizeGraph } from './legalize-graph.ts'
import { storageOf } from './lowering.ts'
import { lowerMovement } from './movement.ts'
import { lowerBatchNormalization, lowerNormalization, lowerReduction, lowerSoftmax } from './normalization.ts'
import { lowerPool } from './pooling.ts'
import { lowerGemm, lowerMatMul, lowerMatMulInteger, lowerQLinearMatMul } from './products.ts'
import { lowerScalar } from './scalar.ts'
import { lowerArgExtreme, lowerScatter, lowerTopK } from './selection.ts'
import { lowerDequantize, lowerDynamicQuantize, lowerQuantize } from './quantization.ts'

const lowerings: Readonly<Record<string, NodeLowering>> = {
  MatMul: lowerMatMul,
  Gemm: lowerGemm,
  MatMulInteger: lowerMatMulInteger,
  QLinearMatMul: lowerQLinearMatMul,
  Conv: lowerConv,
  ConvInteger: lowerConvInteger,
  QLinearConv: lowerQLinearConv,
  MaxPool: lowerPool,
  AveragePool: lowerPool,
  BatchNormalization: lowerBatchNormalization,
  LayerNormalization: lowerNormalization,
  RMSNormalization: lowerNormalization,
  Softmax: lowerSoftmax,
  LogSoftmax: lowerSoftmax,
  ReduceSum: lowerReduction,
  ReduceMean: lowerReduction,
  ReduceMax: lowerReduction,
  ReduceMin: lowerReduction,
  ReduceProd: lowerReduction,
  ReduceSumSquare: lowerReduction,
  ReduceL2: lowerReduction,
  QuantizeLinear: lowerQuantize,
  DequantizeLinear: lowerDequantize,
  DynamicQuantizeLinear: lowerDynamicQuantize,
  Reshape: lowerMovement,
  Transpose: lowerMovement,
  Concat: lowerMovement,
  Split: lowerMovement,
  Slice: lowerMovement,
  Gather: lowerMovement,
  Expand: lowerMovement,
  Tile: lowerMovement,
  Pad: lowerMovement,
  ArgMax: lowerArgExtreme,
  ArgMin: lowerArgExtreme,
  TopK: lowerTopK,
  Scatter: lowerScatter,
  Cast: lowerScalar,
  Where: lowerScalar,
  Not: lowerScalar,
  And: lowerScalar,
  Or: lowerScalar,
  Xor: lowerScalar,
  Equal: lowerScalar,
  Less: lowerScalar,
  LessOrEqual: lowerScalar,
  Greater: lowerScalar,
  GreaterOrEqual: lowerScalar,
  Add: lowerScalar,
  Sub: lowerScalar,
  Mul: lowerScalar,
  Div: lowerScalar,
  BitwiseAnd: lowerScalar,
  BitwiseOr: lowerScalar,
  BitwiseXor: lowerScalar,
  ShiftLeft: lowerScalar,
  ShiftRight: lowerScalar,
  Min: lowerScalar,
  Max: lowerScalar,
}

function lowerNode(node: GraphNode, state: GraphState): void {
  if (isFloatElementwise(node, state)) {
    lowerElementwise(node, state)
    return
  }
  const lower = lowerings[node.operation.operator]
  if (lower === undefined)
    throw new UnsupportedNodeError(
      node.name,
      node.operation.operator,
      node.operation.operator === 'Pow' ? 'its exponent is not one constant' : 'there is no kernel for it with these element types',
    )
  lower(node, state)
}

/**
 * The program of a graph with its own numerics (profile `f32`): floats as docs/spec/f32.md defines, ONNX's quantised operators
 * as ONNX defines.
 * @throws UnsupportedNodeError
 */
export function lowerGraph(source: Graph, obfuscator?: Obfuscator): Program {
  const graph = legalizeGraph(source)
  const state = new GraphState(graph, lowerNode, obfuscator)
  const inputs = graph.inputs.map((name) => {
    const type = state.type(name)
    const node = { name, operation: { operator: 'Reshape' as const }, inputs: [], outputs: [name] }
    const storage = storageOf(type, node)
    const dense = state.out.dense(storage, type.shape)
    const view = { ...dense, region: { ...dense.region, kind: 'pinned' as const } }
    state.define(name, view)
    return { name, view, elementType: state.boundaryType(name) }
  })
  for (const node of graph.nodes) state.lower(node)
  const outputs = graph.outputs.map((name) => {
    const owner = { name, operation: { operator: 'Reshape' as const }, inputs: [name], outputs: [name] }
    return { name, view: state.view(name, owner), elementType: state.boundaryType(name) }
  })
  const last = outputs.at(-1)
  if (state.out.hasPendingSteps && last !== undefined)
    state.out.endLayer({ name: last.name, operator: 'Output', view: last.view, elementType: last.elementType })
  return { inputs, outputs, layers: state.out.layers }
}
