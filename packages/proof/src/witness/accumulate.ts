// The integers of a layer as docs/spec/q8.md defines them: for requantising kinds, v + (z_y - low) 2^s for every output.
import type { ConvolutionSpec, DenseSpec, LayerRequantisation, LayerSpec, LayerWindow, MatmulSpec } from '@tacit/protocol'
import type { LayerWeights } from '../commit/weights.ts'
import { type WindowAxis, tapPosition } from '../relation/forms.ts'
import { roundingConstant } from '../relation/rounding.ts'
import { windowAxes } from '../relation/window.ts'

/** v per output: doubles where they are exact, big integers otherwise. */
export type Accumulators = Float64Array | BigInt64Array

/** The accumulators of a requantising layer. */
export function accumulate(
  spec: Exclude<LayerSpec, { readonly kind: 'maxPool' | 'argmax' | 'table' | 'softmax' | 'layerNorm' }>,
  inputs: readonly Int8Array[],
  weights: LayerWeights | undefined,
): Accumulators {
  const [x = new Int8Array(0), b = new Int8Array(0)] = inputs
  const none: LayerWeights = { weights: new Int8Array(0), multipliers: [], biases: [] }
  switch (spec.kind) {
    case 'dense': {
      const { multipliers, biases } = weights ?? none
      const channel = (i: number): number => i % spec.outputSize
      return finish(denseSums(spec, x, (weights ?? none).weights), spec.requantisation, { multipliers, biases, channel })
    }
    case 'denseTransposed': {
      const { multipliers, biases } = weights ?? none
      const { rows, outputSize } = spec
      const sums = denseSums(spec, x, (weights ?? none).weights)
      const turned = sums.map((_, i) => sums[(i % rows) * outputSize + Math.floor(i / rows)] ?? 0)
      return finish(turned, spec.requantisation, { multipliers, biases, channel: (i) => Math.floor(i / rows) })
    }
    case 'conv': {
      const { multipliers, biases } = weights ?? none
      const sums = convolutionSums(spec, x, (weights ?? none).weights)
      const plane = sums.length / spec.outputChannels
      return finish(sums, spec.requantisation, { multipliers, biases, channel: (i) => Math.floor(i / plane) })
    }
    case 'matmul':
      return finish(productSums(spec, x, b), spec.requantisation, one(spec.multiplier, spec.bias))
    case 'averagePool':
      return finish(poolSums(spec.window, x, spec.inputZeroPoint), spec.requantisation, one(spec.multiplier, spec.bias))
    case 'rescale':
      return finish(
        Float64Array.from(x, (value) => value - spec.inputZeroPoint),
        spec.requantisation,
        one(spec.multiplier, spec.bias),
      )
    case 'square':
      return finish(
        Float64Array.from(x, (value) => (value - spec.inputZeroPoint) ** 2),
        spec.requantisation,
        one(spec.multiplier, spec.bias),
      )
    case 'add': {
      const sum = Float64Array.from(
        x,
        (value, i) => spec.multiplierA * (value - spec.zeroPointA) + spec.multiplierB * ((b[i] ?? 0) - spec.zeroPointB),
      )
      return finish(sum, spec.requantisation, one(1, spec.bias))
    }
  }
}

type Scales = { readonly multipliers: readonly number[]; readonly biases: readonly bigint[]; readonly channel: (output: number) => number }

function one(multiplier: number, bias: number): Scales {
  return { multipliers: [multiplier], biases: [BigInt(bias)], channel: () => 0 }
}

function finish(sums: Float64Array, requantisation: LayerRequantisation, scales: Scales): Accumulators {
  const { multipliers, biases, channel } = scales
  const constant = roundingConstant(requantisation)
  let largest = 0
  for (const value of sums) largest = Math.max(largest, Math.abs(value))
  const factor = multipliers.reduce((top, value) => Math.max(top, value), 1)
  const bias = biases.reduce((top, value) => Math.max(top, Math.abs(Number(value))), 0)
  if (largest * factor + bias + Number(constant) < 2 ** 52) {
    const offsets = biases.map((value) => Number(value + constant))
    for (let i = 0; i < sums.length; i++) {
      const c = channel(i)
      sums[i] = (multipliers[c] ?? 0) * (sums[i] ?? 0) + (offsets[c] ?? 0)
    }
    return sums
  }
  const wide = BigInt64Array.from(sums, (value) => BigInt(value))
  return wide.map((value, i) => BigInt(multipliers[channel(i)] ?? 0) * value + (biases[channel(i)] ?? 0n) + constant)
}

function denseSums(spec: DenseSpec, x: Int8Array, weights: Int8Array): Float64Array {
  const { rows, inputSize, outputSize, inputZeroPoint } = spec
  const sums = new Float64Array(rows * outputSize)
  for (let t = 0; t < rows; t++) {
    const centred = Int32Array.from(x.subarray(t * inputSize, (t + 1) * inputSize), (value) => value - inputZeroPoint)
    for (let o = 0; o < outputSize; o++) {
      const row = o * inputSize
      let sum = 0
      for (let j = 0; j < inputSize; j++) sum = (sum + (weights[row + j] ?? 0) * (centred[j] ?? 0)) | 0
      sums[t * outputSize + o] = sum
    }
  }
  return sums
}

function productSums(spec: MatmulSpec, a: Int8Array, b: Int8Array): Float64Array {
  const { rows, heads, inner, outputs, orderB, zeroPointA, zeroPointB } = spec
  const sums = new Float64Array(rows * heads * outputs)
  for (let t = 0; t < rows; t++) {
    for (let h = 0; h < heads; h++) {
      for (let s = 0; s < outputs; s++) {
        const left = (t * heads + h) * inner
        const right = (orderB === 'tokens' ? s * heads + h : h * outputs + s) * inner
        let sum = 0
        for (let k = 0; k < inner; k++) sum += ((a[left + k] ?? 0) - zeroPointA) * ((b[right + k] ?? 0) - zeroPointB)
        sums[(t * heads + h) * outputs + s] = sum
      }
    }
  }
  return sums
}

function convolutionSums(spec: ConvolutionSpec, x: Int8Array, weights: Int8Array): Float64Array {
  const { window, outputChannels, group, inputZeroPoint } = spec
  const [rows, cols] = windowAxes(window)
  const inputs = window.channels / group
  const taps = rows.kernel * cols.kernel
  const plane = window.height * window.width
  const sums = new Float64Array(outputChannels * rows.output * cols.output)
  const centred = Int32Array.from(x, (value) => value - inputZeroPoint)
  for (let o = 0; o < outputChannels; o++) {
    const first = Math.floor(o / (outputChannels / group)) * inputs
    for (let c = 0; c < inputs; c++) {
      for (let k = 0; k < taps; k++) {
        const weight = weights[(o * inputs + c) * taps + k] ?? 0
        if (weight === 0) continue
        const into = sums.subarray(o * rows.output * cols.output, (o + 1) * rows.output * cols.output)
        addTap({ rows, cols, k }, weight, centred.subarray((first + c) * plane, (first + c + 1) * plane), into)
      }
    }
  }
  return sums
}

function addTap(
  tap: { readonly rows: WindowAxis; readonly cols: WindowAxis; readonly k: number },
  weight: number,
  plane: Int32Array,
  into: Float64Array,
): void {
  const { rows, cols, k } = tap
  const [ky, kx] = [Math.floor(k / cols.kernel), k % cols.kernel]
  for (let py = 0; py < rows.output; py++) {
    const y = tapPosition(rows, py, ky)
    if (y < 0) continue
    const from = cols.dilation * kx - cols.pad
    const row = y * cols.input
    for (let px = 0; px < cols.output; px++) {
      const position = cols.stride * px + from
      if (position >= 0 && position < cols.input)
        into[py * cols.output + px] = (into[py * cols.output + px] ?? 0) + weight * (plane[row + position] ?? 0)
    }
  }
}

function poolSums(window: LayerWindow, x: Int8Array, zeroPoint: number): Float64Array {
  const [rows, cols] = windowAxes(window)
  const plane = window.height * window.width
  const out = rows.output * cols.output
  const sums = new Float64Array(window.channels * out)
  const centred = Int32Array.from(x, (value) => value - zeroPoint)
  for (let c = 0; c < window.channels; c++)
    for (let k = 0; k < rows.kernel * cols.kernel; k++)
      addTap({ rows, cols, k }, 1, centred.subarray(c * plane, (c + 1) * plane), sums.subarray(c * out, (c + 1) * out))
  return sums
}

/** The values under each tap of every output of a maximum pool; -128 in the padding. Indexed [output][tap]. */
export function pooledValues(window: LayerWindow, x: Int8Array): Int8Array {
  const [rows, cols] = windowAxes(window)
  const taps = rows.kernel * cols.kernel
  const values = new Int8Array(window.channels * rows.output * cols.output * taps)
  let at = 0
  for (let c = 0; c < window.channels; c++) {
    for (let py = 0; py < rows.output; py++) {
      for (let px = 0; px < cols.output; px++) {
        for (let k = 0; k < taps; k++, at++) {
          const y = tapPosition(rows, py, Math.floor(k / cols.kernel))
          const z = tapPosition(cols, px, k % cols.kernel)
          values[at] = y < 0 || z < 0 ? -128 : (x[(c * window.height + y) * window.width + z] ?? -128)
        }
      }
    }
  }
  return values
}
