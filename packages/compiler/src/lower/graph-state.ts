import type { Graph, GraphNode, Tensor, TensorType, ValueId } from '@tacit/model'
import { elementCount } from '@tacit/model'
import type { Obfuscator } from '../obfuscate/obfuscator.ts'
import { UnsupportedNodeError } from '../errors.ts'
import { type BoundaryType, storageBytes, type View } from '../program/program.ts'
import { consumersOf, Lowering, storageOf } from './lowering.ts'
import { denseView } from './views.ts'

/** How one node is turned into steps. */
export type NodeLowering = (node: GraphNode, state: GraphState) => void

/** A graph on its way into a program: which values exist already, and what is still to do. */
export class GraphState {
  readonly graph: Graph
  readonly out: Lowering
  readonly #values = new Map<ValueId, View>()
  readonly #done = new Set<GraphNode>()
  readonly #consumers: ReadonlyMap<ValueId, readonly GraphNode[]>
  readonly #producers = new Map<ValueId, GraphNode>()
  readonly #lower: NodeLowering
  /** Nodes being lowered as part of another one's layer. */
  #depth = 0

  constructor(graph: Graph, lower: NodeLowering, obfuscator?: Obfuscator) {
    this.out = new Lowering(obfuscator)
    this.graph = graph
    this.#lower = lower
    this.#consumers = consumersOf(graph)
    for (const node of graph.nodes) for (const output of node.outputs) this.#producers.set(output, node)
  }

  type(id: ValueId): TensorType {
    const type = this.graph.types.get(id)
    if (type === undefined) throw new UnsupportedNodeError(id, 'value', 'it has no type')
    return type
  }

  shape(id: ValueId): readonly number[] {
    return this.type(id).shape
  }

  constant(id: ValueId | undefined): Tensor | undefined {
    return id === undefined ? undefined : this.graph.constants.get(id)
  }

  /** The view of a value that exists, its units in order; constants are placed in memory on first use. */
  view(id: ValueId, node: GraphNode): View {
    const view = this.viewAsIs(id, node)
    if (view.permutation === undefined) return view
    const restored = this.out.restored(view)
    this.#values.set(id, restored)
    return restored
  }

  /** The same, with units where an obfuscated build put them. */
  viewAsIs(id: ValueId, node: GraphNode): View {
    const found = this.#values.get(id)
    if (found !== undefined) return found
    const tensor = this.constant(id)
    if (tensor === undefined) throw new UnsupportedNodeError(node.name, node.operation.operator, `its input ${id} is not available`)
    const { data } = tensor
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const view = denseView(this.out.constant(bytes), storageOf(tensor, node), tensor.shape)
    this.#values.set(id, view)
    return view
  }

  define(id: ValueId, view: View): void {
    this.#values.set(id, view)
  }

  isDone(node: GraphNode): boolean {
    return this.#done.has(node)
  }

  /** Marks a node as computed by another one's kernel. */
  finish(node: GraphNode): void {
    this.#done.add(node)
  }

  /** The one node that reads a value, if nothing else does. */
  soleConsumer(id: ValueId): GraphNode | undefined {
    const consumers = this.#consumers.get(id) ?? []
    return consumers.length === 1 && !this.graph.outputs.includes(id) ? consumers[0] : undefined
  }

  consumers(id: ValueId): readonly GraphNode[] {
    return this.#consumers.get(id) ?? []
  }

  /** Computes a value now, as part of the current layer, unless that needs a node of `waiting`. */
  ensure(id: ValueId, waiting: ReadonlySet<GraphNode>): boolean {
    if (this.#values.has(id) || this.graph.constants.has(id)) return true
    const producer = this.#producers.get(id)
    if (producer === undefined || waiting.has(producer) || this.#done.has(producer)) return false
    if (elementCount(this.shape(id)) > 1) return false
    if (!producer.inputs.every((input) => this.ensure(input, waiting))) return false
    this.#depth++
    this.lower(producer)
    this.#depth--
    return this.#values.has(id)
  }

  lower(node: GraphNode): void {
    if (this.#done.has(node)) return
    this.#done.add(node)
    this.#lower(node, this)
  }

  /** A node's final value: defined, and a boundary if it took any work. */
  finishValue(id: ValueId, view: View, operator: string): void {
    this.define(id, view)
    if (this.#depth > 0 || !this.out.hasPendingSteps || view.zeroPoint === dynamicZeroPoint) return
    this.out.endLayer({ name: id, operator, view, elementType: this.boundaryType(id) })
  }

  boundaryType(id: ValueId): BoundaryType {
    return this.type(id).elementType as BoundaryType // storageOf accepted it
  }
}

/** Of centred values whose zero point is only known at run time. */
export const dynamicZeroPoint = Number.NaN

/** Steps of a view in bytes. */
export function byteSteps(view: View): readonly number[] {
  return view.strides.map((stride) => stride * storageBytes[view.storage])
}
