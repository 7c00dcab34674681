// The networks that the benchmark proves, with random weights: proving time does not depend on their values.
import type { QuantisedBoundary, QuantisedLayer, QuantisedNetwork } from '../src/network/quantised-network.ts'
import { seeded } from '../test/support/layers.ts'

const next = seeded(2026)
const int8 = (n: number): Int8Array => Int8Array.from({ length: n }, () => Math.round((next() + next() + next() - 1.5) * 80))
const boundary = (...shape: number[]): QuantisedBoundary => ({ shape, zeroPoint: -128, lo: -128, hi: 127 })
// What our quantiser emits: the largest shift whose multipliers stay below 2^15, here for outputs of about unit variance.
const scales = (outputs: number, terms: number) => {
  const ratio = 1 / (25 * Math.sqrt(terms))
  const shift = Math.floor(Math.log2(2 ** 15 / ratio))
  const multiplier = Math.min(32_767, Math.floor(ratio * 2 ** shift))
  return {
    shift,
    multipliers: Int32Array.from({ length: outputs }, () => multiplier),
    biases: BigInt64Array.from({ length: outputs }, () => BigInt(multiplier * Math.round((next() - 0.5) * 2000))),
  }
}
const dense = (input: number, inputSize: number, outputSize: number, rows = 1): QuantisedLayer => ({
  kind: 'dense',
  input,
  rows,
  inputSize,
  outputSize,
  weights: int8(inputSize * outputSize),
  requantization: scales(outputSize, inputSize),
})

/** `sizes` dense layers in a row. */
export function denseChain(sizes: readonly number[], rows = 1): QuantisedNetwork {
  const layers = sizes.slice(1).map((size, k) => dense(k, sizes[k] ?? 1, size, rows))
  return {
    inputCount: 1,
    boundaries: sizes.map((size) => boundary(rows, size)),
    layers,
    outputs: [{ boundary: layers.length, answer: 'values' }],
  }
}

/** The convolutional network of DeepProve's and EZKL's published comparison: 3x32x32, conv 5x5 to 6 and 16, two pools, 400-120-84-10. */
export function cifarNetwork(): QuantisedNetwork {
  const window = { kernel: [5, 5], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }
  const half = { kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] }
  const conv = (input: number, channels: number, outputChannels: number): QuantisedLayer => ({
    kind: 'conv',
    input,
    window,
    group: 1,
    outputChannels,
    weights: int8(outputChannels * channels * 25),
    requantization: scales(outputChannels, channels * 25),
  })
  return {
    inputCount: 1,
    boundaries: [
      boundary(1, 3, 32, 32),
      boundary(1, 6, 28, 28),
      boundary(1, 6, 14, 14),
      boundary(1, 16, 10, 10),
      boundary(1, 16, 5, 5),
      boundary(1, 120),
      boundary(1, 84),
      boundary(1, 10),
    ],
    layers: [
      conv(0, 3, 6),
      { kind: 'maxPool', input: 1, window: half },
      conv(2, 6, 16),
      { kind: 'maxPool', input: 3, window: half },
      dense(4, 400, 120),
      dense(5, 120, 84),
      dense(6, 84, 10),
    ],
    outputs: [{ boundary: 7, answer: 'values' }],
  }
}

/** The matrix products of one GPT-2 block (768 wide): query-key-value, output projection and the two of the feed-forward part. */
export function gpt2Linear(tokens: number): readonly QuantisedNetwork[] {
  return [
    [768, 2304],
    [768, 768],
    [768, 3072],
    [3072, 768],
  ].map((sizes) => denseChain(sizes, tokens))
}
