import { InvalidGraphError, ModelTooLargeError } from '../errors.ts'
import type { Graph, GraphNode, Operation, ValueId } from '../graph.ts'
import { evaluateNode } from '../interpret/evaluate.ts'
import { elementCount, type Tensor, type TensorType } from '../tensor.ts'

/**
 * The most elements that constants may have that are not in the file: folded or generated ones, for one value and in total,
 * and the most work that folding spends. A few bytes of file can ask for any number of them.
 */
const maxMadeElements = 1 << 22
const maxMadeTotal = 1 << 25
const maxFoldedWork = 1 << 28
/** Constants this small are always made: shapes and axes are computed from them. */
const alwaysMadeElements = 64
const maxRank = 32
/** Unrolling makes many values out of one node; a small file could ask for any number of them. */
const maxValues = 1 << 18

/** Collects values and nodes in order; computes what is constant at once. */
export class GraphBuilder {
  readonly types: Map<ValueId, TensorType> = new Map()
  readonly constants: Map<ValueId, Tensor> = new Map()
  readonly inputs: ValueId[] = []
  /** Constants that the file stores as 4-bit integers. */
  readonly fourBit: Set<ValueId> = new Set()
  readonly #nodes: GraphNode[] = []
  readonly #aliases = new Map<string, ValueId>()
  readonly #maxElements: number
  #work = 0
  #made = 0
  #fresh = 0

  constructor(options: { readonly maxElements: number }) {
    this.#maxElements = options.maxElements
  }

  /** The value a name stands for, or undefined if nothing has defined it yet. */
  resolve(name: string): ValueId | undefined {
    return this.#aliases.get(name) ?? (this.types.has(name) ? name : undefined)
  }

  /** Makes `name` stand for an existing value. */
  alias(name: string, id: ValueId, where: string): void {
    this.#assertNew(name, where)
    this.#aliases.set(name, id)
  }

  /** Turns an alias into a value of its own, for outputs that must keep their name. */
  materialize(name: string): void {
    const source = this.#aliases.get(name)
    const type = source === undefined ? undefined : this.types.get(source)
    if (source === undefined || type === undefined) return
    this.#aliases.delete(name)
    this.addNode({ name, operation: { operator: 'Reshape' }, inputs: [source], outputs: [name] }, [type])
  }

  addInput(id: ValueId, type: TensorType): void {
    this.#define(id, type, 'the inputs')
    this.inputs.push(id)
  }

  addConstant(id: ValueId, tensor: Tensor, where: string): void {
    this.#define(id, { elementType: tensor.elementType, shape: tensor.shape }, where)
    this.constants.set(id, tensor)
  }

  /** Accounts for a constant that the file does not contain, before it is made. */
  reserve(count: number, where: string): void {
    if (!this.#mayMake(count)) throw new ModelTooLargeError(`The number of generated elements at ${where}`, count, maxMadeElements)
    this.#made += count
  }

  /** A name that no value has. */
  freshName(prefix: string): ValueId {
    for (;;) {
      const name = `${prefix}/${this.#fresh++}`
      if (this.resolve(name) === undefined) return name
    }
  }

  /** Adds a node that defines `outputs`, or the constants it computes when all its inputs are known. */
  addNode(node: GraphNode, types: readonly TensorType[]): void {
    if (this.#foldable(node, types)) {
      const operands = node.inputs.map((id) => this.constants.get(id)).filter((tensor) => tensor !== undefined)
      const results = evaluateNode(node, operands, types)
      for (const [index, id] of node.outputs.entries()) {
        const result = results[index]
        if (result !== undefined) this.addConstant(id, result, node.name)
      }
      return
    }
    for (const [index, id] of node.outputs.entries()) this.#define(id, types[index] ?? { elementType: 'float32', shape: [] }, node.name)
    this.#nodes.push(node)
  }

  /** The finished graph: only what the outputs need. */
  build(name: string, outputs: readonly ValueId[]): Graph {
    const needed = new Set<ValueId>(outputs)
    const nodes: GraphNode[] = []
    for (const node of this.#nodes.toReversed()) {
      if (!node.outputs.some((id) => needed.has(id))) continue
      nodes.push(node)
      for (const id of node.inputs) needed.add(id)
    }
    for (const node of nodes) for (const id of node.outputs) needed.add(id)
    for (const id of this.inputs) needed.add(id)
    return {
      name,
      inputs: this.inputs,
      outputs,
      nodes: nodes.toReversed(),
      constants: new Map([...this.constants].filter(([id]) => needed.has(id))),
      types: new Map([...this.types].filter(([id]) => needed.has(id))),
    }
  }

  #foldable(node: GraphNode, types: readonly TensorType[]): boolean {
    // Quantised weights stay quantised: the importer of the q8 form reads them, and they are a quarter of the size.
    if (node.operation.operator === 'DequantizeLinear' || !node.inputs.every((id) => this.constants.has(id))) return false
    const written = types.reduce((sum, type) => sum + elementCount(type.shape), 0)
    const work =
      written *
      foldingDepth(
        node.operation,
        node.inputs.map((id) => this.#typeOf(id, node.name)),
      )
    if (!this.#mayMake(written) || this.#work + work > maxFoldedWork) return false
    this.#work += work
    this.#made += written
    return true
  }

  #mayMake(count: number): boolean {
    return count <= alwaysMadeElements || (count <= maxMadeElements && this.#made + count <= maxMadeTotal)
  }

  #define(id: ValueId, type: TensorType, where: string): void {
    this.#assertNew(id, where)
    if (type.shape.length > maxRank) throw new ModelTooLargeError(`The rank of value ${id}`, type.shape.length, maxRank)
    if (this.types.size >= maxValues) throw new ModelTooLargeError(`The number of values at ${where}`, this.types.size + 1, maxValues)
    const count = elementCount(type.shape)
    if (!(count <= this.#maxElements)) throw new ModelTooLargeError(`The element count of value ${id}`, count, this.#maxElements)
    this.types.set(id, type)
  }

  #assertNew(name: string, where: string): void {
    if (name === '') throw new InvalidGraphError(where, 'it defines a value without a name')
    if (this.resolve(name) !== undefined) throw new InvalidGraphError(where, `value ${name} is defined twice`)
  }

  #typeOf(id: ValueId, where: string): TensorType {
    const type = this.types.get(id)
    if (type === undefined) throw new InvalidGraphError(where, `value ${id} is used before it is defined`)
    return type
  }
}

/** Steps per output element, roughly. */
function foldingDepth(operation: Operation, inputs: readonly TensorType[]): number {
  const [first, second] = inputs
  if (first === undefined) return 1
  if (second !== undefined && /^(?:MatMul|Gemm|QLinearMatMul)/.test(operation.operator)) return Math.max(...first.shape, 1)
  if ('window' in operation) return elementCount(operation.window.kernel) * Math.max(...(second?.shape ?? []), 1)
  return operation.operator.startsWith('Reduce') || operation.operator.startsWith('Arg') ? elementCount(first.shape) : 1
}
