import { MalformedOnnxError, ModelTooLargeError, UnsupportedTypeError } from '../errors.ts'
import type { ElementType, Tensor } from '../tensor.ts'
import { elementTypeFromOnnx, isFourBit, type NamedTensor, readTensor, type TensorContext } from './tensor-proto.ts'
import { fieldBytes, fieldFloat, fieldInteger, fieldText, pushFloats, pushIntegers, readFields } from './wire.ts'

/** An attribute of a node, by what the file stored. */
export type OnnxAttribute = {
  readonly float?: number
  readonly integer?: bigint
  readonly text?: Uint8Array
  readonly tensor?: Tensor
  /** A branch or body of control flow. */
  readonly graph?: OnnxGraph
  readonly floats: readonly number[]
  readonly integers: readonly bigint[]
  readonly texts: readonly Uint8Array[]
}

/** A node as the file has it. */
export type OnnxNode = {
  readonly name: string
  readonly operator: string
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, OnnxAttribute>
}

/** A declared input or output; `undefined` dimensions are unknown, strings are symbolic. */
export type OnnxValue = {
  readonly name: string
  readonly elementType: ElementType | undefined
  /** Whether the file says that it holds 4-bit integers. */
  readonly fourBit: boolean
  readonly shape: readonly (number | string | undefined)[] | undefined
}

/** The parts of a GraphProto that matter here. */
export type OnnxGraph = {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly initializers: readonly NamedTensor[]
}

/** A model: its graph, and the operator set of every domain it uses. */
export type OnnxModel = OnnxGraph & { readonly opsets: ReadonlyMap<string, number> }

/** How much a file may ask for. */
export type OnnxLimits = { readonly maxNodes: number; readonly maxTotalElements: number }

type GraphContext = TensorContext & OnnxLimits & { readonly depth: number }
const maxDepth = 8

/** Reads a ModelProto. */
export function readModel(bytes: Uint8Array, context: TensorContext & OnnxLimits): OnnxModel {
  let graph: Uint8Array | undefined
  const opsets = new Map<string, number>()
  for (const field of readFields(bytes, 'the model')) {
    if (field.number === 7) graph = fieldBytes(field, 'the graph')
    else if (field.number === 8) readOpset(fieldBytes(field, 'an operator set'), opsets)
  }
  if (graph === undefined) throw new MalformedOnnxError('the model', 'has no graph')
  if (opsets.size === 0) throw new MalformedOnnxError('the model', 'names no operator set')
  return { ...readGraph(graph, { ...context, depth: 0 }), opsets }
}

function readOpset(bytes: Uint8Array, opsets: Map<string, number>): void {
  let domain = ''
  let version = 0
  for (const field of readFields(bytes, 'an operator set')) {
    if (field.number === 1) domain = fieldText(field, 'an operator set domain')
    else if (field.number === 2) version = fieldInteger(field, 'an operator set version')
  }
  opsets.set(domain === 'ai.onnx' ? '' : domain, version)
}

function readGraph(bytes: Uint8Array, context: GraphContext): OnnxGraph {
  const graph = {
    name: '',
    nodes: [] as OnnxNode[],
    inputs: [] as OnnxValue[],
    outputs: [] as OnnxValue[],
    initializers: [] as NamedTensor[],
  }
  let elements = 0
  for (const field of readFields(bytes, 'the graph')) {
    if (field.number === 1) {
      if (graph.nodes.length >= context.maxNodes)
        throw new ModelTooLargeError('The number of nodes', graph.nodes.length + 1, context.maxNodes)
      graph.nodes.push(readNode(fieldBytes(field, 'a node'), graph.nodes.length, context))
    } else if (field.number === 2) graph.name = fieldText(field, 'the graph name')
    else if (field.number === 5) {
      const named = readTensor(fieldBytes(field, 'an initializer'), context)
      elements += named.tensor.data.length
      if (elements > context.maxTotalElements) throw new ModelTooLargeError('The number of weights', elements, context.maxTotalElements)
      graph.initializers.push(named)
    } else if (field.number === 11) graph.inputs.push(readValue(fieldBytes(field, 'an input')))
    else if (field.number === 12) graph.outputs.push(readValue(fieldBytes(field, 'an output')))
    else if (field.number === 15) throw new UnsupportedTypeError('A sparse initializer', 'sparse tensor')
  }
  return graph
}

function readNode(bytes: Uint8Array, index: number, context: GraphContext): OnnxNode {
  let name = ''
  let operator = ''
  let domain = ''
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes: Uint8Array[] = []
  for (const field of readFields(bytes, 'a node')) {
    if (field.number === 1) inputs.push(fieldText(field, 'a node input'))
    else if (field.number === 2) outputs.push(fieldText(field, 'a node output'))
    else if (field.number === 3) name = fieldText(field, 'a node name')
    else if (field.number === 4) operator = fieldText(field, 'a node operator')
    else if (field.number === 5) attributes.push(fieldBytes(field, 'an attribute'))
    else if (field.number === 7) domain = fieldText(field, 'a node domain')
  }
  if (operator === '') throw new MalformedOnnxError(`node ${index}`, 'has no operator')
  const label = name === '' ? `${operator}#${index}` : name
  const parsed = new Map(attributes.map((attribute) => readAttribute(attribute, label, context)))
  return { name: label, operator, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes: parsed }
}

function readAttribute(bytes: Uint8Array, node: string, context: GraphContext): [string, OnnxAttribute] {
  const what = `an attribute of node ${node}`
  let name = ''
  const attribute: { -readonly [Key in keyof OnnxAttribute]: OnnxAttribute[Key] } = { floats: [], integers: [], texts: [] }
  const floats: number[] = []
  const integers: bigint[] = []
  const texts: Uint8Array[] = []
  for (const field of readFields(bytes, what)) {
    if (field.number === 1) name = fieldText(field, what)
    else if (field.number === 2) attribute.float = fieldFloat(field, what)
    else if (field.number === 3) attribute.integer = BigInt.asIntN(64, field.integer)
    else if (field.number === 4) attribute.text = fieldBytes(field, what)
    else if (field.number === 5) attribute.tensor = readTensor(fieldBytes(field, what), context).tensor
    else if (field.number === 7) pushFloats(floats, field, 4, what)
    else if (field.number === 8) pushIntegers(integers, field, what)
    else if (field.number === 9) texts.push(fieldBytes(field, what))
    else if (field.number === 6) {
      if (context.depth >= maxDepth) throw new MalformedOnnxError(what, `nests graphs more than ${maxDepth} deep`)
      attribute.graph = readGraph(fieldBytes(field, what), { ...context, depth: context.depth + 1 })
    } else if (field.number === 11) throw new MalformedOnnxError(what, 'is a list of graphs')
  }
  return [name, { ...attribute, floats, integers, texts }]
}

function readValue(bytes: Uint8Array): OnnxValue {
  let name = ''
  let type: Uint8Array | undefined
  for (const field of readFields(bytes, 'a value')) {
    if (field.number === 1) name = fieldText(field, 'a value name')
    else if (field.number === 2) type = fieldBytes(field, 'a value type')
  }
  if (type === undefined) return { name, elementType: undefined, fourBit: false, shape: undefined }
  for (const field of readFields(type, 'a value type')) {
    if (field.number === 1) return { name, ...readTensorType(fieldBytes(field, 'a tensor type'), name) }
    if (field.number >= 4 && field.number !== 6)
      throw new UnsupportedTypeError(`Value ${JSON.stringify(name)}`, 'sequence, map, optional or sparse tensor')
  }
  return { name, elementType: undefined, fourBit: false, shape: undefined }
}

function readTensorType(bytes: Uint8Array, name: string): Omit<OnnxValue, 'name'> {
  let elementType: ElementType | undefined
  let fourBit = false
  let shape: (number | string | undefined)[] | undefined
  for (const field of readFields(bytes, 'a tensor type')) {
    if (field.number === 1) {
      const number = fieldInteger(field, 'an element type')
      fourBit = isFourBit(number)
      elementType = elementTypeFromOnnx(number, `Value ${JSON.stringify(name)}`)
    } else if (field.number === 2) shape = readShape(fieldBytes(field, 'a shape'))
  }
  return { elementType, fourBit, shape }
}

function readShape(bytes: Uint8Array): (number | string | undefined)[] {
  const shape: (number | string | undefined)[] = []
  for (const field of readFields(bytes, 'a shape')) {
    if (field.number !== 1) continue
    let dimension: number | string | undefined
    for (const inner of readFields(fieldBytes(field, 'a dimension'), 'a dimension')) {
      if (inner.number === 1) dimension = fieldInteger(inner, 'a dimension')
      else if (inner.number === 2) dimension = fieldText(inner, 'a dimension name')
    }
    if (shape.length >= 32) throw new MalformedOnnxError('a shape', 'has more than 32 axes')
    shape.push(dimension)
  }
  return shape
}
