// The reference interpreter of @tacit/model as a tensor engine: slow, and exact by definition. It has every value of the
// graph, so its boundaries are the outputs of all nodes.
import { type ElementType, type Graph, type Tensor as ModelTensor, runGraph } from '@tacit/model'
import type { BoundaryActivation, EngineHealth, ModelDigest, NamedTensors, Tensor, TensorEngine, TensorSpec, TensorType } from './engine.ts'
import { EngineClosedError, InputMismatchError } from './errors.ts'
import { formatProfile } from './profile.ts'

const typeNames: Readonly<Partial<Record<ElementType, TensorType>>> = {
  float32: 'f32',
  int8: 'i8',
  uint8: 'u8',
  bool: 'u8',
  int32: 'i32',
  int64: 'i64',
}
const elementTypes = { f32: 'float32', i8: 'int8', u8: 'uint8', i32: 'int32', i64: 'int64' } as const

/**
 * An engine for a parsed ONNX graph.
 *
 * @example
 * await using engine = openReferenceEngine(parseOnnx(bytes), { digest: 'sha256:...' })
 * const { outputs } = await engine.run({ image: { type: 'f32', shape: [1, 64], data } })
 *
 * @throws InputMismatchError when the graph takes or gives element types that no request can carry.
 */
export function openReferenceEngine(graph: Graph, { digest }: { readonly digest: ModelDigest }): TensorEngine {
  const specs = (ids: readonly string[]): readonly TensorSpec[] => ids.map((id) => specOf(graph, id))
  const inputs = specs(graph.inputs)
  const outputs = specs(graph.outputs)
  let closed = false
  let running = 0
  return {
    kind: 'tensor',
    info: {
      engine: 'reference',
      build: 'f32.1',
      profile: formatProfile({ engine: 'reference', build: 'f32.1', model: digest, threads: 1 }),
      identity: 'file',
    },
    modelDigest: digest,
    inputs,
    outputs,
    async health(): Promise<EngineHealth> {
      return { status: closed ? 'closed' : 'ready', running, queued: 0, restarts: 0 }
    },
    async run(given, { signal, trace } = {}) {
      signal?.throwIfAborted()
      if (closed) throw new EngineClosedError()
      assertInputs(inputs, given)
      const boundaries: BoundaryActivation[] = []
      running++
      try {
        const results = runGraph(
          graph,
          Object.fromEntries(inputs.map(({ name }) => [name, toModel(graph, name, given)])),
          trace === true ? { observe: (name, tensor) => boundaries.push(...boundaryOf(name, tensor)) } : {},
        )
        const named = Object.fromEntries(outputs.map(({ name }) => [name, fromModel(name, results[name])]))
        return { outputs: named, ...(trace === true ? { boundaries } : {}) }
      } finally {
        running--
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true
    },
  }
}

/** @throws InputMismatchError naming the first tensor that is missing, extra, or of another type, shape or length. */
export function assertInputs(specs: readonly TensorSpec[], given: NamedTensors): void {
  const extra = Object.keys(given).find((name) => !specs.some((spec) => spec.name === name))
  if (extra !== undefined) throw new InputMismatchError(`it takes no tensor ${extra}`)
  for (const { name, type, shape } of specs) {
    const tensor = Object.hasOwn(given, name) ? given[name] : undefined
    if (tensor === undefined) throw new InputMismatchError(`tensor ${name} is missing`)
    if (tensor.type !== type) throw new InputMismatchError(`tensor ${name} must be ${type}, not ${tensor.type}`)
    const fits = tensor.shape.length === shape.length && shape.every((size, axis) => size === -1 || size === tensor.shape[axis])
    if (!fits) throw new InputMismatchError(`tensor ${name} must have shape [${shape.join(', ')}], not [${tensor.shape.join(', ')}]`)
    if (tensor.data.length !== tensor.shape.reduce((product, size) => product * size, 1)) {
      throw new InputMismatchError(`tensor ${name} has not as many values as its shape says`)
    }
  }
}

function specOf(graph: Graph, id: string): TensorSpec {
  const type = graph.types.get(id)
  const name = type === undefined ? undefined : typeNames[type.elementType]
  if (type === undefined || name === undefined) throw new InputMismatchError(`tensor ${id} is of type ${type?.elementType ?? 'unknown'}`)
  return { name: id, type: name, shape: type.shape }
}

function toModel(graph: Graph, name: string, given: NamedTensors): ModelTensor {
  const tensor = given[name]
  if (tensor === undefined) throw new InputMismatchError(`tensor ${name} is missing`)
  const isBoolean = graph.types.get(name)?.elementType === 'bool'
  return { elementType: isBoolean ? 'bool' : elementTypes[tensor.type], shape: tensor.shape, data: tensor.data }
}

function fromModel(name: string, tensor: ModelTensor | undefined): Tensor {
  const converted = tensor === undefined ? undefined : convert(tensor)
  if (converted === undefined) throw new InputMismatchError(`tensor ${name} is of type ${tensor?.elementType ?? 'unknown'}`)
  return converted
}

/** Values of types that no request carries (wide or unsigned ones inside a graph) are left out of the trace. */
function boundaryOf(name: string, tensor: ModelTensor): readonly BoundaryActivation[] {
  const converted = convert(tensor)
  return converted === undefined ? [] : [{ name, tensor: converted }]
}

function convert({ shape, data, elementType }: ModelTensor): Tensor | undefined {
  if (data instanceof Float32Array) return { type: 'f32', shape, data }
  if (data instanceof Int8Array) return { type: 'i8', shape, data }
  if (data instanceof Uint8Array && (elementType === 'uint8' || elementType === 'bool')) return { type: 'u8', shape, data }
  if (data instanceof Int32Array) return { type: 'i32', shape, data }
  if (data instanceof BigInt64Array) return { type: 'i64', shape, data }
  return undefined
}
