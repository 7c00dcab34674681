// From the integers of a q8 model (docs/spec/q8.md) to layer specs and weights: chooses chunk sizes, slots and excess bits from public
// sizes only.
import { isDense, type LayerRequantisation, type LayerSpec, type LayerWindow } from '@tacit/protocol'
import type { LayerWeights } from '../commit/weights.ts'
import { UnsupportedLayerError } from '../errors.ts'
import { accumulatorTerms, excessBitsFor } from '../excess.ts'
import { requantisationCells } from '../relation/gate.ts'
import { layerNormCells } from '../relation/layer-norm.ts'
import { softmaxCells } from '../relation/softmax.ts'
import { windowAxes } from '../relation/window.ts'
import { chooseChunks } from './choose-chunks.ts'
import {
  type QuantisedBoundary,
  type QuantisedLayer,
  type QuantisedNetwork,
  type QuantisedWindow,
  type Scales,
  sizeOf,
} from './quantised-network.ts'

/** One layer ready to be committed and proved. */
export type DescribedLayer = { readonly spec: LayerSpec; readonly weights: LayerWeights | undefined; readonly inputs: readonly number[] }

/** The provable layers of a model; an argmax answer becomes a layer of its own behind the others. */
export type DescribedNetwork = {
  readonly inputCount: number
  readonly layers: readonly DescribedLayer[]
  readonly outputs: readonly number[]
}

/**
 * Describes a q8 model as layers that this package proves.
 * @throws UnsupportedLayerError for what it cannot prove: batches of images, public multipliers per channel, biases beyond the bound that
 * the excess bits assume.
 */
export function describeNetwork(network: QuantisedNetwork): DescribedNetwork {
  const chunks = chooseChunks(network)
  const layers = network.layers.map((layer, k) => describeLayer(network, chunks, layer, network.inputCount + k))
  const outputs: number[] = []
  for (const { boundary, answer } of network.outputs) {
    if (answer === 'values') {
      outputs.push(boundary)
      continue
    }
    const size = sizeOf(network.boundaries[boundary])
    const chunk = chunks[boundary] ?? size
    if (size > 128) throw new UnsupportedLayerError('An argmax is proved over at most 128 values.')
    layers.push({ spec: { kind: 'argmax', size, chunk, slots: chooseSlots(size, chunk, 9) }, weights: undefined, inputs: [boundary] })
    outputs.push(network.inputCount + layers.length - 1)
  }
  return { inputCount: network.inputCount, layers, outputs }
}

// Cells per row against rows: rows are cheaper for the prover, so slots^2 cells stays below 1.6 times the outputs.
function chooseSlots(outputs: number, axis: number, cells: number): number {
  let best = 1
  for (let slots = 2; slots <= Math.min(axis, 32); slots++) if (axis % slots === 0 && slots * slots * cells <= 1.6 * outputs) best = slots
  return best
}

function describeLayer(network: QuantisedNetwork, chunks: readonly number[], layer: QuantisedLayer, output: number): DescribedLayer {
  const inputs = 'inputs' in layer ? layer.inputs : [layer.input]
  const source = network.boundaries[inputs[0] ?? 0]
  const target = network.boundaries[output]
  if (source === undefined || target === undefined)
    throw new UnsupportedLayerError('A layer reads or writes a boundary that does not exist.')
  const [inputChunk = 1, outputChunk = 1] = [chunks[inputs[0] ?? 0], chunks[output]]
  const size = sizeOf(target)
  if (layer.kind === 'maxPool') {
    const window = layerWindow(source, target, layer.window)
    const taps = window.kernel.reduce((product, n) => product * n, 1)
    const [, cols] = windowAxes(window)
    const spec = {
      kind: layer.kind,
      window,
      planes: inputChunk / (window.height * window.width),
      slots: chooseSlots(size, cols.output, 9 * taps),
    }
    return { spec, weights: undefined, inputs }
  }
  if (layer.kind === 'table') {
    const table = Array.from(layer.table)
    return {
      spec: { kind: 'table', size, chunk: outputChunk, slots: chooseSlots(size, outputChunk, 32), table },
      weights: undefined,
      inputs,
    }
  }
  if (layer.kind === 'softmax') {
    const { rows, heads, mask } = layer
    const plain = { kind: 'softmax' as const, rows, heads, size: layer.size, slots: 1, mask, table: Array.from(layer.table) }
    return { spec: { ...plain, slots: chooseSlots(size, layer.size, softmaxCells(plain).count) }, weights: undefined, inputs }
  }
  if (layer.kind === 'layerNorm') {
    const { rows, gain, epsilon } = layer
    const range = { zeroPoint: target.zeroPoint, low: target.lo, high: target.hi }
    const plain = { kind: 'layerNorm' as const, rows, size: layer.size, chunk: outputChunk, slots: 1, gain, epsilon, ...range }
    return { spec: { ...plain, slots: chooseSlots(size, outputChunk, layerNormCells(plain).count) }, weights: undefined, inputs }
  }
  const scales: Scales =
    layer.kind === 'add' ? { multipliers: layer.multipliers, biases: [layer.bias], shift: layer.shift } : layer.requantization
  const finish = (spec: LayerSpec, axis: number): DescribedLayer => {
    if (!('requantisation' in spec)) return { spec, weights: undefined, inputs }
    const terms = spec.kind === 'add' ? 3 : spec.kind === 'square' ? 510 : accumulatorTerms(spec)
    const bounds = { multiplierBits: multiplierBits(scales), terms }
    const requantisation = requantise(target, scales, bounds)
    const slots = chooseSlots(size, axis, requantisationCells(requantisation).count)
    const secret = isDense(spec) || spec.kind === 'conv'
    const weights = secret && 'weights' in layer ? expand(layer.weights, scales, spec) : undefined
    return { spec: { ...spec, slots, requantisation }, weights, inputs }
  }
  const inputZeroPoint = source.zeroPoint
  const placeholder: LayerRequantisation = {
    shift: scales.shift,
    zeroPoint: target.zeroPoint,
    low: target.lo,
    high: target.hi,
    excessBits: 0,
  }
  switch (layer.kind) {
    case 'dense':
    case 'denseTransposed': {
      const { kind, rows, inputSize, outputSize } = layer
      return finish(
        { kind, rows, inputSize, outputSize, inputChunk, outputChunk, slots: 1, inputZeroPoint, requantisation: placeholder },
        outputChunk,
      )
    }
    case 'conv': {
      const window = layerWindow(source, target, layer.window)
      const [rows, cols] = windowAxes(window)
      const { group, outputChannels } = layer
      const inputPlanes = inputChunk / (window.height * window.width)
      const outputPlanes = outputChunk / (rows.output * cols.output)
      return finish(
        { kind: 'conv', window, outputChannels, group, inputPlanes, outputPlanes, slots: 1, inputZeroPoint, requantisation: placeholder },
        cols.output,
      )
    }
    case 'averagePool': {
      const window = layerWindow(source, target, layer.window)
      const [, cols] = windowAxes(window)
      const planes = inputChunk / (window.height * window.width)
      return finish(
        { kind: 'averagePool', window, planes, slots: 1, inputZeroPoint, ...publicScales(scales), requantisation: placeholder },
        cols.output,
      )
    }
    case 'add': {
      const second = network.boundaries[inputs[1] ?? 0]
      return finish(
        {
          kind: 'add',
          size,
          chunk: outputChunk,
          slots: 1,
          zeroPointA: inputZeroPoint,
          zeroPointB: second?.zeroPoint ?? 0,
          multiplierA: scales.multipliers[0] ?? 0,
          multiplierB: scales.multipliers[1] ?? 0,
          bias: exact(scales.biases[0] ?? 0n),
          requantisation: placeholder,
        },
        outputChunk,
      )
    }
    case 'matmul': {
      const { kind, rows, heads, inner, outputs, orderB } = layer
      const zeroPoints = { zeroPointA: inputZeroPoint, zeroPointB: network.boundaries[inputs[1] ?? 0]?.zeroPoint ?? 0 }
      const chunking = { innerChunk: inputChunk, outputChunk, slots: 1 }
      return finish(
        { kind, rows, heads, inner, outputs, orderB, ...chunking, ...zeroPoints, ...publicScales(scales), requantisation: placeholder },
        outputChunk,
      )
    }
    default:
      return finish(
        { kind: layer.kind, size, chunk: outputChunk, slots: 1, inputZeroPoint, ...publicScales(scales), requantisation: placeholder },
        outputChunk,
      )
  }
}

function layerWindow(source: QuantisedBoundary, target: QuantisedBoundary, window: QuantisedWindow): LayerWindow {
  const [batch = 1, channels = 1, ...plane] = source.shape
  if (batch !== 1) throw new UnsupportedLayerError('A window layer is proved for one image at a time.')
  const two = (values: readonly number[], fill: number): readonly number[] => (values.length === 1 ? [fill, values[0] ?? fill] : values)
  const [height = 1, width = 1] = two(plane, 1)
  const pads = window.pads.length === 2 ? [0, window.pads[0] ?? 0, 0, window.pads[1] ?? 0] : window.pads
  const plain = {
    channels,
    height,
    width,
    kernel: two(window.kernel, 1),
    strides: two(window.strides, 1),
    dilations: two(window.dilations, 1),
  }
  // With ceil mode the output reaches past the end pads: take the end pads that give its shape.
  const output = two(target.shape.slice(2), 1)
  const ends = windowAxes({ ...plain, pads }).map((axis, k) => {
    const end = pads[k + 2] ?? 0
    if (axis.output === output[k]) return end
    return ((output[k] ?? 1) - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1 - axis.input - axis.pad
  })
  return { ...plain, pads: [pads[0] ?? 0, pads[1] ?? 0, ...ends] }
}

function requantise(
  target: QuantisedBoundary,
  scales: Scales,
  bounds: { readonly multiplierBits: number; readonly terms: number },
): LayerRequantisation {
  const { multiplierBits, terms } = bounds
  // The bound on B is the bound on M acc: public, and generous for every bias that a quantiser emits.
  const biasBits = 15 + Math.ceil(Math.log2(terms + 1)) + multiplierBits
  if (Array.from(scales.biases).some((bias) => bias >= 1n << BigInt(biasBits) || -bias >= 1n << BigInt(biasBits)))
    throw new UnsupportedLayerError('A bias is larger than every sum of products.')
  const excessBits = excessBitsFor({ terms, shift: scales.shift }, { multiplierBits, biasBits })
  return { shift: scales.shift, zeroPoint: target.zeroPoint, low: target.lo, high: target.hi, excessBits }
}

// Our quantiser's multipliers have 15 bits; another tool's may have 31. Two classes and no more: the exact length of the largest
// hidden multiplier would show in the number of excess bits.
function multiplierBits({ multipliers }: Scales): number {
  return Array.from(multipliers).every((m) => m < 2 ** 15) ? 15 : 31
}

function publicScales(scales: Scales): { readonly multiplier: number; readonly bias: number } {
  if (scales.multipliers.length !== 1)
    throw new UnsupportedLayerError('Multipliers per channel are proved for dense and convolution layers only.')
  return { multiplier: scales.multipliers[0] ?? 0, bias: exact(scales.biases[0] ?? 0n) }
}

function exact(bias: bigint): number {
  if (bias > 2n ** 52n || -bias > 2n ** 52n) throw new UnsupportedLayerError('A public bias is larger than 2^52.')
  return Number(bias)
}

function expand(weights: Int8Array, scales: Scales, spec: LayerSpec): LayerWeights {
  const outputs = isDense(spec) ? spec.outputSize : spec.kind === 'conv' ? spec.outputChannels : 0
  const pick = <T>(values: ArrayLike<T>, k: number): T => values[values.length === 1 ? 0 : k] as T // checked by the q8 format
  return {
    weights,
    multipliers: Array.from({ length: outputs }, (_, k) => pick(scales.multipliers, k)),
    biases: Array.from({ length: outputs }, (_, k) => pick(scales.biases, k)),
  }
}
