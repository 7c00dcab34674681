// One tiny layer of every kind, with sizes that divide nothing, and an honest instance of it for provers that lie.
import { isDense, type LayerSpec } from '@tacit/protocol'
import type { LayerWeights } from '../../src/commit/weights.ts'
import type { ProofEngine } from '../../src/engine.ts'
import { createRelation } from '../../src/relation/create-relation.ts'
import { randomTensor, randomWeights, requantisation, seeded } from './layers.ts'
import { honestInstance, type Instance } from './lying-prover.ts'

/** Four bits of remainder, four of value, six of excess, one sign. */
export const tinyRange = requantisation({ shift: 4, zeroPoint: 0, low: 0, high: 15, excessBits: 6 })
const window = { channels: 3, height: 3, width: 4, kernel: [2, 2], strides: [1, 2], dilations: [1, 1], pads: [1, 1, 0, 0] }
const exponentials = Array.from({ length: 256 }, (_, d) => Math.round(60 * Math.exp(-d / 3)))
const lookup = Array.from({ length: 256 }, (_, k) => ((k * 7) % 256) - 128)

/** Specs by kind; every chunk, block and group leaves a rest. */
export const smallLayers: Readonly<Record<string, LayerSpec>> = {
  dense: {
    kind: 'dense',
    rows: 2,
    inputSize: 5,
    outputSize: 3,
    inputChunk: 3,
    outputChunk: 2,
    slots: 2,
    inputZeroPoint: 1,
    requantisation: tinyRange,
  },
  convolution: {
    kind: 'conv',
    window: { channels: 2, height: 4, width: 3, kernel: [2, 2], strides: [2, 1], dilations: [1, 2], pads: [1, 0, 0, 1] },
    outputChannels: 4,
    group: 2,
    inputPlanes: 1,
    outputPlanes: 3,
    slots: 2,
    inputZeroPoint: 1,
    requantisation: { ...tinyRange, zeroPoint: 5 },
  },
  averagePool: {
    kind: 'averagePool',
    window,
    planes: 2,
    slots: 2,
    inputZeroPoint: 2,
    multiplier: 5,
    bias: 9,
    requantisation: { ...tinyRange, zeroPoint: 6 },
  },
  maxPool: { kind: 'maxPool', window, planes: 2, slots: 2 },
  rescale: {
    kind: 'rescale',
    size: 5,
    chunk: 3,
    slots: 2,
    inputZeroPoint: 1,
    multiplier: 11,
    bias: 3,
    requantisation: { ...tinyRange, zeroPoint: 4 },
  },
  add: {
    kind: 'add',
    size: 5,
    chunk: 3,
    slots: 2,
    zeroPointA: 1,
    zeroPointB: -2,
    multiplierA: 9,
    multiplierB: 14,
    bias: -5,
    requantisation: { ...tinyRange, zeroPoint: 3 },
  },
  square: {
    kind: 'square',
    size: 5,
    chunk: 3,
    slots: 2,
    inputZeroPoint: -1,
    multiplier: 3,
    bias: 2,
    requantisation: { ...tinyRange, excessBits: 12 },
  },
  table: { kind: 'table', size: 5, chunk: 3, slots: 2, table: lookup },
  argmax: { kind: 'argmax', size: 5, chunk: 3, slots: 2 },
  matmul: {
    kind: 'matmul',
    rows: 2,
    heads: 1,
    inner: 3,
    outputs: 3,
    orderB: 'tokens',
    innerChunk: 2,
    outputChunk: 2,
    slots: 2,
    zeroPointA: 1,
    zeroPointB: -1,
    multiplier: 2,
    bias: 6,
    requantisation: tinyRange,
  },
  headProducts: {
    kind: 'matmul',
    rows: 2,
    heads: 2,
    inner: 2,
    outputs: 3,
    orderB: 'heads',
    innerChunk: 1,
    outputChunk: 4,
    slots: 3,
    zeroPointA: 1,
    zeroPointB: -1,
    multiplier: 2,
    bias: 6,
    requantisation: tinyRange,
  },
  denseTransposed: {
    kind: 'denseTransposed',
    rows: 3,
    inputSize: 5,
    outputSize: 2,
    inputChunk: 3,
    outputChunk: 2,
    slots: 2,
    inputZeroPoint: 1,
    requantisation: tinyRange,
  },
  softmax: { kind: 'softmax', rows: 2, heads: 1, size: 3, slots: 2, mask: 'causal', table: exponentials },
  layerNorm: { kind: 'layerNorm', rows: 2, size: 6, chunk: 3, slots: 2, gain: 9, epsilon: 2, zeroPoint: 1, low: -6, high: 9 },
}

/** Weights small enough for `tinyRange`. */
export function tinyWeights(spec: LayerSpec, seed: number): LayerWeights | undefined {
  if (!isDense(spec) && spec.kind !== 'conv') return undefined
  const drawn = randomWeights(spec, seeded(seed))
  return {
    weights: drawn.weights.map((w) => Math.round(w / 16)),
    multipliers: drawn.multipliers.map((_, k) => 1 + (k % 2)),
    biases: drawn.biases.map((_, k) => BigInt(40 - 37 * k)),
  }
}

/** Values between -2 and 5. */
export const tinyTensor = (n: number, seed: number): Int8Array => randomTensor(n, seeded(seed)).map((v) => (v & 7) - 2)

/** An honest instance of one of the small layers. */
export function smallInstance(engine: ProofEngine, spec: LayerSpec, seed = 5): Instance {
  const tensors = createRelation(spec).inputs.map(({ groups, length }, k) => tinyTensor(groups * length, seed + 10 * k))
  return honestInstance(engine, spec, tensors, tinyWeights(spec, seed + 1))
}
