import { DynamicShapeError, InvalidGraphError, UnsupportedOperatorError } from '../errors.ts'
import type { Operation, ValueId } from '../graph.ts'
import { allocate, type ElementType, elementCount, setElement, type Tensor, type TensorType, tensor, toNumbers } from '../tensor.ts'
import type { GraphBuilder } from './graph-builder.ts'
import type { OnnxNode } from './model-proto.ts'
import { exactNumber } from './wire.ts'

const textDecoder = new TextDecoder()

/** One ONNX node while it is being normalised: checked access to its parts, and the way to add what it becomes. */
export class NodeReader {
  readonly node: OnnxNode
  /** The operator-set version of the file. */
  readonly version: number
  readonly #builder: GraphBuilder

  constructor(node: OnnxNode, version: number, builder: GraphBuilder) {
    this.node = node
    this.version = version
    this.#builder = builder
  }

  /** How many inputs the node lists, empty ones at the end not counted. */
  get inputCount(): number {
    return this.node.inputs.findLastIndex((name) => name !== '') + 1
  }

  /** How many outputs somebody could use. */
  get outputCount(): number {
    return this.node.outputs.findLastIndex((name) => name !== '') + 1
  }

  /** An input that may be absent. */
  optional(index: number): ValueId | undefined {
    const name = this.node.inputs[index]
    if (name === undefined || name === '') return undefined
    const id = this.#builder.resolve(name)
    if (id === undefined) throw this.invalid(`input ${JSON.stringify(name)} is not defined before it is used`)
    return id
  }

  /** An input that must be there. */
  input(index: number): ValueId {
    const id = this.optional(index)
    if (id === undefined) throw this.invalid(`input ${index} is missing`)
    return id
  }

  /** All inputs of a variadic operator. */
  inputs(): ValueId[] {
    if (this.inputCount === 0) throw this.invalid('it has no inputs')
    return Array.from({ length: this.inputCount }, (_, index) => this.input(index))
  }

  typeOf(id: ValueId): TensorType {
    const type = this.#builder.types.get(id)
    if (type === undefined) throw this.invalid(`value ${id} has no type`)
    return type
  }

  shapeOf(id: ValueId): readonly number[] {
    return this.typeOf(id).shape
  }

  /** Asserts the element types of inputs. */
  expectTypes(ids: readonly ValueId[], allowed: readonly ElementType[]): void {
    for (const id of ids) {
      const { elementType } = this.typeOf(id)
      if (!allowed.includes(elementType)) throw this.unsupported(`input ${id} has element type ${elementType}`, allowed.join(', '))
    }
  }

  /** The value of an input that must be known at import. */
  constant(index: number, role: string): Tensor {
    const known = this.#builder.constants.get(this.input(index))
    if (known === undefined)
      throw new DynamicShapeError(`node ${this.node.name} (${this.node.operator})`, `its ${role} depends on input values`)
    return known
  }

  /** A known value, if it is one. */
  constantOf(id: ValueId): Tensor | undefined {
    return this.#builder.constants.get(id)
  }

  /** Refuses to round to a 4-bit type that a constant was stored as. */
  assertNotFourBit(id: ValueId | undefined): void {
    if (id !== undefined && this.#builder.fourBit.has(id))
      throw this.unsupported('it rounds to a 4-bit integer', 'int8, uint8, int16, uint16')
  }

  /** Integers from an input, or from an attribute of the same meaning in older operator sets. */
  integersAt(index: number, attribute: string): number[] | undefined {
    if (this.optional(index) !== undefined) return toNumbers(this.constant(index, attribute).data)
    return this.integers(attribute)
  }

  integer(name: string, fallback?: number): number {
    const value = this.node.attributes.get(name)?.integer
    if (value !== undefined) return exactNumber(value, `attribute ${name} of node ${this.node.name}`)
    if (fallback === undefined) throw this.invalid(`attribute ${name} is missing`)
    return fallback
  }

  integers(name: string): number[] | undefined {
    const attribute = this.node.attributes.get(name)
    return attribute?.integers.map((value) => exactNumber(value, `attribute ${name} of node ${this.node.name}`))
  }

  float(name: string, fallback: number): number {
    return this.node.attributes.get(name)?.float ?? fallback
  }

  text(name: string, fallback: string): string {
    const value = this.node.attributes.get(name)?.text
    return value === undefined ? fallback : textDecoder.decode(value)
  }

  has(name: string): boolean {
    return this.node.attributes.has(name)
  }

  attribute(name: string): ReturnType<OnnxNode['attributes']['get']> {
    return this.node.attributes.get(name)
  }

  /** A non-negative axis. */
  axis(value: number, rank: number): number {
    const axis = value < 0 ? value + rank : value
    if (!(axis >= 0 && axis < rank)) throw this.invalid(`axis ${value} is outside a rank of ${rank}`)
    return axis
  }

  /** Adds the operation that defines the node's outputs. */
  emit(operation: Operation, inputs: readonly ValueId[], ...types: readonly TensorType[]): void {
    if (this.outputCount > types.length)
      throw this.unsupported(`output ${this.outputCount} is used`, `the first ${types.length} of its outputs`)
    const outputs = types.map((_, index) => this.node.outputs[index] || this.#builder.freshName(this.node.name))
    this.#builder.addNode({ name: this.node.name, operation, inputs, outputs }, types)
  }

  /** Adds the operation that defines output 0, where the other outputs come from elsewhere. */
  emitFirst(operation: Operation, inputs: readonly ValueId[], type: TensorType): void {
    const output = this.node.outputs[0] || this.#builder.freshName(this.node.name)
    this.#builder.addNode({ name: this.node.name, operation, inputs, outputs: [output] }, [type])
  }

  /** Adds an operation with one intermediate result. */
  emitInner(operation: Operation, inputs: readonly ValueId[], type: TensorType): ValueId {
    const id = this.#builder.freshName(this.node.name)
    this.#builder.addNode({ name: id, operation, inputs, outputs: [id] }, [type])
    return id
  }

  /** A name for an intermediate result. */
  innerName(role: string): ValueId {
    return this.#builder.freshName(`${this.node.name}/${role}`)
  }

  /** Adds an operation with several intermediate results. */
  emitNamed(operation: Operation, inputs: readonly ValueId[], outputs: readonly ValueId[], types: readonly TensorType[]): void {
    this.#builder.addNode({ name: outputs[0] ?? this.node.name, operation, inputs, outputs }, types)
  }

  /** A reader for the same node with other inputs, whose first output stays inside; for operators that extend others. */
  innerReader(inputs: readonly string[]): { readonly reader: NodeReader; result(): ValueId } {
    const output = this.innerName('inner')
    const reader = new NodeReader({ ...this.node, inputs, outputs: [output] }, this.version, this.#builder)
    return { reader, result: () => this.#builder.resolve(output) ?? output }
  }

  /** Makes output `index` another name of a value. */
  emitAlias(index: number, id: ValueId): void {
    const name = this.node.outputs[index]
    if (name !== undefined && name !== '') this.#builder.alias(name, id, this.node.name)
  }

  /** Makes output 0 a constant. */
  emitConstant(value: Tensor): void {
    this.#builder.addConstant(this.node.outputs[0] ?? '', value, this.node.name)
  }

  /** A tensor computed from positions; the size is checked before anything is allocated. */
  generated(elementType: ElementType, shape: readonly number[], valueAt: (index: number) => number | bigint): Tensor {
    const count = elementCount(shape)
    this.#builder.reserve(count, `node ${this.node.name}`)
    const data = allocate(elementType, count)
    for (let i = 0; i < count; i++) setElement(data, i, valueAt(i))
    return { elementType, shape, data }
  }

  /** Refuses a number of positions before lists of that length are made. */
  reserve(count: number): void {
    this.#builder.reserve(count, `node ${this.node.name}`)
  }

  /** A constant that the file does not have. */
  innerConstant(value: Tensor): ValueId {
    const id = this.#builder.freshName(this.node.name)
    this.#builder.addConstant(id, value, this.node.name)
    return id
  }

  /** A scalar constant. */
  scalar(elementType: ElementType, value: number): ValueId {
    return this.innerConstant(tensor(elementType, [], [value]))
  }

  invalid(reason: string): InvalidGraphError {
    return new InvalidGraphError(`node ${this.node.name} (${this.node.operator})`, reason)
  }

  unsupported(reason: string, supported: string): UnsupportedOperatorError {
    return new UnsupportedOperatorError(this.node.name, this.node.operator, { reason, supported })
  }
}

/** How one ONNX operator becomes operations of the graph. */
export type OperatorReader = (node: NodeReader) => void
