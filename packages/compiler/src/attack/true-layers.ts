import type { Graph, Q8Model, TensorData } from '@tacit/model'
import type { TrueLayer } from './recovery-rate.ts'

/** The weights that an attack is judged by: one layer per product with constant weights, in order. */
export function trueLayers(model: Graph | Q8Model): readonly TrueLayer[] {
  return 'boundaries' in model ? layersOfQ8(model) : layersOfGraph(model)
}

function layersOfQ8(model: Q8Model): readonly TrueLayer[] {
  return model.layers.flatMap((layer): TrueLayer[] => {
    if (layer.kind !== 'dense' && layer.kind !== 'conv') return []
    const count = layer.kind === 'dense' ? layer.outputSize : layer.outputChannels
    return [{ kind: layer.kind, units: rowsOf(layer.weights, count) }]
  })
}

/** Which input of an operator holds weights. */
const weightInputs: Readonly<Record<string, number>> = {
  MatMul: 1,
  Gemm: 1,
  MatMulInteger: 1,
  QLinearMatMul: 3,
  Conv: 1,
  ConvInteger: 1,
  QLinearConv: 3,
}

function layersOfGraph(graph: Graph): readonly TrueLayer[] {
  return graph.nodes.flatMap(({ operation, inputs }): TrueLayer[] => {
    const weights = graph.constants.get(inputs[weightInputs[operation.operator] ?? -1] ?? '')
    if (weights === undefined) return []
    const [first = 1, second = 1] = weights.shape
    if (operation.operator.includes('Conv')) return [{ kind: 'conv', units: rowsOf(weights.data, first) }]
    if (operation.operator === 'Gemm' && operation.transB) return [{ kind: 'dense', units: rowsOf(weights.data, first) }]
    return weights.shape.length === 2 ? [{ kind: 'dense', units: columnsOf(weights.data, first, second) }] : []
  })
}

function rowsOf(data: TensorData, count: number): readonly Float64Array[] {
  const width = data.length / count
  return Array.from({ length: count }, (_, i) => Float64Array.from({ length: width }, (_unused, k) => Number(data[i * width + k])))
}

function columnsOf(data: TensorData, depth: number, count: number): readonly Float64Array[] {
  return Array.from({ length: count }, (_, n) => Float64Array.from({ length: depth }, (_unused, k) => Number(data[k * count + n])))
}
