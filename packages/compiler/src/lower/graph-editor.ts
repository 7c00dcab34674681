import {
  type BinaryOperator,
  elementCount,
  type ElementType,
  type Graph,
  type GraphNode,
  type Operation,
  type Tensor,
  type TensorType,
  tensor,
  type ValueId,
} from '@tacit/model'

const comparisons: ReadonlySet<string> = new Set(['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'And', 'Or', 'Xor', 'Not'])

/** A graph that is rewritten node by node: what it keeps, what it adds, and the types of both. */
export class GraphEditor {
  readonly graph: Graph
  readonly nodes: GraphNode[] = []
  readonly #types: Map<ValueId, TensorType>
  readonly #constants: Map<ValueId, Tensor>
  readonly #producers = new Map<ValueId, GraphNode>()
  #next = 0

  constructor(graph: Graph) {
    this.graph = graph
    this.#types = new Map(graph.types)
    this.#constants = new Map(graph.constants)
    for (const node of graph.nodes) for (const output of node.outputs) this.#producers.set(output, node)
  }

  /** The node of the source graph that computes a value. */
  producer(id: ValueId): GraphNode | undefined {
    return this.#producers.get(id)
  }

  type(id: ValueId): TensorType {
    return this.#types.get(id) ?? { elementType: 'float32', shape: [] }
  }

  constant(id: ValueId | undefined): Tensor | undefined {
    return id === undefined ? undefined : this.#constants.get(id)
  }

  /** A new value that an operation computes. */
  add(operation: Operation, inputs: readonly ValueId[], type: TensorType): ValueId {
    const id = this.#fresh()
    this.#types.set(id, type)
    this.nodes.push({ name: id, operation, inputs, outputs: [id] })
    return id
  }

  /** The same under the name that a node's result already has. */
  finish(node: GraphNode, operation: Operation, inputs: readonly ValueId[]): void {
    this.nodes.push({ name: node.name, operation, inputs, outputs: node.outputs.slice(0, 1) })
  }

  /** Makes an output of a node a copy of a value of the same size. */
  rename(node: GraphNode, output: number, id: ValueId): void {
    this.nodes.push({ name: node.name, operation: { operator: 'Reshape' }, inputs: [id], outputs: node.outputs.slice(output, output + 1) })
  }

  scalar(elementType: ElementType, value: number): ValueId {
    return this.tensor(tensor(elementType, [], [value]))
  }

  tensor(value: Tensor): ValueId {
    const id = this.#fresh()
    this.#types.set(id, { elementType: value.elementType, shape: value.shape })
    this.#constants.set(id, value)
    return id
  }

  binary(operator: BinaryOperator, a: ValueId, b: ValueId | number): ValueId {
    const other = typeof b === 'number' ? this.scalar(this.type(a).elementType, b) : b
    const [x, y] = [this.type(a), this.type(other)]
    const elementType = comparisons.has(operator) ? 'bool' : x.elementType
    return this.add({ operator }, [a, other], { elementType, shape: broadcastShape(x.shape, y.shape) })
  }

  unary(operator: 'Round' | 'Sqrt' | 'Neg' | 'Not', x: ValueId): ValueId {
    return this.add({ operator }, [x], this.type(x))
  }

  cast(x: ValueId, elementType: ElementType): ValueId {
    const type = this.type(x)
    return type.elementType === elementType ? x : this.add({ operator: 'Cast' }, [x], { ...type, elementType })
  }

  reshape(x: ValueId, shape: readonly number[]): ValueId {
    return this.add({ operator: 'Reshape' }, [x], { ...this.type(x), shape })
  }

  /** One number per index of an axis, or one for all, as a shape that broadcasts. */
  along(x: ValueId, axis: number, rank: number): ValueId {
    const count = elementCount(this.type(x).shape)
    return this.reshape(x, count === 1 ? [] : Array.from({ length: rank }, (_, other) => (other === axis ? count : 1)))
  }

  build(): Graph {
    const used = new Set([...this.nodes.flatMap((node) => node.inputs), ...this.graph.outputs])
    return {
      ...this.graph,
      nodes: this.nodes,
      types: this.#types,
      constants: new Map([...this.#constants].filter(([id]) => used.has(id))),
    }
  }

  #fresh(): ValueId {
    for (;;) {
      const id = `#${this.#next++}`
      if (!this.#types.has(id)) return id
    }
  }
}

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1]
    return x === 1 ? y : x
  })
}
