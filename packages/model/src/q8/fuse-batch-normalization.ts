import type { Graph, GraphNode, ValueId } from '../graph.ts'
import { elementCount, float32, getNumber, type Tensor, type TensorType } from '../tensor.ts'

/**
 * Folds inference-time batch normalisation into the convolution or matrix product before it, where that result has no
 * other use. Changes float bits (once, before quantisation), so only the quantiser does it.
 */
export function fuseBatchNormalization(graph: Graph): Graph {
  const constants = new Map(graph.constants)
  const types = new Map(graph.types)
  const uses = new Map<ValueId, number>()
  for (const id of [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs]) uses.set(id, (uses.get(id) ?? 0) + 1)
  const nodes: GraphNode[] = []
  for (const node of graph.nodes) {
    const producer = nodes.findIndex((other) => other.outputs[0] === node.inputs[0])
    const fused = uses.get(node.inputs[0] ?? '') === 1 ? fuse(node, nodes[producer], constants) : undefined
    if (fused === undefined) {
      nodes.push(node)
      continue
    }
    for (const [id, tensor] of fused.constants) {
      constants.set(id, tensor)
      types.set(id, { elementType: tensor.elementType, shape: tensor.shape } satisfies TensorType)
    }
    nodes[producer] = fused.node
  }
  return { ...graph, nodes, constants, types }
}

function fuse(node: GraphNode, producer: GraphNode | undefined, constants: ReadonlyMap<ValueId, Tensor>) {
  if (node.operation.operator !== 'BatchNormalization' || producer === undefined) return undefined
  const { operation } = producer
  const channelsFirst = operation.operator === 'Conv' || (operation.operator === 'Gemm' && operation.transB)
  if (!channelsFirst || (operation.operator === 'Gemm' && (operation.alpha !== 1 || operation.beta !== 1))) return undefined
  const [weights, ...parameters] = [producer.inputs[1], ...node.inputs.slice(1)].map((id) => constants.get(id ?? ''))
  const bias = producer.inputs[2] === undefined ? undefined : constants.get(producer.inputs[2])
  const [scale, shift, mean, variance] = parameters
  if (weights === undefined || scale === undefined || shift === undefined || mean === undefined || variance === undefined) return undefined
  if (producer.inputs[2] !== undefined && (bias === undefined || bias.data.length !== weights.shape[0])) return undefined
  const { epsilon } = node.operation
  const factor = (c: number) => getNumber(scale.data, c) / Math.sqrt(getNumber(variance.data, c) + epsilon)
  const rowSize = elementCount(weights.shape.slice(1))
  const name = `${node.name}/fused`
  const fusedWeights = float32(
    weights.shape,
    Array.from({ length: weights.data.length }, (_, i) => getNumber(weights.data, i) * factor(Math.floor(i / rowSize))),
  )
  const fusedBias = float32(
    [weights.shape[0] ?? 0],
    Array.from({ length: weights.shape[0] ?? 0 }, (_, c) => {
      const before = bias === undefined ? 0 : getNumber(bias.data, c)
      return (before - getNumber(mean.data, c)) * factor(c) + getNumber(shift.data, c)
    }),
  )
  const fusedNode = { ...producer, inputs: [producer.inputs[0] ?? '', `${name}/weights`, `${name}/bias`], outputs: node.outputs }
  return {
    node: fusedNode,
    constants: [
      [`${name}/weights`, fusedWeights],
      [`${name}/bias`, fusedBias],
    ] as const,
  }
}
