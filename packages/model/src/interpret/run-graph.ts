import { InvalidGraphError, ModelInputError } from '../errors.ts'
import type { Graph, ValueId } from '../graph.ts'
import { sameShape, type Tensor } from '../tensor.ts'
import { evaluateNode } from './evaluate.ts'

/** Named tensors: what goes into a run, and what comes out. */
export type NamedTensors = Readonly<Record<ValueId, Tensor>>

/** Sees every value as it is computed; used for calibration and tracing. */
export type ValueObserver = (value: ValueId, tensor: Tensor) => void

/**
 * Runs a graph on the reference interpreter, which defines the bits of profile `f32` (docs/spec/f32.md). Slow and exact.
 * @throws ModelInputError when an input is missing, unknown, or has another type or shape.
 */
export function runGraph(graph: Graph, inputs: NamedTensors, options: { readonly observe?: ValueObserver } = {}): NamedTensors {
  const values = new Map<ValueId, Tensor>(graph.constants)
  acceptInputs(graph, inputs, values)
  for (const node of graph.nodes) {
    const operands = node.inputs.map((id) => lookUp(values, id, node.name))
    const types = node.outputs.map((id) => graph.types.get(id) ?? missing(node.name, id))
    const results = evaluateNode(node, operands, types)
    for (const [index, id] of node.outputs.entries()) {
      const result = results[index] ?? missing(node.name, id)
      values.set(id, result)
      options.observe?.(id, result)
    }
  }
  return Object.fromEntries(graph.outputs.map((id) => [id, canonicalNaN(lookUp(values, id, 'the outputs'))]))
}

function acceptInputs(graph: Graph, inputs: NamedTensors, values: Map<ValueId, Tensor>): void {
  const unknown = Object.keys(inputs).find((id) => !graph.inputs.includes(id))
  if (unknown !== undefined) throw new ModelInputError(unknown, `is unknown; the inputs are ${graph.inputs.join(', ')}`)
  for (const id of graph.inputs) {
    const tensor = Object.hasOwn(inputs, id) ? inputs[id] : undefined
    const type = graph.types.get(id)
    if (tensor === undefined || type === undefined) throw new ModelInputError(id, 'is missing')
    if (tensor.elementType !== type.elementType || !sameShape(tensor.shape, type.shape))
      throw new ModelInputError(
        id,
        `must be ${type.elementType} [${type.shape.join(', ')}], not ${tensor.elementType} [${tensor.shape.join(', ')}]`,
      )
    if (tensor.data.length !== type.shape.reduce((product, size) => product * size, 1))
      throw new ModelInputError(id, 'has a length that does not fit its shape')
    values.set(id, tensor)
  }
}

function lookUp(values: ReadonlyMap<ValueId, Tensor>, id: ValueId, where: string): Tensor {
  return values.get(id) ?? missing(where, id)
}

function missing(where: string, id: ValueId): never {
  throw new InvalidGraphError(where, `value ${id} is not defined`)
}

/** Every NaN as 0x7fc00000, so that equal answers are equal bytes. */
export function canonicalNaN(tensor: Tensor): Tensor {
  if (!(tensor.data instanceof Float32Array)) return tensor
  const data = tensor.data.slice()
  const bits = new Uint32Array(data.buffer)
  for (let i = 0; i < data.length; i++) if (Number.isNaN(data[i])) bits[i] = 0x7fc00000
  return { ...tensor, data }
}
