import { ModelInputError } from '../errors.ts'
import { quantizeValue } from '../interpret/quantized.ts'
import { windowWalker } from '../interpret/window-positions.ts'
import { elementCount } from '../tensor.ts'
import {
  boundaryName,
  layerInputs,
  type Q8Add,
  type Q8Boundary,
  type Q8Conv,
  type Q8Dense,
  type Q8DenseTransposed,
  type Q8Layer,
  type Q8Matmul,
  type Q8Model,
} from './q8-model.ts'
import { requantize, shiftAndClamp } from './requantize.ts'
import { layerNorm, softmax } from './rows.ts'

/** What a run produces. */
export type Q8Run = {
  /** Every boundary's activation, by number: the inputs, then each layer's output. */
  readonly activations: readonly Int8Array[]
  /** One per output of the model. */
  readonly answers: readonly Q8Answer[]
}

/** Real values, or the winning index of every row. */
export type Q8Answer =
  | { readonly answer: 'values'; readonly values: Float32Array }
  | { readonly answer: 'argmax'; readonly indices: Int32Array }

/** Input quantisation (docs/spec/q8.md, section 5). */
export function quantizeInput(boundary: Q8Boundary, values: ArrayLike<number>): Int8Array {
  return Int8Array.from(values, (x) => quantizeValue(x, boundary.scale, boundary.zeroPoint, [boundary.lo, boundary.hi]))
}

/** The real values that an activation stands for. */
export function dequantizeActivation(boundary: Q8Boundary, activation: Int8Array): Float32Array {
  return Float32Array.from(activation, (y) => Math.fround(boundary.scale * (y - boundary.zeroPoint)))
}

/** The index of the largest value of each row; of equal values the lowest index. */
export function argmaxRows(activation: Int8Array, columns: number): Int32Array {
  return Int32Array.from({ length: activation.length / columns }, (_, row) => {
    let best = 0
    for (let i = 1; i < columns; i++) if ((activation[row * columns + i] ?? 0) > (activation[row * columns + best] ?? 0)) best = i
    return best
  })
}

/**
 * Runs a q8 network; this function defines the bits (docs/spec/q8.md). The model must be valid: see `assertQ8`, which
 * `parseQ8`, `importQ8` and `quantizeGraph` apply.
 * @param inputs one quantised activation per input boundary
 */
export function runQ8(model: Q8Model, inputs: readonly Int8Array[]): Q8Run {
  const activations: Int8Array[] = []
  for (let index = 0; index < model.inputCount; index++) activations.push(acceptInput(model, index, inputs[index]))
  if (inputs.length > model.inputCount) throw new ModelInputError(boundaryName(model.inputCount), 'is unknown')
  for (const layer of model.layers) activations.push(runLayer(model, layer, activations))
  const answers = model.outputs.map(({ boundary, answer }): Q8Answer => {
    const activation = activations[boundary] ?? new Int8Array(0)
    const shape = model.boundaries[boundary]
    if (shape === undefined) throw new ModelInputError(boundaryName(boundary), 'is missing')
    return answer === 'argmax'
      ? { answer, indices: argmaxRows(activation, shape.shape.at(-1) ?? 1) }
      : { answer, values: dequantizeActivation(shape, activation) }
  })
  return { activations, answers }
}

function acceptInput(model: Q8Model, index: number, input: Int8Array | undefined): Int8Array {
  const boundary = model.boundaries[index]
  if (input === undefined || boundary === undefined) throw new ModelInputError(boundaryName(index), 'is missing')
  if (input.length !== elementCount(boundary.shape))
    throw new ModelInputError(boundaryName(index), `must have ${elementCount(boundary.shape)} values`)
  if (input.some((value) => value < boundary.lo || value > boundary.hi))
    throw new ModelInputError(boundaryName(index), `must be within ${boundary.lo}..${boundary.hi}`)
  return input
}

/** One layer: its output activation from the boundaries before it. */
export function runLayer(model: Q8Model, layer: Q8Layer, activations: readonly Int8Array[]): Int8Array {
  const output = model.boundaries[activations.length]
  const [source = 0, second = 0] = layerInputs(layer)
  const [input, x] = [model.boundaries[source], activations[source]]
  if (output === undefined || input === undefined || x === undefined) throw new ModelInputError(boundaryName(source), 'is missing')
  const operand = { x, input, output }
  switch (layer.kind) {
    case 'dense':
      return dense(layer, operand)
    case 'denseTransposed':
      return transposed(layer, operand)
    case 'conv':
      return conv(layer, operand)
    case 'averagePool':
      return pooled(operand, layer.window, (values) =>
        requantize(
          values.reduce((sum, value) => sum + value - input.zeroPoint, 0),
          0,
          layer.requantization,
          output,
        ),
      )
    case 'maxPool':
      return pooled(operand, layer.window, (values) => Math.max(...values))
    case 'square':
      return x.map((value) => requantize((value - input.zeroPoint) ** 2, 0, layer.requantization, output))
    case 'rescale':
      return x.map((value) => requantize(value - input.zeroPoint, 0, layer.requantization, output))
    case 'add':
      return add(layer, operand, model.boundaries[second], activations[second])
    case 'matmul':
      return matmul(layer, operand, model.boundaries[second], activations[second])
    case 'softmax':
      return softmax(layer, x)
    case 'layerNorm':
      return layerNorm(layer, x, output)
    case 'table':
      return x.map((value) => layer.table[value + 128] ?? 0)
  }
}

type Operand = { readonly x: Int8Array; readonly input: Q8Boundary; readonly output: Q8Boundary }

function dense(layer: Q8Dense | Q8DenseTransposed, { x, input, output }: Operand): Int8Array {
  const { rows, inputSize, outputSize, weights } = layer
  const y = new Int8Array(rows * outputSize)
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < outputSize; i++) {
      let acc = 0
      for (let j = 0; j < inputSize; j++) acc += (weights[i * inputSize + j] ?? 0) * ((x[row * inputSize + j] ?? 0) - input.zeroPoint)
      y[row * outputSize + i] = requantize(acc, i, layer.requantization, output)
    }
  return y
}

function transposed(layer: Q8DenseTransposed, operand: Operand): Int8Array {
  const y = dense(layer, operand)
  const { rows, outputSize } = layer
  return y.map((_, i) => y[(i % rows) * outputSize + Math.floor(i / rows)] ?? 0)
}

function conv(layer: Q8Conv, { x, input, output }: Operand): Int8Array {
  const [batch = 1, channels = 1, ...inputSize] = input.shape
  const outputSize = output.shape.slice(2)
  const [inputPlane, outputPlane, kernelSize] = [elementCount(inputSize), elementCount(outputSize), elementCount(layer.window.kernel)]
  const groupChannels = channels / layer.group
  const walk = windowWalker(layer.window, inputSize, outputSize)
  const y = new Int8Array(batch * layer.outputChannels * outputPlane)
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < layer.outputChannels; o++) {
      const firstChannel = n * channels + Math.floor(o / (layer.outputChannels / layer.group)) * groupChannels
      for (let position = 0; position < outputPlane; position++) {
        let acc = 0
        walk(position, (kernelIndex, inputIndex) => {
          for (let c = 0; c < groupChannels; c++) {
            const value = (x[(firstChannel + c) * inputPlane + inputIndex] ?? 0) - input.zeroPoint
            acc += (layer.weights[(o * groupChannels + c) * kernelSize + kernelIndex] ?? 0) * value
          }
        })
        y[(n * layer.outputChannels + o) * outputPlane + position] = requantize(acc, o, layer.requantization, output)
      }
    }
  return y
}

function pooled({ x, input, output }: Operand, window: Q8Conv['window'], combine: (values: number[]) => number): Int8Array {
  const [inputSize, outputSize] = [input.shape.slice(2), output.shape.slice(2)]
  const [inputPlane, outputPlane] = [elementCount(inputSize), elementCount(outputSize)]
  const walk = windowWalker(window, inputSize, outputSize)
  return Int8Array.from({ length: elementCount(output.shape) }, (_, index) => {
    const plane = Math.floor(index / outputPlane) * inputPlane
    const values: number[] = []
    walk(index % outputPlane, (_kernelIndex, inputIndex) => values.push(x[plane + inputIndex] ?? 0))
    return combine(values)
  })
}

function add(layer: Q8Add, { x, input, output }: Operand, inputB: Q8Boundary | undefined, b: Int8Array | undefined): Int8Array {
  const [multiplierA, multiplierB] = [BigInt(layer.multipliers[0]), BigInt(layer.multipliers[1])]
  const constant = layer.bias + (1n << BigInt(layer.shift - 1))
  return x.map((value, index) => {
    const a = BigInt(value - input.zeroPoint)
    const other = BigInt((b?.[index] ?? 0) - (inputB?.zeroPoint ?? 0))
    return shiftAndClamp(multiplierA * a + multiplierB * other + constant, layer.shift, output)
  })
}

function matmul(
  layer: Q8Matmul,
  { x, input, output }: Operand,
  inputB: Q8Boundary | undefined,
  b: Int8Array = new Int8Array(0),
): Int8Array {
  const { rows, heads, inner, outputs, orderB } = layer
  const zeroB = inputB?.zeroPoint ?? 0
  const y = new Int8Array(rows * heads * outputs)
  for (let t = 0; t < rows; t++)
    for (let h = 0; h < heads; h++)
      for (let s = 0; s < outputs; s++) {
        const left = (t * heads + h) * inner
        const right = (orderB === 'tokens' ? s * heads + h : h * outputs + s) * inner
        let acc = 0
        for (let k = 0; k < inner; k++) acc += ((x[left + k] ?? 0) - input.zeroPoint) * ((b[right + k] ?? 0) - zeroB)
        y[(t * heads + h) * outputs + s] = requantize(acc, 0, layer.requantization, output)
      }
  return y
}
