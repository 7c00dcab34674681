import { DynamicShapeError, InvalidGraphError, UnsupportedOperatorError, UnsupportedOpsetError, UnsupportedTypeError } from '../errors.ts'
import type { Graph } from '../graph.ts'
import type { Tensor, TensorType } from '../tensor.ts'
import { GraphBuilder } from './graph-builder.ts'
import { type OnnxGraph, type OnnxModel, type OnnxNode, type OnnxValue, readModel } from './model-proto.ts'
import { NodeReader, type OperatorReader } from './node-reader.ts'
import { attentionReaders } from './operators/attention.ts'
import { bitwiseReaders } from './operators/bitwise.ts'
import { compositeReaders } from './operators/composite.ts'
import { contributedReaders } from './operators/contributed.ts'
import { convolutionTransposeReaders } from './operators/convolution-transpose.ts'
import { cumulativeReaders } from './operators/cumulative.ts'
import { einsumReaders } from './operators/einsum.ts'
import { elementwiseReaders } from './operators/elementwise.ts'
import { indexingReaders } from './operators/indexing.ts'
import { linearReaders } from './operators/linear.ts'
import { lossReaders } from './operators/losses.ts'
import { movementReaders } from './operators/movement.ts'
import { normalizationReaders } from './operators/normalization.ts'
import { quantizedReaders } from './operators/quantized.ts'
import { recurrentReaders } from './operators/recurrent.ts'
import { reduceReaders } from './operators/reduce.ts'
import { resizeReaders } from './operators/resize.ts'
import { trigonometryReaders } from './operators/trigonometry.ts'
import { variousReaders } from './operators/various.ts'
import { sortNodes } from './sort-nodes.ts'
import type { ExternalDataLoader } from './tensor-proto.ts'

/** How to read a file. */
export type ParseOnnxOptions = {
  /** Values for symbolic dimensions, by name. */
  readonly dimensions?: Readonly<Record<string, number>>
  /** Whole shapes for inputs, by name; they win over the file's. */
  readonly inputShapes?: Readonly<Record<string, readonly number[]>>
  /** Fixed values for inputs, by name: they become constants, for files whose shapes or axes are inputs. */
  readonly constants?: Readonly<Record<string, Tensor>>
  /** Reads weights that the file keeps in other files. */
  readonly externalData?: ExternalDataLoader
  /** The most elements one value may have. Default 2^28. */
  readonly maxElements?: number
  /** The most nodes. Default 100,000. */
  readonly maxNodes?: number
}

const oldestOpset = 7
const newestOpset = 28

const readers: ReadonlyMap<string, OperatorReader> = new Map(
  Object.entries({
    ...elementwiseReaders,
    ...linearReaders,
    ...movementReaders,
    ...normalizationReaders,
    ...reduceReaders,
    ...resizeReaders,
    ...quantizedReaders,
    ...attentionReaders,
    ...compositeReaders,
    ...bitwiseReaders,
    ...convolutionTransposeReaders,
    ...cumulativeReaders,
    ...einsumReaders,
    ...indexingReaders,
    ...lossReaders,
    ...recurrentReaders,
    ...trigonometryReaders,
    ...variousReaders,
  }),
)
/** Operators of domain `com.microsoft`, which onnxruntime's optimiser and quantiser write. */
const contributed: ReadonlyMap<string, OperatorReader> = new Map(Object.entries(contributedReaders))

/** The ONNX operators that {@link parseOnnx} reads, sorted. */
export const supportedOperators: readonly string[] = [...readers.keys()].sort()

/**
 * Reads an ONNX file into a typed graph with static shapes. Bounded: time and memory grow with the file and `maxElements`,
 * never with what the file merely claims.
 * @example
 *   const graph = parseOnnx(bytes, { dimensions: { batch: 1 } })
 * @throws MalformedOnnxError, InvalidGraphError, UnsupportedOperatorError, UnsupportedTypeError, UnsupportedOpsetError,
 * DynamicShapeError, ModelTooLargeError, ExternalDataError
 */
export function parseOnnx(bytes: Uint8Array, options: ParseOnnxOptions = {}): Graph {
  const maxElements = options.maxElements ?? 2 ** 28
  const model = readModel(bytes, {
    maxElements,
    maxTotalElements: 4 * maxElements,
    maxNodes: options.maxNodes ?? 100_000,
    externalData: options.externalData,
  })
  const version = opsetOf(model)
  const builder = new GraphBuilder({ maxElements })
  addInitializers(builder, model)
  for (const [name, tensor] of Object.entries(options.constants ?? {})) builder.addConstant(name, tensor, 'the given constants')
  for (const input of model.inputs) {
    if (!builder.constants.has(input.name)) builder.addInput(input.name, inputType(input, options))
    if (input.fourBit) builder.fourBit.add(input.name)
  }
  readNodes(model.nodes, version, builder)
  return builder.build(
    model.name,
    model.outputs.map((output) => outputOf(builder, output)),
  )
}

function addInitializers(builder: GraphBuilder, graph: OnnxGraph): void {
  for (const { name, tensor, storedAs } of graph.initializers) {
    builder.addConstant(name, tensor, 'the initializers')
    if (storedAs === 'int4' || storedAs === 'uint4') builder.fourBit.add(name)
  }
}

function readNodes(nodes: readonly OnnxNode[], version: number, builder: GraphBuilder): void {
  for (const node of sortNodes(nodes)) {
    const reader = new NodeReader(node, version, builder)
    if (node.operator === 'If' && node.domain === '') readBranch(reader, builder)
    else readerOf(node)(reader)
  }
}

/** The branch of an If whose condition is known at import, in its place. */
function readBranch(reader: NodeReader, builder: GraphBuilder): void {
  const condition = reader.constantOf(reader.input(0))
  if (condition === undefined)
    throw reader.unsupported('its condition depends on input values', 'If with a condition that is known at import')
  const branch = reader.attribute(Number(condition.data[0]) !== 0 ? 'then_branch' : 'else_branch')?.graph
  if (branch === undefined) throw reader.invalid('it lacks a branch')
  // Names of the branch are its own: the other branch, or another If, may use them too.
  const prefix = `${builder.freshName(reader.node.name)}/`
  const defined = new Set([...branch.initializers.map(({ name }) => name), ...branch.nodes.flatMap(({ outputs }) => outputs)])
  const renamed = (name: string) => (name !== '' && defined.has(name) ? `${prefix}${name}` : name)
  addInitializers(builder, { ...branch, initializers: branch.initializers.map((item) => ({ ...item, name: renamed(item.name) })) })
  const nodes = branch.nodes.map((node) => renamedNode(node, renamed, reader.node.name))
  readNodes(nodes, reader.version, builder)
  for (const [index, output] of branch.outputs.entries()) {
    const id = builder.resolve(renamed(output.name))
    if (id === undefined) throw reader.invalid(`its branch does not define ${output.name}`)
    reader.emitAlias(index, id)
  }
}

/** A node with other names for some values, also where graphs inside it use them and do not define them anew. */
function renamedNode(node: OnnxNode, renamed: (name: string) => string, owner: string): OnnxNode {
  const attributes = [...node.attributes].map(([name, attribute]) => {
    const { graph } = attribute
    if (graph === undefined) return [name, attribute] as const
    const own = new Set([...graph.initializers.map((item) => item.name), ...graph.nodes.flatMap(({ outputs }) => outputs)])
    const inside = (value: string) => (own.has(value) ? value : renamed(value))
    const nodes = graph.nodes.map((inner) => renamedNode(inner, inside, node.name))
    const outputs = graph.outputs.map((output) => ({ ...output, name: inside(output.name) }))
    return [name, { ...attribute, graph: { ...graph, nodes, outputs } }] as const
  })
  const [inputs, outputs] = [node.inputs.map(renamed), node.outputs.map(renamed)]
  return { ...node, name: `${owner}/${node.name}`, inputs, outputs, attributes: new Map(attributes) }
}

function opsetOf(model: OnnxModel): number {
  const version = model.opsets.get('')
  const supported = `the default domain, operator sets ${oldestOpset} to ${newestOpset}`
  if (version === undefined) throw new UnsupportedOpsetError('no operator set of the default domain', supported)
  if (version < oldestOpset || version > newestOpset) throw new UnsupportedOpsetError(`operator set ${version}`, supported)
  return version
}

function readerOf(node: OnnxNode): OperatorReader {
  const domain = node.domain === '' ? readers : node.domain === 'com.microsoft' ? contributed : undefined
  const reader = domain?.get(node.operator)
  if (reader !== undefined) return reader
  if ([...node.attributes.values()].some(({ graph }) => graph !== undefined))
    throw new UnsupportedOperatorError(node.name, node.operator, {
      reason: 'it contains a nested graph',
      supported: 'graphs without Loop and Scan, and If with a condition that is known at import',
    })
  const reason = domain === readers ? 'the operator is unknown here' : `its domain is ${node.domain}`
  const supported = [...(domain ?? readers).keys()].sort().join(' ')
  throw new UnsupportedOperatorError(node.name, node.operator, { reason, supported })
}

function inputType(input: OnnxValue, options: ParseOnnxOptions): TensorType {
  const { name, elementType } = input
  if (elementType === undefined) throw new UnsupportedTypeError(`Input ${name}`, 'unknown')
  const given = options.inputShapes !== undefined && Object.hasOwn(options.inputShapes, name) ? options.inputShapes[name] : undefined
  if (given !== undefined && input.shape !== undefined && given.length !== input.shape.length)
    throw new InvalidGraphError(`input ${name}`, `it has ${input.shape.length} axes, the given shape has ${given.length}`)
  const declared = given ?? input.shape
  if (declared === undefined) throw new DynamicShapeError(`input ${name}`, 'the file does not say its rank')
  const shape = declared.map((dimension, axis) => {
    const size =
      typeof dimension === 'string' && Object.hasOwn(options.dimensions ?? {}, dimension) ? options.dimensions?.[dimension] : dimension
    if (typeof size !== 'number')
      throw new DynamicShapeError(
        `input ${name}`,
        size === undefined ? `axis ${axis} is unknown` : `axis ${axis} is the symbol ${JSON.stringify(size)}`,
      )
    if (!(Number.isSafeInteger(size) && size >= 0)) throw new InvalidGraphError(`input ${name}`, `axis ${axis} has size ${size}`)
    return size
  })
  return { elementType, shape }
}

/** The value of a graph output under its own name; a copy where the file only renames an input or constant. */
function outputOf(builder: GraphBuilder, output: OnnxValue): string {
  builder.materialize(output.name)
  const id = builder.resolve(output.name)
  if (id === undefined) throw new InvalidGraphError('the outputs', `value ${output.name} is not defined`)
  const type = builder.types.get(id)
  if (type === undefined) throw new InvalidGraphError('the outputs', `value ${output.name} has no type`)
  if (output.elementType !== undefined && output.elementType !== type.elementType)
    throw new InvalidGraphError('the outputs', `${output.name} is declared ${output.elementType} but is ${type.elementType}`)
  const fits = output.shape?.every((size, axis) => typeof size !== 'number' || size === type.shape[axis]) ?? true
  if (!fits || (output.shape !== undefined && output.shape.length !== type.shape.length))
    throw new InvalidGraphError('the outputs', `${output.name} is declared [${output.shape?.join(', ')}] but is [${type.shape.join(', ')}]`)
  return id
}
