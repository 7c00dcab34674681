import { MalformedQ8Error, Q8OverflowError } from '../errors.ts'
import type { Window } from '../graph.ts'
import { elementCount, sameShape } from '../tensor.ts'
import {
  boundaryName,
  layerInputs,
  type Q8Boundary,
  type Q8Layer,
  type Q8Model,
  type Q8Requantization,
  type Q8Softmax,
} from './q8-model.ts'

const maxInt32 = 2 ** 31 - 1
const maxV = 2n ** 62n - 1n
const maxActivationBytes = 2 ** 28
const maxRank = 8
// longest row of a softmax or a layer normalisation: every number of them stays below 2^53
const maxRow = 8192

/**
 * Checks everything that docs/spec/q8.md sections 1 to 3 ask of a network, overflow bounds included, and returns it.
 * @throws MalformedQ8Error, Q8OverflowError
 */
export function assertQ8(model: Q8Model): Q8Model {
  const { boundaries, layers, inputCount, outputs } = model
  if (!(inputCount >= 1)) throw new MalformedQ8Error('the network', 'has no input')
  if (boundaries.length !== inputCount + layers.length)
    throw new MalformedQ8Error('the network', 'has not one boundary per input and layer')
  if (outputs.length === 0) throw new MalformedQ8Error('the network', 'has no output')
  let bytes = 0
  for (const [index, boundary] of boundaries.entries()) {
    assertBoundary(boundary, boundaryName(index))
    bytes += elementCount(boundary.shape)
  }
  if (bytes > maxActivationBytes) throw new MalformedQ8Error('the network', `has more than ${maxActivationBytes} bytes of activations`)
  for (const [index, layer] of layers.entries()) assertLayer(model, layer, inputCount + index)
  for (const { boundary } of outputs) if (boundaries[boundary] === undefined) throw new MalformedQ8Error('an output', 'names no boundary')
  return model
}

function assertBoundary(boundary: Q8Boundary, name: string): void {
  const { shape, scale, zeroPoint, lo, hi } = boundary
  const integers = [zeroPoint, lo, hi].every(Number.isInteger)
  if (!integers || lo < -128 || hi > 127 || lo >= hi || zeroPoint < lo || zeroPoint > hi)
    throw new MalformedQ8Error(`boundary ${name}`, 'has no valid range')
  if (!(scale > 0 && Number.isFinite(scale) && Math.fround(scale) === scale))
    throw new MalformedQ8Error(`boundary ${name}`, 'has no valid scale')
  if (shape.length > maxRank || shape.some((size) => !Number.isInteger(size) || size < 1))
    throw new MalformedQ8Error(`boundary ${name}`, 'has no valid shape')
  if (elementCount(shape) > maxActivationBytes) throw new MalformedQ8Error(`boundary ${name}`, 'is too large')
}

function assertLayer(model: Q8Model, layer: Q8Layer, index: number): void {
  const where = boundaryName(index)
  const fail = (reason: string) => new MalformedQ8Error(`layer ${where}`, reason)
  const output = model.boundaries[index]
  const inputs = layerInputs(layer).map((source) => {
    const boundary = model.boundaries[source]
    if (boundary === undefined || !Number.isInteger(source) || source >= index) throw fail('reads a boundary that is not before it')
    return boundary
  })
  const input = inputs[0]
  if (input === undefined || output === undefined) throw fail('has no input or output')
  switch (layer.kind) {
    case 'dense':
    case 'denseTransposed': {
      const { rows, inputSize, outputSize, weights } = layer
      if (!positive(rows, inputSize, outputSize)) throw fail('has a size below 1')
      if (rows * inputSize !== elementCount(input.shape) || rows * outputSize !== elementCount(output.shape))
        throw fail('does not fit its boundaries')
      if (weights.length !== inputSize * outputSize) throw fail('has the wrong number of weights')
      return assertRequantization(layer.requantization, outputSize, (c) => largestX(input) * sumOfMagnitudes(weights, c, inputSize), where)
    }
    case 'conv': {
      const { window, group, outputChannels, weights } = layer
      const channels = input.shape[1] ?? 0
      if (!positive(group, outputChannels) || channels % group !== 0 || outputChannels % group !== 0)
        throw fail('has groups that do not fit')
      assertWindow(window, input, output, where)
      if (!sameShape([input.shape[0] ?? 0, outputChannels], output.shape.slice(0, 2))) throw fail('does not fit its boundaries')
      const rowSize = (channels / group) * elementCount(window.kernel)
      if (weights.length !== outputChannels * rowSize) throw fail('has the wrong number of weights')
      return assertRequantization(
        layer.requantization,
        outputChannels,
        (c) => largestX(input) * sumOfMagnitudes(weights, c, rowSize),
        where,
      )
    }
    case 'averagePool':
    case 'maxPool': {
      assertWindow(layer.window, input, output, where)
      if (!sameShape(input.shape.slice(0, 2), output.shape.slice(0, 2))) throw fail('does not fit its boundaries')
      if (layer.kind === 'averagePool')
        return assertRequantization(layer.requantization, 1, () => largestX(input) * elementCount(layer.window.kernel), where)
      const { scale, zeroPoint, lo, hi } = output
      if (scale !== input.scale || zeroPoint !== input.zeroPoint || lo !== input.lo || hi !== input.hi)
        throw fail('must keep scale, zero point and range')
      return assertNoEmptyWindow(layer.window, input, output, where)
    }
    case 'square':
    case 'rescale':
      if (elementCount(input.shape) !== elementCount(output.shape)) throw fail('does not fit its boundaries')
      return assertRequantization(layer.requantization, 1, () => largestX(input) ** (layer.kind === 'square' ? 2 : 1), where)
    case 'add': {
      const other = inputs[1]
      if (other === undefined || !sameShape(input.shape, output.shape) || !sameShape(other.shape, output.shape))
        throw fail('does not fit its boundaries')
      assertIntegers([...layer.multipliers], layer.shift, where)
      const [ma, mb] = layer.multipliers
      return assertV(BigInt(ma) * BigInt(largestX(input)) + BigInt(mb) * BigInt(largestX(other)), layer.bias, layer.shift, where)
    }
    case 'matmul': {
      const { rows, heads, inner, outputs } = layer
      const other = inputs[1]
      if (!positive(rows, heads, inner, outputs)) throw fail('has a size below 1')
      if (other === undefined || layer.requantization.multipliers.length !== 1) throw fail('has no second factor or several multipliers')
      const sizes = [elementCount(input.shape), elementCount(other.shape), elementCount(output.shape)]
      if (!sameShape(sizes, [rows * heads * inner, heads * outputs * inner, rows * heads * outputs]))
        throw fail('does not fit its boundaries')
      return assertRequantization(layer.requantization, 1, () => inner * largestX(input) * largestX(other), where)
    }
    case 'softmax':
      return assertSoftmax(layer, input, output, fail)
    case 'layerNorm': {
      const { rows, size, gain, epsilon } = layer
      if (!positive(rows, size, gain) || size < 2 || size > maxRow || gain > 1024) throw fail('has a size out of range')
      if (!Number.isInteger(epsilon) || epsilon < 1 || epsilon > 2 ** 40) throw fail('has an epsilon out of range')
      if (rows * size !== elementCount(input.shape) || rows * size !== elementCount(output.shape)) throw fail('does not fit its boundaries')
      return
    }
    case 'table':
      if (layer.table.length !== 256 || elementCount(input.shape) !== elementCount(output.shape)) throw fail('does not fit its boundaries')
      if (layer.table.some((value) => value < output.lo || value > output.hi)) throw fail('has an entry outside its output range')
      return
  }
}

function assertSoftmax(
  { rows, heads, size, mask, table }: Q8Softmax,
  input: Q8Boundary,
  output: Q8Boundary,
  fail: (reason: string) => MalformedQ8Error,
): void {
  const count = rows * heads * size
  if (!positive(rows, heads, size) || size > maxRow) throw fail('has a size out of range')
  if (count !== elementCount(input.shape) || count !== elementCount(output.shape)) throw fail('does not fit its boundaries')
  if (mask === 'causal' && rows > size) throw fail('has a row that sees nothing')
  if (table.length !== 256 || table.some((value) => value > 4095) || table[0] === 0) throw fail('has no valid table of exponentials')
  if (output.zeroPoint !== -128 || output.lo !== -128 || output.hi !== 127) throw fail('must have probabilities of the full range')
}

/** X: the largest |x - z|. */
function largestX(boundary: Q8Boundary): number {
  return Math.max(boundary.zeroPoint - boundary.lo, boundary.hi - boundary.zeroPoint)
}

function sumOfMagnitudes(weights: Int8Array, row: number, rowSize: number): number {
  let sum = 0
  for (let j = row * rowSize; j < (row + 1) * rowSize; j++) sum += Math.abs(weights[j] ?? 0)
  return sum
}

function assertRequantization(by: Q8Requantization, channels: number, accBound: (channel: number) => number, where: string): void {
  const { multipliers, biases, shift } = by
  if ((multipliers.length !== channels && multipliers.length !== 1) || biases.length !== multipliers.length)
    throw new MalformedQ8Error(`layer ${where}`, 'has the wrong number of multipliers or biases')
  assertIntegers([...multipliers], shift, where)
  for (let channel = 0; channel < channels; channel++) {
    const bound = accBound(channel)
    if (bound > maxInt32) throw new Q8OverflowError(where, `the accumulator bound ${bound}`, '2^31 - 1')
    const c = multipliers.length === 1 ? 0 : channel
    assertV(BigInt(multipliers[c] ?? 0) * BigInt(bound), biases[c] ?? 0n, shift, where)
  }
}

function assertIntegers(multipliers: readonly number[], shift: number, where: string): void {
  if (!Number.isInteger(shift) || shift < 1 || shift > 40) throw new MalformedQ8Error(`layer ${where}`, 'has a shift outside 1..40')
  if (multipliers.some((m) => !Number.isInteger(m) || m < 0 || m > maxInt32))
    throw new MalformedQ8Error(`layer ${where}`, 'has a multiplier outside 0..2^31-1')
}

function assertV(product: bigint, bias: bigint, shift: number, where: string): void {
  const bound = product + (bias < 0n ? -bias : bias) + (1n << BigInt(shift - 1))
  if (bound > maxV) throw new Q8OverflowError(where, `the bound of v, ${bound},`, '2^62 - 1')
}

function assertWindow(window: Window, input: Q8Boundary, output: Q8Boundary, where: string): void {
  const fail = (reason: string) => new MalformedQ8Error(`layer ${where}`, reason)
  const size = input.shape.slice(2)
  const rank = size.length
  if (rank < 1 || rank > 2 || output.shape.length !== rank + 2) throw fail('must have one or two spatial axes')
  if (
    window.kernel.length !== rank ||
    window.strides.length !== rank ||
    window.dilations.length !== rank ||
    window.pads.length !== 2 * rank
  )
    throw fail('has a window that does not fit')
  if (
    !positive(...window.kernel, ...window.strides, ...window.dilations) ||
    window.pads.some((pad) => !Number.isInteger(pad) || pad < 0 || pad > 2 ** 20)
  )
    throw fail('has a window value out of range')
  if (!sameShape(windowOutputSize(window, size), output.shape.slice(2))) throw fail('has an output of another size than its window gives')
}

function assertNoEmptyWindow(window: Window, input: Q8Boundary, output: Q8Boundary, where: string): void {
  for (const [axis, size] of input.shape.slice(2).entries()) {
    const [kernel, stride, dilation, pad] = [window.kernel, window.strides, window.dilations, window.pads].map(
      (values) => values[axis] ?? 1,
    )
    for (let position = 0; position < (output.shape[axis + 2] ?? 0); position++) {
      const start = position * (stride ?? 1) - (pad ?? 0)
      const first = start >= 0 ? start : start + Math.ceil(-start / (dilation ?? 1)) * (dilation ?? 1)
      if (first >= size || first > start + ((kernel ?? 1) - 1) * (dilation ?? 1))
        throw new MalformedQ8Error(`layer ${where}`, 'has a window that lies in the padding only')
    }
  }
}

/** Spatial output sizes: floor((n + pads - span) / stride) + 1. */
export function windowOutputSize(window: Window, size: readonly number[]): number[] {
  return size.map((length, axis) => {
    const span = ((window.kernel[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1) + 1
    const room = length + (window.pads[axis] ?? 0) + (window.pads[axis + size.length] ?? 0) - span
    return room < 0 ? 0 : Math.floor(room / (window.strides[axis] ?? 1)) + 1
  })
}

function positive(...values: readonly number[]): boolean {
  return values.every((value) => Number.isInteger(value) && value >= 1 && value <= 2 ** 28)
}
