import { Q8UnsupportedError } from '../errors.ts'
import type { Graph, GraphNode, Operation, ValueId } from '../graph.ts'
import { elementCount, float32, getNumber, type Tensor, type TensorType, tensor } from '../tensor.ts'
import { quantizationOf, type ValueRange } from './calibrate.ts'
import { q8Forms } from './quantized-graph.ts'
import { quantizeBias } from './scales.ts'

/** The largest bias at the accumulator scale; beyond it the weight scale grows (docs/spec/q8.md, section 4). */
const maxBias = 2 ** 30

/**
 * The QDQ form of a float graph: QuantizeLinear and DequantizeLinear around every layer, int8 weights per output channel,
 * int32 biases. Any ONNX runtime runs the result; {@link importQ8} turns it into integers.
 */
export function insertQuantization(graph: Graph, ranges: ReadonlyMap<ValueId, ValueRange>): Graph {
  return new Quantizer(graph, ranges).run()
}

type Dequantized = { readonly id: ValueId; readonly scale: number; readonly zeroPoint: number }

class Quantizer {
  readonly #graph: Graph
  readonly #ranges: ReadonlyMap<ValueId, ValueRange>
  readonly #nodes: GraphNode[] = []
  readonly #constants = new Map<ValueId, Tensor>()
  readonly #types = new Map<ValueId, TensorType>()
  /** The dequantised stand-in of every float value that is stored as int8. */
  readonly #standIns = new Map<ValueId, Dequantized>()
  readonly #done = new Set<GraphNode>()

  constructor(graph: Graph, ranges: ReadonlyMap<ValueId, ValueRange>) {
    this.#graph = graph
    this.#ranges = ranges
  }

  run(): Graph {
    for (const id of this.#graph.inputs) {
      this.#types.set(id, this.#typeOf(id))
      this.#store(id, id, quantizationOf(this.#rangeOf(id)), `${id}/dequantized`)
    }
    for (const node of this.#graph.nodes) if (!this.#done.has(node)) this.#quantize(node)
    for (const id of this.#graph.outputs)
      if (!this.#types.has(id)) throw new Q8UnsupportedError(`output ${id}`, 'it is not computed by a layer', q8Forms)
    return { ...this.#graph, nodes: this.#nodes, constants: this.#constants, types: this.#types }
  }

  #quantize(node: GraphNode): void {
    const { operation } = node
    switch (operation.operator) {
      case 'Gemm':
      case 'Conv':
        return this.#layer(node, this.#weighted(node, operation, node.inputs[1] ?? '', node.inputs[2]))
      case 'MatMul': {
        const next = this.#onlyUser(node)
        const bias = next?.operation.operator === 'Add' ? next.inputs.find((id) => id !== node.outputs[0]) : undefined
        const constant = bias === undefined ? undefined : this.#graph.constants.get(bias)
        const folds =
          next !== undefined && constant !== undefined && constant.data.length === this.#typeOf(node.outputs[0] ?? '').shape.at(-1)
        if (folds) this.#done.add(next)
        const gemm = { ...operation, operator: 'MatMul' as const }
        return this.#layer(
          folds ? { ...node, outputs: next.outputs } : node,
          this.#weighted(node, gemm, node.inputs[1] ?? '', folds ? bias : undefined),
        )
      }
      case 'Add':
      case 'Mul':
      case 'AveragePool':
      case 'ReduceMean':
        return this.#layer(node, (output) =>
          this.#emit(
            operation,
            node,
            node.inputs.map((id) => this.#standIn(id, node).id),
            output,
          ),
        )
      case 'Relu':
      case 'Clip':
        return this.#layer(node, (output) => this.#emit(operation, node, [this.#standIn(node.inputs[0] ?? '', node).id], output))
      case 'MaxPool': {
        const input = this.#standIn(node.inputs[0] ?? '', node)
        const pooled = `${node.outputs[0]}/float`
        this.#emit(operation, node, [input.id], pooled)
        return this.#store(node.outputs[0] ?? '', pooled, input)
      }
      case 'Reshape': {
        const input = this.#standIn(node.inputs[0] ?? '', node)
        this.#emit(operation, node, [input.id], node.outputs[0] ?? '')
        this.#standIns.set(node.outputs[0] ?? '', { ...input, id: node.outputs[0] ?? '' })
        return
      }
      case 'ArgMax':
        return this.#emit(operation, node, [this.#standIn(node.inputs[0] ?? '', node).id], node.outputs[0] ?? '')
      default: {
        const hint =
          operation.operator === 'Softmax'
            ? 'the operator (end the network at the logits: Softmax does not change the largest)'
            : 'the operator'
        throw new Q8UnsupportedError(`node ${node.name} (${operation.operator})`, hint, q8Forms)
      }
    }
  }

  /** Emits the computation, then an activation that directly follows it, then stores the result as int8. */
  #layer(node: GraphNode, compute: (output: ValueId) => void): void {
    let output = node.outputs[0] ?? ''
    let current = `${output}/float`
    compute(current)
    const activation = this.#onlyUser({ ...node, outputs: [output] })
    if (activation?.operation.operator === 'Relu' || activation?.operation.operator === 'Clip') {
      this.#done.add(activation)
      output = activation.outputs[0] ?? ''
      const activated = `${output}/float`
      this.#emit(activation.operation, activation, [current], activated)
      current = activated
    }
    this.#store(output, current, quantizationOf(this.#rangeOf(output)))
  }

  /** Q and DQ of a float value; the dequantised result takes the name that the float graph used. */
  #store(original: ValueId, float: ValueId, quantization: { readonly scale: number; readonly zeroPoint: number }, name = original): void {
    const { scale, zeroPoint } = quantization
    const { shape } = this.#typeOf(original)
    const [stored, scaleId, zeroId] = [`${original}/int8`, `${original}/scale`, `${original}/zero_point`]
    this.#constant(scaleId, float32([], [scale]))
    this.#constant(zeroId, tensor('int8', [], [zeroPoint]))
    this.#push({ operator: 'QuantizeLinear', axis: 0 }, `${original}/quantize`, [float, scaleId, zeroId], stored, {
      elementType: 'int8',
      shape,
    })
    this.#push({ operator: 'DequantizeLinear', axis: 0 }, `${original}/dequantize`, [stored, scaleId, zeroId], name, {
      elementType: 'float32',
      shape,
    })
    this.#standIns.set(original, { id: name, scale, zeroPoint })
  }

  /** Prepares int8 weights and int32 biases, and returns how to emit the layer on them. */
  #weighted(node: GraphNode, operation: Operation, weightsId: ValueId, biasId: ValueId | undefined): (output: ValueId) => void {
    const weights = this.#graph.constants.get(weightsId)
    const bias = biasId === undefined ? undefined : this.#graph.constants.get(biasId)
    const name = `${node.name}/${weightsId}`
    if (weights === undefined || (biasId !== undefined && bias === undefined))
      throw new Q8UnsupportedError(`node ${node.name} (${operation.operator})`, 'its weights are not constant', q8Forms)
    const [alpha, beta] = operation.operator === 'Gemm' ? [operation.alpha, operation.beta] : [1, 1]
    if (operation.operator === 'Gemm' && operation.transA)
      throw new Q8UnsupportedError(`node ${node.name} (Gemm)`, 'transA is set', q8Forms)
    const axis = operation.operator === 'Conv' || (operation.operator === 'Gemm' && operation.transB) ? 0 : 1
    const input = this.#standIn(node.inputs[0] ?? '', node)
    const scales = this.#quantizeWeights(name, weights, axis, { alpha, bias, beta, inputScale: input.scale })
    const inputs = [input.id, `${name}/dequantized`]
    const plain = operation.operator === 'Gemm' ? { ...operation, alpha: 1, beta: 1 } : operation
    if (bias !== undefined) {
      this.#quantizeBiases(name, bias, scales, beta, input.scale)
      inputs.push(`${name}/bias`)
    }
    return (output) => {
      if (operation.operator !== 'MatMul' || bias === undefined) return this.#emit(plain, node, inputs, output)
      this.#push(plain, node.name, inputs.slice(0, 2), `${output}/product`, this.#typeOf(node.outputs[0] ?? ''))
      this.#push(
        { operator: 'Add' },
        `${node.name}/add`,
        [`${output}/product`, inputs[2] ?? ''],
        output,
        this.#typeOf(node.outputs[0] ?? ''),
      )
    }
  }

  #quantizeWeights(
    name: string,
    weights: Tensor,
    axis: number,
    fold: { readonly alpha: number; readonly beta: number; readonly bias: Tensor | undefined; readonly inputScale: number },
  ): Float32Array {
    const channels = weights.shape[axis] ?? 1
    const inner = elementCount(weights.shape.slice(axis + 1))
    const channelOf = (i: number) => Math.floor(i / inner) % channels
    const largest = new Float64Array(channels)
    for (let i = 0; i < weights.data.length; i++)
      largest[channelOf(i)] = Math.max(largest[channelOf(i)] ?? 0, Math.abs(getNumber(weights.data, i) * fold.alpha))
    const scales = Float32Array.from(largest, (max, c) => {
      const biasValue = fold.bias === undefined ? 0 : Math.abs(getNumber(fold.bias.data, fold.bias.data.length === 1 ? 0 : c) * fold.beta)
      return Math.max(max / 127, biasValue / (fold.inputScale * maxBias)) || 1
    })
    const quantized = Array.from({ length: weights.data.length }, (_, i) => {
      const value = Math.round((getNumber(weights.data, i) * fold.alpha) / (scales[channelOf(i)] ?? 1))
      return Math.min(Math.max(value, -127), 127)
    })
    this.#constant(`${name}/int8`, tensor('int8', weights.shape, quantized))
    this.#constant(`${name}/scale`, float32([channels], scales))
    this.#constant(`${name}/zero_point`, tensor('int8', [channels], new Array<number>(channels).fill(0)))
    this.#push(
      { operator: 'DequantizeLinear', axis },
      `${name}/dequantize`,
      [`${name}/int8`, `${name}/scale`, `${name}/zero_point`],
      `${name}/dequantized`,
      {
        elementType: 'float32',
        shape: weights.shape,
      },
    )
    return scales
  }

  #quantizeBiases(name: string, bias: Tensor, scales: Float32Array, beta: number, inputScale: number): void {
    const channels = scales.length
    const values = Array.from(scales, (scale, c) =>
      quantizeBias(getNumber(bias.data, bias.data.length === 1 ? 0 : c) * beta, inputScale * scale),
    )
    this.#constant(`${name}/bias_int32`, tensor('int32', [channels], values))
    this.#constant(
      `${name}/bias_scale`,
      float32(
        [channels],
        Array.from(scales, (scale) => inputScale * scale),
      ),
    )
    this.#constant(`${name}/bias_zero_point`, tensor('int32', [channels], new Array<number>(channels).fill(0)))
    this.#push(
      { operator: 'DequantizeLinear', axis: 0 },
      `${name}/dequantize_bias`,
      [`${name}/bias_int32`, `${name}/bias_scale`, `${name}/bias_zero_point`],
      `${name}/bias`,
      { elementType: 'float32', shape: [channels] },
    )
  }

  #emit(operation: Operation, node: GraphNode, inputs: readonly ValueId[], output: ValueId): void {
    this.#push(operation, node.name, inputs, output, this.#typeOf(node.outputs[0] ?? ''))
  }

  #push(operation: Operation, name: string, inputs: readonly ValueId[], output: ValueId, type: TensorType): void {
    this.#nodes.push({ name, operation, inputs, outputs: [output] })
    this.#types.set(output, type)
  }

  #constant(id: ValueId, value: Tensor): void {
    this.#constants.set(id, value)
    this.#types.set(id, { elementType: value.elementType, shape: value.shape })
  }

  #standIn(id: ValueId, node: GraphNode): Dequantized {
    const standIn = this.#standIns.get(id)
    if (standIn === undefined)
      throw new Q8UnsupportedError(`node ${node.name} (${node.operation.operator})`, `its input ${id} is not an activation`, q8Forms)
    return standIn
  }

  /** The single consumer of a node's output, unless that output is also one of the graph. */
  #onlyUser(node: GraphNode): GraphNode | undefined {
    const id = node.outputs[0] ?? ''
    const users = this.#graph.nodes.filter((other) => other.inputs.includes(id))
    return users.length === 1 && !this.#graph.outputs.includes(id) ? users[0] : undefined
  }

  #rangeOf(id: ValueId): ValueRange {
    return this.#ranges.get(id) ?? { min: 0, max: 0 }
  }

  #typeOf(id: ValueId): TensorType {
    return this.#graph.types.get(id) ?? { elementType: 'float32', shape: [] }
  }
}
