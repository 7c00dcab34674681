// Specs at the limits, chosen to make a verifier work: proofs of the right length with points that decode. Whatever the spec, work and
// memory stay in proportion to the bytes that somebody had to send.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { concatBytes, type LayerSpec, type LayerStatement, type LayerWindow, toHex } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { generator } from '../src/reference/arithmetic.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { chunkCount } from '../src/relation/index-space.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { context, denseSpec, requantisation } from './support/layers.ts'

const wide = requantisation({ shift: 20, excessBits: 30 })
const window = (channels: number, size: readonly [number, number], kernel: readonly number[], strides = [1, 1]): LayerWindow => ({
  channels,
  height: size[0],
  width: size[1],
  kernel,
  strides,
  dilations: [1, 1],
  pads: [0, 0, 0, 0],
})
const flat = { inputZeroPoint: 0, multiplier: 1, bias: 0, requantisation: wide }
const table = Array.from({ length: 256 }, (_, k) => k - 128)
const convolution = { kind: 'conv', group: 1, inputZeroPoint: 0, requantisation: wide } as const
const specs: Readonly<Record<string, LayerSpec>> = {
  'longest chunks': denseSpec({ inputSize: 8191 * 7, outputSize: 64, inputChunk: 8191, outputChunk: 64, slots: 64 }),
  'most chunks': denseSpec({ inputSize: 64 * 1900, outputSize: 64, inputChunk: 1900, outputChunk: 64, slots: 64 }),
  'most tokens': denseSpec({ rows: 4096, inputSize: 2, outputSize: 64, inputChunk: 2, outputChunk: 64, slots: 64 }),
  'just above powers of two': denseSpec({ rows: 1025, inputSize: 1, outputSize: 3, inputChunk: 1, outputChunk: 3, slots: 3 }),
  'most taps': { ...convolution, window: window(2, [64, 64], [63, 63]), outputChannels: 64, inputPlanes: 2, outputPlanes: 1, slots: 2 },
  'most channels': {
    ...convolution,
    window: window(4096, [1, 2], [1, 1]),
    outputChannels: 4096,
    inputPlanes: 4096,
    outputPlanes: 4096,
    slots: 2,
  },
  'maximum of 25': { kind: 'maxPool', window: window(2, [64, 64], [5, 5], [4, 4]), planes: 2, slots: 15 },
  'one window of everything': { kind: 'averagePool', window: window(2, [64, 64], [64, 64]), planes: 2, slots: 1, ...flat },
  'a million outputs': { kind: 'table', size: 2 ** 20, chunk: 8192, slots: 64, table },
  'odd blocks': { kind: 'rescale', size: 33 * 8191, chunk: 8191, slots: 63, ...flat },
  softmax: { kind: 'softmax', rows: 8, heads: 8, size: 2048, slots: 50, mask: 'causal', table: new Array<number>(256).fill(4095) },
  'layer normalisation': {
    kind: 'layerNorm',
    rows: 16,
    size: 8192,
    chunk: 8192,
    slots: 64,
    gain: 1024,
    epsilon: 2 ** 40,
    zeroPoint: 0,
    low: -128,
    high: 127,
  },
}

describe('attacks on limits', async () => {
  const engine = await createProofEngine()
  const some = Array.from({ length: 16 }, (_, k) => generator(`G/${k}`).toBytes(true))
  const points = (n: number): Uint8Array => {
    const out = new Uint8Array(33 * n)
    for (let k = 0; k < n; k++) out.set(some[k % 16] ?? new Uint8Array(33), 33 * k)
    return out
  }

  for (const [name, spec] of Object.entries(specs)) {
    it(`${name}: refused with work and memory in proportion to the bytes`, () => {
      const relation = createRelation(spec)
      const layout = proofLayout(relation)
      const statement: LayerStatement = {
        spec,
        weights: relation.weightRows > 0 ? toHex(points(relation.weightRows)) : null,
        inputs: relation.inputs.map((input) => toHex(points(chunkCount(input)))),
        output: toHex(points(chunkCount(relation.output))),
        context: context(),
      }
      const scalars = Uint8Array.from({ length: 32 * layout.scalars }, (_, k) => (k % 32 === 0 ? 0 : (k * 7) & 255))
      const proof = concatBytes(points(layout.points), scalars)
      const before = process.cpuUsage()
      assert.deepEqual(verifyLayer(statement, proof, { engine }), { ok: false, failedCheck: 'equation' })
      const { user, system } = process.cpuUsage(before)
      const kibibytes = (proof.length + 33 * (relation.weightRows + chunkCount(relation.output))) / 1024
      // 1 to 3 ms where it was measured
      assert.ok((user + system) / 1000 / kibibytes < 30, `${(user + system) / 1000} ms for ${kibibytes} KiB`)
      assert.ok(engine.memoryBytes < 64 * 2 ** 20)
    })
  }
})
