import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { buildLayer, convolutionSpec, denseSpec, random, requantisation } from './support/layers.ts'

const window = (channels: number, height: number, width: number, kernel: [number, number], stride: number, pad: number) => ({
  channels,
  height,
  width,
  kernel,
  strides: [stride, stride],
  dilations: [1, 1],
  pads: [pad, pad, pad, pad],
})

// an int8 GELU at scale 1/16
const gelu = Array.from({ length: 256 }, (_, k) => {
  const x = (k - 128) / 16
  return Math.max(-128, Math.min(127, Math.round((16 * x) / (1 + Math.exp(-1.702 * x))))) + 0
})

const exponentials = Array.from({ length: 256 }, (_, d) => Math.round(4095 * Math.exp(-d / 16)))

const specs: readonly (readonly [string, LayerSpec])[] = [
  ['dense, one chunk', denseSpec({ inputChunk: 12 })],
  ['dense, two chunks, sizes not powers of two', denseSpec({ inputSize: 13, outputSize: 11, inputChunk: 8, outputChunk: 5, slots: 3 })],
  ['dense, three tokens', denseSpec({ rows: 3, inputSize: 9, outputSize: 7, inputChunk: 4, outputChunk: 3, slots: 2 })],
  ['dense, one output', denseSpec({ outputSize: 1, outputChunk: 1, slots: 1 })],
  ['dense, no activation', denseSpec({ requantisation: requantisation({ zeroPoint: 5 }) })],
  ['dense, symmetric ReLU', denseSpec({ inputZeroPoint: 0, requantisation: requantisation({ zeroPoint: 0, low: 0 }) })],
  ['dense, odd range', denseSpec({ requantisation: requantisation({ zeroPoint: -20, low: -100, high: 100 }) })],
  ['dense, 64 x 64', denseSpec({ inputSize: 64, outputSize: 64, inputChunk: 64, outputChunk: 64, slots: 2 })],
  ['convolution', convolutionSpec()],
  [
    'convolution, stride 2, two planes per chunk',
    convolutionSpec({ window: window(3, 7, 8, [3, 2], 2, 1), inputPlanes: 2, outputChannels: 5, inputZeroPoint: 3 }),
  ],
  [
    'convolution, dilated, unequal pads',
    convolutionSpec({ window: { ...window(2, 8, 7, [3, 3], 1, 0), dilations: [2, 1], pads: [2, 0, 1, 1] } }),
  ],
  ['depthwise convolution', convolutionSpec({ window: window(4, 5, 5, [3, 3], 1, 1), group: 4, outputChannels: 4 })],
  ['grouped convolution', convolutionSpec({ window: window(4, 5, 5, [3, 3], 1, 1), group: 2, outputChannels: 6, outputPlanes: 4 })],
  [
    'average pool',
    {
      kind: 'averagePool',
      window: window(3, 6, 6, [2, 2], 2, 0),
      planes: 2,
      slots: 2,
      inputZeroPoint: -128,
      multiplier: 4096,
      bias: 512,
      requantisation: requantisation({ shift: 14, excessBits: 10 }),
    },
  ],
  [
    'average pool with padding',
    {
      kind: 'averagePool',
      window: window(3, 5, 5, [3, 3], 2, 1),
      planes: 1,
      slots: 3,
      inputZeroPoint: 7,
      multiplier: 3000,
      bias: -40,
      requantisation: requantisation({ shift: 14, zeroPoint: 1, excessBits: 10 }),
    },
  ],
  ['max pool', { kind: 'maxPool', window: window(3, 6, 6, [2, 2], 2, 0), planes: 2, slots: 3 }],
  ['max pool with padding', { kind: 'maxPool', window: window(2, 5, 5, [3, 3], 2, 1), planes: 1, slots: 1 }],
  [
    'rescale',
    {
      kind: 'rescale',
      size: 19,
      chunk: 8,
      slots: 3,
      inputZeroPoint: 4,
      multiplier: 20_000,
      bias: 77,
      requantisation: requantisation({ shift: 15, zeroPoint: -3, excessBits: 10 }),
    },
  ],
  [
    'square',
    {
      kind: 'square',
      size: 10,
      chunk: 6,
      slots: 2,
      inputZeroPoint: -5,
      multiplier: 20_000,
      bias: 0,
      requantisation: requantisation({ shift: 21, zeroPoint: -128, excessBits: 12 }),
    },
  ],
  [
    'residual add',
    {
      kind: 'add',
      size: 21,
      chunk: 8,
      slots: 4,
      zeroPointA: -128,
      zeroPointB: 3,
      multiplierA: 16_384,
      multiplierB: 9000,
      bias: 0,
      requantisation: requantisation({ shift: 15, zeroPoint: -100, excessBits: 10 }),
    },
  ],
  ['table', { kind: 'table', size: 13, chunk: 8, slots: 2, table: gelu }],
  [
    'product of two activations',
    {
      kind: 'matmul',
      rows: 3,
      heads: 1,
      inner: 7,
      outputs: 5,
      orderB: 'tokens',
      innerChunk: 4,
      outputChunk: 3,
      slots: 2,
      zeroPointA: -5,
      zeroPointB: 9,
      multiplier: 12_000,
      bias: 99,
      requantisation: requantisation({ shift: 22, zeroPoint: 2, excessBits: 16 }),
    },
  ],
  [
    'products per head, tokens first',
    {
      kind: 'matmul',
      rows: 2,
      heads: 3,
      inner: 4,
      outputs: 5,
      orderB: 'tokens',
      innerChunk: 2,
      outputChunk: 5,
      slots: 2,
      zeroPointA: -5,
      zeroPointB: 9,
      multiplier: 12_000,
      bias: 99,
      requantisation: requantisation({ shift: 22, zeroPoint: 2, excessBits: 16 }),
    },
  ],
  [
    'products per head, heads first, chunks across heads',
    {
      kind: 'matmul',
      rows: 2,
      heads: 2,
      inner: 3,
      outputs: 4,
      orderB: 'heads',
      innerChunk: 3,
      outputChunk: 5,
      slots: 2,
      zeroPointA: -128,
      zeroPointB: 1,
      multiplier: 12_000,
      bias: 0,
      requantisation: requantisation({ shift: 22, zeroPoint: 2, excessBits: 16 }),
    },
  ],
  [
    'dense, transposed',
    denseSpec({ kind: 'denseTransposed', rows: 5, inputSize: 9, outputSize: 3, inputChunk: 4, outputChunk: 3, slots: 2 }),
  ],
  ['softmax', { kind: 'softmax', rows: 2, heads: 2, size: 5, slots: 2, mask: 'none', table: exponentials }],
  ['softmax, causal', { kind: 'softmax', rows: 3, heads: 2, size: 4, slots: 1, mask: 'causal', table: exponentials }],
  ['softmax of one value', { kind: 'softmax', rows: 1, heads: 3, size: 1, slots: 1, mask: 'causal', table: exponentials }],
  [
    'layer normalisation',
    { kind: 'layerNorm', rows: 2, size: 6, chunk: 6, slots: 2, gain: 40, epsilon: 1, zeroPoint: 3, low: -100, high: 100 },
  ],
  [
    'layer normalisation, two chunks, clamped',
    { kind: 'layerNorm', rows: 2, size: 40, chunk: 20, slots: 4, gain: 90, epsilon: 500, zeroPoint: 0, low: -128, high: 127 },
  ],
  ['argmax', { kind: 'argmax', size: 10, chunk: 10, slots: 2 }],
  ['argmax, two chunks', { kind: 'argmax', size: 11, chunk: 4, slots: 3 }],
]

const quick = new Set([
  'dense, no activation',
  'dense, symmetric ReLU',
  'dense, 64 x 64',
  'dense, one chunk',
  'convolution',
  'depthwise convolution',
  'average pool',
])

describe('layer proofs', async () => {
  const engine = await createProofEngine()
  for (const [name, spec] of specs) {
    it(`${name}: an honest proof verifies, another request's does not`, async () => {
      const { statement, witness } = await buildLayer(engine, spec, { seed: 5 })
      const proof = await proveLayer(statement, witness, { engine, random })
      assert.deepEqual(verifyLayer(statement, proof, { engine }), { ok: true })
      // once per shape of the argument: the slow verifier takes a second where the fast one takes milliseconds
      if (!quick.has(name)) assert.deepEqual(verifyLayerSlowly(statement, proof), { ok: true })
      const other = { ...statement, context: { ...statement.context, layerIndex: 1 } }
      assert.deepEqual(verifyLayer(other, proof, { engine }), { ok: false, failedCheck: 'equation' })
    })
  }
})
