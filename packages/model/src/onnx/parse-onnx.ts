import { DynamicShapeError, InvalidGraphError, UnsupportedOperatorError, UnsupportedOpsetError, UnsupportedTypeError } from '../errors.ts'
import type { Graph } from '../graph.ts'
import type { Tensor, TensorType } from '../tensor.ts'
import { GraphBuilder } from './graph-builder.ts'
import { type OnnxModel, type OnnxNode, type OnnxValue, readModel } from './model-proto.ts'
import { NodeReader, type OperatorReader } from './node-reader.ts'
import { attentionReaders } from './operators/attention.ts'
import { compositeReaders } from './operators/composite.ts'
import { elementwiseReaders } from './operators/elementwise.ts'
import { linearReaders } from './operators/linear.ts'
import { movementReaders } from './operators/movement.ts'
import { normalizationReaders } from './operators/normalization.ts'
import { quantizedReaders } from './operators/quantized.ts'
import { reduceReaders } from './operators/reduce.ts'
import { resizeReaders } from './operators/resize.ts'
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
  }),
)

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
  for (const { name, tensor } of model.initializers) builder.addConstant(name, tensor, 'the initializers')
  for (const [name, tensor] of Object.entries(options.constants ?? {})) builder.addConstant(name, tensor, 'the given constants')
  for (const input of model.inputs) if (!builder.constants.has(input.name)) builder.addInput(input.name, inputType(input, options))
  for (const node of model.nodes) readerOf(node)(new NodeReader(node, version, builder))
  return builder.build(
    model.name,
    model.outputs.map((output) => outputOf(builder, output)),
  )
}

function opsetOf(model: OnnxModel): number {
  const version = model.opsets.get('')
  const supported = `the default domain, operator sets ${oldestOpset} to ${newestOpset}`
  if (version === undefined) throw new UnsupportedOpsetError('no operator set of the default domain', supported)
  if (version < oldestOpset || version > newestOpset) throw new UnsupportedOpsetError(`operator set ${version}`, supported)
  return version
}

function readerOf(node: OnnxNode): OperatorReader {
  const reader = node.domain === '' ? readers.get(node.operator) : undefined
  if (reader !== undefined) return reader
  const reason = node.domain === '' ? 'the operator is unknown here' : `its domain is ${node.domain}`
  throw new UnsupportedOperatorError(node.name, node.operator, { reason, supported: supportedOperators.join(' ') })
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
