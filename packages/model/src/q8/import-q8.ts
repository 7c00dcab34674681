import { InvalidGraphError, Q8UnsupportedError } from '../errors.ts'
import type { Graph, GraphNode, Operation, ValueId } from '../graph.ts'
import { elementCount, sameShape } from '../tensor.ts'
import { assertQ8, windowOutputSize } from './assert-q8.ts'
import type { Q8Boundary, Q8Layer, Q8Model, Q8Output } from './q8-model.ts'
import { nodeLabel, q8Forms, type Quantization, QuantizedGraph, type QuantizedWeights, unsupported } from './quantized-graph.ts'
import { exactAverage, multipliersFor, requantizationFor } from './scales.ts'

/** A quantised value of the graph: the boundary it lives on, under the shape the graph gives it. */
type Activation = { readonly boundary: number; readonly shape: readonly number[] }

/**
 * The q8 form of a graph that is already quantised (QDQ or QLinear operators). Integers are chosen as docs/spec/q8.md
 * section 4 says.
 * @throws Q8UnsupportedError where a node has no q8 form, Q8OverflowError where integers could leave their range.
 */
export function importQ8(graph: Graph): Q8Model {
  return new Q8Importer(graph).run()
}

class Q8Importer {
  readonly #view: QuantizedGraph
  /** Quantised values. */
  readonly #activations = new Map<ValueId, Activation>()
  readonly #boundaries: Q8Boundary[] = []
  readonly #layers: Q8Layer[] = []

  constructor(graph: Graph) {
    this.#view = new QuantizedGraph(graph)
  }

  run(): Q8Model {
    for (const id of this.#view.graph.inputs) this.#importInput(id)
    const inputCount = this.#boundaries.length
    for (const node of this.#view.graph.nodes) this.#importNode(node)
    const outputs = this.#view.graph.outputs.map((id) => this.#importOutput(id))
    return assertQ8({ inputCount, boundaries: this.#boundaries, layers: this.#layers, outputs })
  }

  #importInput(id: ValueId): void {
    const { elementType, shape } = this.#view.typeOf(id)
    const users = this.#view.graph.nodes.filter((node) => node.inputs.includes(id))
    const [first] = elementType === 'float32' ? users : users.filter((node) => node.inputs[0] === id)
    const quantizers = users.filter((node) => node.operation.operator === 'QuantizeLinear')
    if (first === undefined || (elementType === 'float32' && quantizers.length !== users.length))
      throw new Q8UnsupportedError(`input ${id}`, 'it is not quantised before it is used', q8Forms)
    const readers = ['QuantizeLinear', 'DequantizeLinear', 'QLinearMatMul', 'QLinearConv']
    if (!readers.includes(first.operation.operator)) throw unsupported(first, 'it reads an input whose scale is unknown')
    const quantization = this.#view.quantization(first, 1, 2)
    this.#boundaries.push(boundaryOf(shape, quantization))
    const boundary = this.#boundaries.length - 1
    if (elementType !== 'float32') this.#activations.set(id, { boundary, shape })
    for (const user of quantizers) {
      const other = this.#view.quantization(user, 1, 2)
      if (other.scale !== quantization.scale || other.zeroPoint !== quantization.zeroPoint)
        throw unsupported(user, 'it quantises an input in a second way')
      this.#activations.set(user.outputs[0] ?? '', { boundary, shape })
    }
  }

  #importNode(node: GraphNode): void {
    const { operator } = node.operation
    const output = node.outputs[0] ?? ''
    if (this.#activations.has(output)) return
    if (operator === 'QuantizeLinear') this.#importQuantize(node)
    else if (operator === 'QLinearMatMul' || operator === 'QLinearConv') this.#importQLinear(node, node.operation)
    else if (operator === 'MaxPool' && this.#activations.has(node.inputs[0] ?? '')) this.#maxPool(node, node.inputs[0] ?? '', output)
    else if (operator === 'Reshape' && this.#activations.has(node.inputs[0] ?? '')) {
      const { boundary } = this.#activationOf(node.inputs[0] ?? '', node)
      this.#activations.set(output, { boundary, shape: this.#view.typeOf(output).shape })
    }
  }

  /** Q(activation(compute(DQ(x), ...))): one layer. */
  #importQuantize(node: GraphNode): void {
    const id = node.outputs[0] ?? ''
    const quantization = this.#view.quantization(node, 1, 2)
    const shape = this.#view.typeOf(id).shape
    let source = node.inputs[0] ?? ''
    let { lo, hi } = { lo: -128, hi: 127 }
    let clamped = false
    for (let at = this.#view.producer(source); at !== undefined && this.#seenThrough(at); at = this.#view.producer(source)) {
      source = at.inputs[0] ?? ''
      if (at.operation.operator === 'Reshape') continue
      const { min, max } = at.operation.operator === 'Clip' ? at.operation : { min: 0, max: Number.POSITIVE_INFINITY }
      lo = Math.max(lo, Math.ceil(min / quantization.scale - 0.5) + quantization.zeroPoint)
      hi = Math.min(hi, Math.floor(max / quantization.scale + 0.5) + quantization.zeroPoint)
      clamped = true
    }
    const zeroPoint = quantization.zeroPoint
    const boundary = { ...boundaryOf(shape, quantization), lo: Math.min(lo, zeroPoint), hi: Math.max(hi, zeroPoint) }
    if (boundary.lo !== lo || boundary.hi !== hi || lo >= hi)
      throw new Q8UnsupportedError(nodeLabel(node), 'its clamp does not contain zero', 'ranges around zero')
    // The layer has the shape of what computes it; what reads the value sees the shape after any reshape in between.
    this.#importFloat(node, source, id, { ...boundary, shape: this.#view.typeOf(source).shape }, clamped)
    this.#activations.set(id, { boundary: this.#activationOf(id, node).boundary, shape })
  }

  /** Activations, and reshapes of something computed, between a layer and its QuantizeLinear. */
  #seenThrough(node: GraphNode): boolean {
    const { operator } = node.operation
    return operator === 'Relu' || operator === 'Clip' || (operator === 'Reshape' && this.#dequantized(node.outputs[0] ?? '') === undefined)
  }

  #importFloat(node: GraphNode, source: ValueId, id: ValueId, boundary: Q8Boundary, clamped: boolean): void {
    const producer = this.#view.producer(source)
    if (producer === undefined) throw unsupported(node, 'its input is not computed')
    const name = nodeLabel(producer)
    const { operation, inputs } = producer
    switch (operation.operator) {
      case 'DequantizeLinear':
      case 'Reshape':
        return this.#rescale(this.#requireDequantized(source, node), id, boundary, name)
      case 'Gemm':
      case 'MatMul':
        return this.#dense(producer, undefined, id, boundary)
      case 'Conv':
        return this.#conv(producer, id, boundary)
      case 'Mul': {
        const x = this.#requireDequantized(inputs[0] ?? '', producer)
        const other = this.#requireDequantized(inputs[1] ?? '', producer)
        if (x.boundary !== other.boundary) throw unsupported(producer, 'it multiplies two different activations')
        const scale = this.#boundary(x.boundary).scale
        const requantization = requantizationFor([(scale * scale) / boundary.scale], [0], name)
        return this.#push(id, boundary, { kind: 'square', input: x.boundary, requantization })
      }
      case 'Add':
        return this.#add(producer, id, boundary)
      case 'MaxPool': {
        const x = this.#requireDequantized(inputs[0] ?? '', producer)
        const input = this.#boundary(x.boundary)
        if (clamped || input.scale !== boundary.scale || input.zeroPoint !== boundary.zeroPoint)
          throw unsupported(producer, 'its input and output are quantised differently')
        return this.#pushMaxPool(producer, x, id)
      }
      case 'AveragePool': {
        if (!operation.countIncludePad && operation.window.pads.some((pad) => pad > 0))
          throw unsupported(producer, 'its padding does not count')
        return this.#averagePool(producer, operation.window, id, boundary)
      }
      case 'ReduceMean': {
        const shape = this.#view.typeOf(inputs[0] ?? '').shape
        const spatial = shape.map((_, axis) => axis).slice(2)
        if (!sameShape(operation.axes, spatial)) throw unsupported(producer, 'it does not average exactly the spatial axes')
        const kernel = shape.slice(2)
        const ones = kernel.map(() => 1)
        const window = { kernel, strides: ones, dilations: ones, pads: [...kernel, ...kernel].map(() => 0) }
        return this.#averagePool(producer, window, id, boundary)
      }
      default:
        throw unsupported(producer, 'the operator')
    }
  }

  #rescale(x: Activation, id: ValueId, boundary: Q8Boundary, name: string): void {
    const input = this.#boundary(x.boundary)
    const same =
      input.scale === boundary.scale && input.zeroPoint === boundary.zeroPoint && input.lo >= boundary.lo && input.hi <= boundary.hi
    if (same) this.#activations.set(id, { boundary: x.boundary, shape: boundary.shape })
    else {
      const requantization = requantizationFor([input.scale / boundary.scale], [0], name)
      this.#push(id, boundary, { kind: 'rescale', input: x.boundary, requantization })
    }
  }

  #dense(node: GraphNode, bias: ValueId | undefined, id: ValueId, boundary: Q8Boundary): void {
    const gemm = node.operation.operator === 'Gemm' ? node.operation : undefined
    if (gemm !== undefined && (gemm.alpha !== 1 || gemm.beta !== 1 || gemm.transA)) throw unsupported(node, 'alpha, beta or transA is set')
    const x = this.#requireDequantized(node.inputs[0] ?? '', node)
    const weights = this.#view.weights(node.inputs[1] ?? '', gemm?.transB === true ? 0 : 1, node)
    if (weights.shape.length !== 2) throw unsupported(node, 'its weights are not a matrix')
    const [rows, columns] = [weights.shape[0] ?? 1, weights.shape[1] ?? 1]
    const transposed = gemm?.transB === true
    const [outputSize, inputSize] = transposed ? [rows, columns] : [columns, rows]
    const values = transposed ? weights.values : transposeBytes(weights.values, rows, columns)
    this.#pushDense(node, { x, values, scales: weights.scales, inputSize, outputSize }, bias ?? node.inputs[2], id, boundary)
  }

  #pushDense(
    node: GraphNode,
    parts: {
      readonly x: Activation
      readonly values: Int8Array
      readonly scales: readonly number[]
      readonly inputSize: number
      readonly outputSize: number
    },
    bias: ValueId | undefined,
    id: ValueId,
    boundary: Q8Boundary,
  ): void {
    const { x, values, scales, inputSize, outputSize } = parts
    const requantization = this.#requantization(node, x, scales, outputSize, bias, boundary)
    const rows = elementCount(boundary.shape) / outputSize
    this.#push(id, boundary, { kind: 'dense', input: x.boundary, rows, inputSize, outputSize, weights: values, requantization })
  }

  #conv(node: GraphNode, id: ValueId, boundary: Q8Boundary): void {
    const { operation } = node
    if (operation.operator !== 'Conv') throw unsupported(node, 'the operator')
    const x = this.#requireDequantized(node.inputs[0] ?? '', node)
    const weights = this.#view.weights(node.inputs[1] ?? '', 0, node)
    this.#pushConv(node, operation, { x, weights }, node.inputs[2], id, boundary)
  }

  #pushConv(
    node: GraphNode,
    { window, group }: Extract<Operation, { operator: 'Conv' | 'QLinearConv' }>,
    { x, weights }: { readonly x: Activation; readonly weights: QuantizedWeights },
    bias: ValueId | undefined,
    id: ValueId,
    boundary: Q8Boundary,
  ): void {
    const outputChannels = weights.shape[0] ?? 1
    const input = this.#shaped(x, node)
    const requantization = this.#requantization(node, x, weights.scales, outputChannels, bias, boundary)
    this.#push(id, boundary, { kind: 'conv', input, window, group, outputChannels, weights: weights.values, requantization })
  }

  #requantization(
    node: GraphNode,
    x: Activation,
    scales: readonly number[],
    channels: number,
    bias: ValueId | undefined,
    boundary: Q8Boundary,
  ) {
    const input = this.#boundary(x.boundary)
    const all = scales.length === 1 ? new Array<number>(channels).fill(scales[0] ?? 1) : scales
    const biases = this.#view.biases(bias, input.scale, all, node)
    const ratios = all.map((scale) => (input.scale * scale) / boundary.scale)
    return requantizationFor(ratios, biases, nodeLabel(node))
  }

  #add(node: GraphNode, id: ValueId, boundary: Q8Boundary): void {
    const [left = '', right = ''] = node.inputs
    for (const [product, bias] of [
      [left, right],
      [right, left],
    ] as const) {
      const producer = this.#view.producer(product)
      if (producer?.operation.operator === 'MatMul' && this.#view.isConstant(bias)) return this.#dense(producer, bias, id, boundary)
    }
    const [a, b] = [this.#requireDequantized(left, node), this.#requireDequantized(right, node)]
    const [inputA, inputB] = [this.#boundary(a.boundary), this.#boundary(b.boundary)]
    if (!sameShape(a.shape, b.shape)) throw unsupported(node, 'it broadcasts')
    const { multipliers, shift } = multipliersFor([inputA.scale / boundary.scale, inputB.scale / boundary.scale], nodeLabel(node))
    const inputs = [this.#shaped(a, node), this.#shaped(b, node)] as const
    this.#push(id, boundary, { kind: 'add', inputs, multipliers: [multipliers[0] ?? 0, multipliers[1] ?? 0], bias: 0n, shift })
  }

  #averagePool(
    node: GraphNode,
    window: Extract<Operation, { operator: 'AveragePool' }>['window'],
    id: ValueId,
    boundary: Q8Boundary,
  ): void {
    const x = this.#requireDequantized(node.inputs[0] ?? '', node)
    const input = this.#boundary(x.boundary)
    const count = elementCount(window.kernel)
    const shape = [...x.shape.slice(0, 2), ...windowOutputSize(window, x.shape.slice(2))]
    if (elementCount(shape) !== elementCount(boundary.shape)) throw unsupported(node, 'ceil_mode reaches past the padding')
    const requantization =
      input.scale === boundary.scale
        ? exactAverage(count, nodeLabel(node))
        : requantizationFor([input.scale / boundary.scale / count], [0], nodeLabel(node))
    this.#push(id, { ...boundary, shape }, { kind: 'averagePool', input: this.#shaped(x, node), window, requantization }, boundary.shape)
  }

  #maxPool(node: GraphNode, input: ValueId, output: ValueId): void {
    this.#pushMaxPool(node, this.#activationOf(input, node), output)
  }

  #pushMaxPool(node: GraphNode, x: Activation, id: ValueId): void {
    if (node.operation.operator !== 'MaxPool') throw unsupported(node, 'the operator')
    const shape = this.#view.typeOf(node.outputs[0] ?? '').shape
    const size = x.shape.slice(2)
    const { window } = node.operation
    const rank = size.length
    // With ceil_mode the last window may reach past the end pad; a longer pad says the same, for padding never wins.
    const pads = window.pads.map((pad, index) => {
      if (index < rank) return pad
      const axis = index - rank
      const span = ((window.kernel[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1) + 1
      const reach = ((shape[axis + 2] ?? 1) - 1) * (window.strides[axis] ?? 1) + span - (size[axis] ?? 0) - (window.pads[axis] ?? 0)
      return Math.max(pad, reach)
    })
    const input = this.#shaped(x, node)
    this.#push(id, { ...this.#boundary(x.boundary), shape }, { kind: 'maxPool', input, window: { ...window, pads } })
  }

  #importQLinear(node: GraphNode, operation: Extract<Operation, { operator: 'QLinearMatMul' | 'QLinearConv' }>): void {
    const id = node.outputs[0] ?? ''
    const boundary = boundaryOf(this.#view.typeOf(id).shape, this.#view.quantization(node, 6, 7))
    const x = this.#activationOf(node.inputs[0] ?? '', node)
    const input = this.#boundary(x.boundary)
    const declared = this.#view.quantization(node, 1, 2)
    if (declared.scale !== input.scale || declared.zeroPoint !== input.zeroPoint)
      throw unsupported(node, 'its input is quantised differently before it')
    const weights = this.#view.storedWeights([node.inputs[3] ?? '', node.inputs[4] ?? '', node.inputs[5] ?? ''], node)
    if (operation.operator === 'QLinearConv') return this.#pushConv(node, operation, { x, weights }, node.inputs[8], id, boundary)
    const [inputSize = 1, outputSize = 1] = weights.shape
    if (weights.shape.length !== 2) throw unsupported(node, 'its weights are not a matrix')
    const values = transposeBytes(weights.values, inputSize, outputSize)
    this.#pushDense(node, { x, values, scales: weights.scales, inputSize, outputSize }, undefined, id, boundary)
  }

  #importOutput(id: ValueId): Q8Output {
    const direct = this.#activations.get(id)
    if (direct !== undefined) return { boundary: direct.boundary, answer: 'values' }
    const producer = this.#view.producer(id)
    const source = producer?.inputs[0] ?? ''
    if (producer?.operation.operator === 'DequantizeLinear')
      return { boundary: this.#activationOf(source, producer).boundary, answer: 'values' }
    if (producer?.operation.operator === 'ArgMax') {
      const x = this.#activations.get(source) ?? this.#dequantized(source)
      if (x !== undefined && producer.operation.axis === x.shape.length - 1 && sameShape(x.shape, this.#boundary(x.boundary).shape))
        return { boundary: x.boundary, answer: 'argmax' }
    }
    if (producer?.operation.operator === 'Reshape') {
      const x = this.#dequantized(source)
      if (x !== undefined) return { boundary: x.boundary, answer: 'values' }
    }
    throw new Q8UnsupportedError(
      `output ${id}`,
      'it is computed from real numbers',
      `outputs that are quantised values, or ArgMax of them along the last axis; ${q8Forms}`,
    )
  }

  #push(id: ValueId, boundary: Q8Boundary, layer: Q8Layer, shape: readonly number[] = boundary.shape): void {
    this.#layers.push(layer)
    this.#boundaries.push(boundary)
    this.#activations.set(id, { boundary: this.#boundaries.length - 1, shape })
  }

  /** The boundary of an activation whose consumer needs the graph's shape; a reshape in between becomes an identity layer. */
  #shaped(x: Activation, node: GraphNode): number {
    const boundary = this.#boundary(x.boundary)
    if (sameShape(boundary.shape, x.shape)) return x.boundary
    const requantization = { multipliers: Int32Array.of(2), biases: BigInt64Array.of(0n), shift: 1 }
    this.#push(
      `${nodeLabel(node)}/reshaped/${this.#layers.length}`,
      { ...boundary, shape: x.shape },
      { kind: 'rescale', input: x.boundary, requantization },
    )
    return this.#boundaries.length - 1
  }

  /** The activation behind DequantizeLinear, seen through reshapes. */
  #dequantized(id: ValueId): Activation | undefined {
    const producer = this.#view.producer(id)
    if (producer?.operation.operator === 'Reshape') {
      const inner = this.#dequantized(producer.inputs[0] ?? '')
      return inner === undefined ? undefined : { boundary: inner.boundary, shape: this.#view.typeOf(id).shape }
    }
    if (producer?.operation.operator !== 'DequantizeLinear') return undefined
    const activation = this.#activations.get(producer.inputs[0] ?? '')
    if (activation === undefined) return undefined
    const { scale, zeroPoint } = this.#boundary(activation.boundary)
    const declared = this.#view.quantization(producer, 1, 2)
    if (declared.scale !== scale || declared.zeroPoint !== zeroPoint)
      throw unsupported(producer, 'its scale differs from where the value was quantised')
    return activation
  }

  #requireDequantized(id: ValueId, node: GraphNode): Activation {
    const activation = this.#dequantized(id)
    if (activation === undefined) throw unsupported(node, `its input ${id} is not a dequantised activation`)
    return activation
  }

  #activationOf(id: ValueId, node: GraphNode): Activation {
    const activation = this.#activations.get(id)
    if (activation === undefined) throw unsupported(node, `its input ${id} is not a quantised activation`)
    return activation
  }

  #boundary(index: number): Q8Boundary {
    const boundary = this.#boundaries[index]
    if (boundary === undefined) throw new InvalidGraphError('the quantised graph', `boundary ${index} does not exist`)
    return boundary
  }
}

function boundaryOf(shape: readonly number[], quantization: Quantization): Q8Boundary {
  return { shape, scale: quantization.scale, zeroPoint: quantization.zeroPoint, lo: -128, hi: 127 }
}

function transposeBytes(values: Int8Array, rows: number, columns: number): Int8Array {
  return Int8Array.from({ length: values.length }, (_, index) => values[(index % rows) * columns + Math.floor(index / rows)] ?? 0)
}
