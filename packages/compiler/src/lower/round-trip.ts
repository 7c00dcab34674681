import type { Graph, GraphNode, Tensor, ValueId } from '@tacit/model'

function sameTensor(a: Tensor | undefined, b: Tensor | undefined): boolean {
  if (a === undefined || b === undefined) return false
  const [x, y] = [a.data, b.data]
  return a === b || (x.length === y.length && Array.from(x as ArrayLike<number>).every((value, i) => Object.is(value, y[i])))
}

/**
 * Whether a QuantizeLinear with constant parameters and one zero point is read by nothing but DequantizeLinear with the same
 * parameters, as files with quantised nodes in float form (QDQ) have it.
 */
export function isRoundTrip(
  node: GraphNode,
  graph: { readonly nodes: readonly GraphNode[]; readonly outputs: readonly ValueId[]; readonly constants: ReadonlyMap<ValueId, Tensor> },
): boolean {
  const { operation } = node
  const [, scaleId = '', zeroId = ''] = node.inputs
  const [quantized = ''] = node.outputs
  const zero = graph.constants.get(zeroId)
  if (operation.operator !== 'QuantizeLinear' || graph.outputs.includes(quantized)) return false
  if (zero === undefined || new Set(Array.from(zero.data as ArrayLike<number>)).size !== 1) return false
  const readers = readersOf(graph).get(quantized) ?? []
  return (
    readers.length > 0 &&
    readers.every(
      (reader) =>
        reader.operation.operator === 'DequantizeLinear' &&
        reader.operation.axis === operation.axis &&
        sameTensor(graph.constants.get(reader.inputs[1] ?? ''), graph.constants.get(scaleId)) &&
        sameTensor(graph.constants.get(reader.inputs[2] ?? ''), zero),
    )
  )
}

const known = new WeakMap<readonly GraphNode[], ReadonlyMap<ValueId, readonly GraphNode[]>>()

/** Who reads each value; computed once per list of nodes. */
function readersOf({ nodes }: Pick<Graph, 'nodes'>): ReadonlyMap<ValueId, readonly GraphNode[]> {
  const found = known.get(nodes)
  if (found !== undefined) return found
  const readers = new Map<ValueId, GraphNode[]>()
  for (const node of nodes)
    for (const id of new Set(node.inputs)) {
      const list = readers.get(id)
      if (list === undefined) readers.set(id, [node])
      else list.push(node)
    }
  known.set(nodes, readers)
  return readers
}
