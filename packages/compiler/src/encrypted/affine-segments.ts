import { type DenseLayer, UnsupportedCircuitError } from '@tacit/fhe'
import { elementCount, float32, type Graph, type GraphNode, runGraph, type ValueId } from '@tacit/model'

/** Operators that are affine in one operand when the others are constants. */
const affineOperators: ReadonlySet<string> = new Set([
  ...['Gemm', 'MatMul', 'Conv', 'AveragePool', 'BatchNormalization', 'ReduceSum', 'ReduceMean', 'Neg'],
  ...['Reshape', 'Transpose', 'Concat', 'Split', 'Slice', 'Gather', 'Expand', 'Tile', 'Pad'],
])
/** Affine when at most one operand carries data; sums also when both do. */
const sums: ReadonlySet<string> = new Set(['Add', 'Sub'])
const products: ReadonlySet<string> = new Set(['Mul'])
/** Order-preserving ends that the client applies to what it decrypts. */
const clientOperators: ReadonlySet<string> = new Set(['Softmax', 'LogSoftmax', 'Sigmoid'])

/** The affine maps between the squares of a graph, and what is left to the client. */
export type AffineSegments = { readonly layers: readonly DenseLayer[]; readonly clientOperator: string | null }

type Segment = {
  readonly input: ValueId
  /** What was squared to give the input: a polynomial of degree two uses it beside its square. */
  readonly before?: ValueId
  readonly nodes: GraphNode[]
  readonly values: Set<ValueId>
}

/**
 * Reads a graph as affine maps with squares between them. Each map is found by running its nodes on the reference interpreter with
 * zero and with every unit vector, so any chain or branching of affine operators (convolutions, pooling, normalisation) is one matrix.
 * A polynomial of degree two is a square with a shift: a x^2 + b x + c = a (x + b / 2a)^2 + c - b^2 / 4a.
 * @throws UnsupportedCircuitError that names the node.
 */
export function findAffineSegments(graph: Graph): AffineSegments {
  const [input] = graph.inputs
  const [output] = graph.outputs
  if (input === undefined || output === undefined || graph.inputs.length !== 1 || graph.outputs.length !== 1)
    throw new UnsupportedCircuitError({ layer: 1, reason: 'the model has several inputs or outputs', change: 'export one of each' })
  const layers: DenseLayer[] = []
  let clientOperator: string | null = null
  let segment = openSegment(input)
  let last = input
  for (const node of graph.nodes) {
    const carriers = node.inputs.filter((id) => !graph.constants.has(id))
    if (carriers.length === 0) {
      segment.nodes.push(node)
      continue
    }
    if (node.outputs[0] === output && clientOperators.has(node.operation.operator) && carriers[0] === last) {
      clientOperator = node.operation.operator
      continue
    }
    const [result] = node.outputs
    assertCarried(graph, segment, carriers, node, layers.length + 1)
    if (isSquare(graph, node) && result !== undefined) {
      const squared = carriers[0] ?? segment.input
      addMap(graph, segment, squared, layers)
      segment = openSegment(result, squared)
    } else {
      assertAffine(node, carriers.length, layers.length + 1)
      segment.nodes.push(node)
      for (const id of node.outputs) segment.values.add(id)
    }
    last = result ?? last
  }
  addMap(graph, segment, last, layers)
  return { layers, clientOperator }
}

function openSegment(input: ValueId, before?: ValueId): Segment {
  return before === undefined
    ? { input, nodes: [], values: new Set([input]) }
    : { input, before, nodes: [], values: new Set([input, before]) }
}

function isSquare(graph: Graph, { operation, inputs }: GraphNode): boolean {
  if (operation.operator === 'Mul') return inputs[0] === inputs[1]
  const exponent = graph.constants.get(inputs[1] ?? '')
  return operation.operator === 'Pow' && exponent !== undefined && exponent.data.length === 1 && Number(exponent.data[0]) === 2
}

function assertCarried(graph: Graph, segment: Segment, carriers: readonly ValueId[], node: GraphNode, layer: number): void {
  const computed = new Set(
    segment.nodes.filter(({ inputs }) => inputs.every((id) => graph.constants.has(id))).flatMap(({ outputs }) => outputs),
  )
  if (carriers.every((id) => segment.values.has(id) || computed.has(id))) return
  throw new UnsupportedCircuitError({
    layer,
    reason: `${node.name} uses a value from before an activation`,
    change: 'remove the connection around the square',
  })
}

function assertAffine({ name, operation }: GraphNode, carriers: number, layer: number): void {
  const { operator } = operation
  const fine =
    sums.has(operator) ||
    (affineOperators.has(operator) && (carriers === 1 || operator === 'Concat')) ||
    (products.has(operator) && carriers === 1)
  const padded = operator !== 'Pad' || operation.mode === 'constant'
  if ((fine || (operator === 'Div' && carriers === 1)) && padded) return
  throw new UnsupportedCircuitError({
    layer,
    reason: `${name} (${operator}) is neither affine nor a square`,
    change: 'replace the activation by x * x and train again; there is no encrypted comparison, maximum or division',
  })
}

/** Appends the map of a segment; a linear term beside the square moves into the bias of the layer before. */
function addMap(graph: Graph, segment: Segment, output: ValueId, layers: DenseLayer[]): void {
  const { before, input, nodes } = segment
  const map = readMap(graph, segment, input, output)
  const previous = layers.at(-1)
  if (before === undefined || previous === undefined || !nodes.some(({ inputs }) => inputs.includes(before))) {
    layers.push(map)
    return
  }
  const linear = readMap(graph, segment, before, output)
  const shifts = Float64Array.from({ length: map.inputs }, (_, j) => shiftOf(map, linear, j, layers.length + 1))
  layers[layers.length - 1] = { ...previous, bias: previous.bias.map((value, j) => value + (shifts[j] ?? 0)) }
  const bias = map.bias.map((value, o) => {
    let sum = value
    for (let j = 0; j < map.inputs; j++) sum -= (map.weights[o * map.inputs + j] ?? 0) * (shifts[j] ?? 0) ** 2
    return sum
  })
  layers.push({ ...map, bias })
}

// Column j of the linear map must be a multiple d of column j of the map of squares: x^2 + d x = (x + d / 2)^2 - d^2 / 4.
function shiftOf(squares: DenseLayer, linear: DenseLayer, j: number, layer: number): number {
  let [top, largest] = [0, 0]
  for (let o = 0; o < squares.outputs; o++) {
    const size = Math.abs(squares.weights[o * squares.inputs + j] ?? 0)
    if (size > largest) [top, largest] = [o, size]
  }
  const ratio = largest === 0 ? 0 : (linear.weights[top * linear.inputs + j] ?? 0) / (squares.weights[top * squares.inputs + j] ?? 1)
  for (let o = 0; o < squares.outputs; o++) {
    const difference = (linear.weights[o * linear.inputs + j] ?? 0) - ratio * (squares.weights[o * squares.inputs + j] ?? 0)
    if (Math.abs(difference) > 1e-4 * Math.max(1e-3, largest * Math.max(1, Math.abs(ratio))))
      throw new UnsupportedCircuitError({
        layer,
        reason: 'it mixes squares with values from before them',
        change: 'use an activation a x * x + b x + c that is the same function of each value, and nothing around it',
      })
  }
  return ratio / 2
}

function readMap(graph: Graph, segment: Segment, input: ValueId, output: ValueId): DenseLayer {
  const { nodes } = segment
  const [from, to] = [shapeOf(graph, input), shapeOf(graph, output)]
  const [inputs, outputs] = [elementCount(from), elementCount(to)]
  const weights = new Float64Array(inputs * outputs)
  if (input === output) {
    for (let i = 0; i < inputs; i++) weights[i * inputs + i] = 1
    return { inputs, outputs, weights, bias: new Float64Array(outputs) }
  }
  // The other input of a segment, if it has one, stays zero.
  const others = [segment.before, segment.input].filter((id): id is ValueId => id !== undefined)
  const used = new Set(nodes.flatMap((node) => node.inputs))
  const entries = others.filter((id) => used.has(id))
  if (!entries.includes(input)) return { inputs, outputs, weights, bias: new Float64Array(outputs) }
  const needed: Graph = { ...graph, inputs: entries, outputs: [output], nodes }
  const run = (values: Float32Array): readonly number[] => {
    const zeros = entries.map((id) => [id, float32(shapeOf(graph, id), new Float32Array(elementCount(shapeOf(graph, id))))] as const)
    const result = runGraph(needed, { ...Object.fromEntries(zeros), [input]: float32(from, values) })[output]
    if (result === undefined) throw new RangeError(`no value ${output}`)
    return Array.from({ length: outputs }, (_, o) => Number(result.data[o]))
  }
  const bias = run(new Float32Array(inputs))
  for (let i = 0; i < inputs; i++) {
    const unit = new Float32Array(inputs)
    unit[i] = 1
    run(unit).forEach((value, o) => {
      weights[o * inputs + i] = value - (bias[o] ?? 0)
    })
  }
  return { inputs, outputs, weights, bias: Float64Array.from(bias) }
}

function shapeOf(graph: Graph, id: ValueId): readonly number[] {
  return graph.types.get(id)?.shape ?? []
}
