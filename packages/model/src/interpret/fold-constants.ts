import type { Graph, GraphNode } from '../graph.ts'
import type { TensorType } from '../tensor.ts'
import { evaluateNode } from './evaluate.ts'

/** Computes every node whose inputs are constants, dequantised weights included; for consumers that want float weights. */
export function foldConstants(graph: Graph): Graph {
  const constants = new Map(graph.constants)
  const nodes: GraphNode[] = []
  for (const node of graph.nodes) {
    const operands = node.inputs.map((id) => constants.get(id)).filter((tensor) => tensor !== undefined)
    const types = node.outputs.map((id) => graph.types.get(id)).filter((type): type is TensorType => type !== undefined)
    if (operands.length !== node.inputs.length) nodes.push(node)
    else for (const [index, tensor] of evaluateNode(node, operands, types).entries()) constants.set(node.outputs[index] ?? '', tensor)
  }
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...graph.outputs])
  return { ...graph, nodes, constants: new Map([...constants].filter(([id]) => used.has(id))) }
}
