import { InvalidGraphError, Q8UnsupportedError } from '../errors.ts'
import type { Graph, GraphNode, ValueId } from '../graph.ts'
import { getNumber, type TensorType, type Tensor, toNumbers } from '../tensor.ts'
import { quantizeBias } from './scales.ts'

/** What the importer of the q8 form understands, for error messages. */
export const q8Forms: string =
  'Gemm, MatMul (+ Add), Conv, AveragePool, GlobalAveragePool, MaxPool, Add, Mul of a value with itself, Relu, Clip, Flatten and Reshape ' +
  'between DequantizeLinear and QuantizeLinear (int8 or uint8, symmetric int8 weights), QLinearMatMul, QLinearConv; ArgMax at the end'

/** How ONNX stores a quantised activation, moved to int8: real = scale * (stored - zeroPoint). */
export type Quantization = { readonly scale: number; readonly zeroPoint: number }

/** Weights as signed bytes with the shape and order of the file, and one scale or one per output channel. */
export type QuantizedWeights = { readonly values: Int8Array; readonly scales: readonly number[]; readonly shape: readonly number[] }

/** A quantised graph with the look-ups that the importer of the q8 form needs. */
export class QuantizedGraph {
  readonly graph: Graph
  readonly #producers: ReadonlyMap<ValueId, GraphNode>

  constructor(graph: Graph) {
    this.graph = graph
    this.#producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((id) => [id, node] as const)))
  }

  producer(id: ValueId): GraphNode | undefined {
    return this.#producers.get(id)
  }

  typeOf(id: ValueId): TensorType {
    const type = this.graph.types.get(id)
    if (type === undefined) throw new InvalidGraphError('the quantised graph', `value ${id} has no type`)
    return type
  }

  isConstant(id: ValueId): boolean {
    const producer = this.#producers.get(id)
    return (
      this.graph.constants.has(id) ||
      (producer?.operation.operator === 'DequantizeLinear' && this.graph.constants.has(producer.inputs[0] ?? ''))
    )
  }

  /** Scale and zero point from two inputs of a node; uint8 is moved to int8 by subtracting 128 from both sides. */
  quantization(node: GraphNode, scaleIndex: number, zeroIndex: number): Quantization {
    const scale = this.graph.constants.get(node.inputs[scaleIndex] ?? '')
    const zero = this.graph.constants.get(node.inputs[zeroIndex] ?? '')
    if (scale === undefined || zero === undefined) throw unsupported(node, 'its scale or zero point is not constant')
    if (scale.data.length !== 1 || zero.data.length !== 1) throw unsupported(node, 'its activations are quantised per channel')
    if (zero.elementType !== 'int8' && zero.elementType !== 'uint8') throw unsupported(node, `its activations are ${zero.elementType}`)
    return { scale: getNumber(scale.data, 0), zeroPoint: getNumber(zero.data, 0) - (zero.elementType === 'uint8' ? 128 : 0) }
  }

  /** Weights behind a DequantizeLinear whose scales, if several, run along `channelAxis`. */
  weights(id: ValueId, channelAxis: number, node: GraphNode): QuantizedWeights {
    const producer = this.#producers.get(id)
    if (producer?.operation.operator !== 'DequantizeLinear') throw unsupported(node, 'its weights are not quantised')
    const [values = '', scale = '', zero = ''] = producer.inputs
    const weights = this.storedWeights([values, scale, zero], node)
    if (weights.scales.length > 1 && producer.operation.axis !== channelAxis)
      throw unsupported(node, 'its weight scales are not per output channel')
    return weights
  }

  /** Weights from the ids of values, scales and zero points. */
  storedWeights(ids: readonly [ValueId, ValueId, ValueId], node: GraphNode): QuantizedWeights {
    const [values, scales, zeros] = ids.map((id) => this.graph.constants.get(id))
    if (values === undefined || scales === undefined || zeros === undefined) throw unsupported(node, 'its weights are not constant')
    if (values.elementType !== 'int8' && values.elementType !== 'uint8') throw unsupported(node, `its weights are ${values.elementType}`)
    const offset = values.elementType === 'uint8' ? 128 : 0
    if (toNumbers(zeros.data).some((zero) => zero !== offset)) throw unsupported(node, 'its weights are asymmetric')
    return {
      values: Int8Array.from(toNumbers(values.data), (value) => value - offset),
      scales: toNumbers(scales.data),
      shape: values.shape,
    }
  }

  /** int32 biases at scale S_x * S_w,c: as they are stored, or made from floats. */
  biases(id: ValueId | undefined, inputScale: number, scales: readonly number[], node: GraphNode): number[] {
    if (id === undefined) return scales.map(() => 0)
    const producer = this.#producers.get(id)
    const direct = this.graph.constants.get(id)
    const stored = producer?.operation.operator === 'DequantizeLinear' ? this.graph.constants.get(producer.inputs[0] ?? '') : undefined
    const values = direct ?? stored
    if (values === undefined) throw unsupported(node, 'its bias is not a constant')
    if (values.data.length !== scales.length && values.data.length !== 1) throw unsupported(node, 'its bias is not one per output channel')
    const at = (tensor: Tensor, c: number) => getNumber(tensor.data, tensor.data.length === 1 ? 0 : c)
    if (direct !== undefined) {
      if (direct.elementType === 'int32') return scales.map((_, c) => at(direct, c))
      return scales.map((scale, c) => int32Bias(at(direct, c), inputScale * scale, node))
    }
    const biasScale = this.graph.constants.get(producer?.inputs[1] ?? '')
    if (biasScale === undefined || values.elementType !== 'int32') throw unsupported(node, 'its bias is not int32')
    return scales.map((scale, c) => {
      const exact = at(biasScale, c) === Math.fround(inputScale * scale)
      return exact ? at(values, c) : int32Bias(at(values, c) * at(biasScale, c), inputScale * scale, node)
    })
  }
}

function int32Bias(value: number, accumulatorScale: number, node: GraphNode): number {
  const bias = quantizeBias(value, accumulatorScale)
  if (!(Math.abs(bias) < 2 ** 31)) throw unsupported(node, 'a bias exceeds int32 at the accumulator scale')
  return bias
}

/** A node for error messages. */
export function nodeLabel(node: GraphNode): string {
  return `node ${node.name} (${node.operation.operator})`
}

/** The error for a node that has no q8 form. */
export function unsupported(node: GraphNode, reason: string): Q8UnsupportedError {
  return new Q8UnsupportedError(nodeLabel(node), reason, q8Forms)
}
