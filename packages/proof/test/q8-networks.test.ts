// Random networks of the q8 grammar: the layers that are proved are the layers that the reference interpreter runs, bit for bit.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Q8Boundary, Q8Layer, Q8Model } from '../../model/src/q8/q8-model.ts'
import { runQ8 } from '../../model/src/q8/run-q8.ts'
import { createProofEngine } from '../src/engine.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import { networkDigest } from '../src/network/network.ts'
import { parseProvableNetwork } from '../src/network/register-network.ts'
import { verifyNetwork } from '../src/network/verify-network.ts'
import { random, seeded } from './support/layers.ts'
import { proveInference, registerNetwork, requestContext, runNetwork } from './support/prove-network.ts'
import { proveNetwork } from '../src/network/prove-network.ts'

function randomModel(seed: number): Q8Model {
  const next = seeded(seed)
  const pick = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  const boundaries: Q8Boundary[] = []
  const layers: Q8Layer[] = []
  const boundary = (shape: readonly number[]): number => {
    const relu = next() < 0.5
    const zeroPoint = relu ? -128 : pick(-20, 20)
    return boundaries.push({ shape, scale: 1, zeroPoint, lo: -128, hi: next() < 0.3 ? 100 : 127 }) - 1
  }
  const scales = (outputs: number, terms: number) => ({
    shift: 20,
    multipliers: Int32Array.from({ length: outputs }, () => pick(1, Math.floor(32_767 / Math.sqrt(terms)))),
    biases: BigInt64Array.from({ length: outputs }, () => BigInt(pick(-(2 ** 24), 2 ** 24))),
  })
  const int8 = (n: number): Int8Array => Int8Array.from({ length: n }, () => pick(-128, 127))
  const [channels, side] = [pick(1, 2), pick(4, 6)]
  const input = boundary([1, channels, side, side])
  const outputChannels = pick(2, 4)
  const pad = pick(0, 1)
  const out = side + 2 * pad - 2
  const convolved = boundary([1, outputChannels, out, out])
  const window = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [pad, pad, pad, pad] }
  layers.push({
    kind: 'conv',
    input,
    window,
    group: 1,
    outputChannels,
    weights: int8(outputChannels * channels * 9),
    requantization: scales(outputChannels, channels * 9),
  })
  const half = Math.floor(out / 2)
  const small = { kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] }
  let last = convolved
  if (next() < 0.5) {
    const before = boundaries[convolved] as Q8Boundary
    boundaries.push({ ...before, shape: [1, outputChannels, half, half] })
    layers.push({ kind: 'maxPool', input: convolved, window: small })
    last = boundaries.length - 1
  } else {
    last = boundary([1, outputChannels, half, half])
    layers.push({
      kind: 'averagePool',
      input: convolved,
      window: small,
      requantization: { shift: 14, multipliers: Int32Array.of(pick(3000, 5000)), biases: BigInt64Array.of(512n) },
    })
  }
  const flat = outputChannels * half * half
  const size = pick(3, 11)
  const hidden = boundary([1, size])
  layers.push({
    kind: 'dense',
    input: last,
    rows: 1,
    inputSize: flat,
    outputSize: size,
    weights: int8(size * flat),
    requantization: scales(size, flat),
  })
  const squared = boundary([1, size])
  layers.push({
    kind: next() < 0.5 ? 'square' : 'rescale',
    input: hidden,
    requantization: { shift: 16, multipliers: Int32Array.of(pick(500, 20_000)), biases: BigInt64Array.of(BigInt(pick(-9000, 9000))) },
  })
  const summed = boundary([1, size])
  layers.push({
    kind: 'add',
    inputs: [hidden, squared],
    multipliers: [pick(5000, 30_000), pick(5000, 30_000)],
    bias: BigInt(pick(-900, 900)),
    shift: 15,
  })
  return {
    inputCount: 1,
    boundaries,
    layers,
    outputs: [
      { boundary: summed, answer: 'argmax' },
      { boundary: hidden, answer: 'values' },
    ],
  }
}

describe('random q8 networks', async () => {
  const engine = await createProofEngine()
  for (let seed = 1; seed <= 8; seed++) {
    it(`network ${seed} is proved with the interpreter's bits`, async () => {
      const model = randomModel(seed)
      const next = seeded(seed + 100)
      const input = Int8Array.from({ length: model.boundaries[0]?.shape.reduce((a, b) => a * b, 1) ?? 0 }, () => {
        const { hi = 127 } = model.boundaries[0] ?? {}
        return Math.min(hi, Math.floor(next() * 256) - 128)
      })
      const described = describeNetwork(model)
      const tensors = runNetwork(engine, described, [input])
      const expected = runQ8(model, [input])
      expected.activations.forEach((values, k) => {
        assert.deepEqual(tensors[k], Int8Array.from(values), `boundary a${k}`)
      })
      const registered = await registerNetwork(engine, described)
      const { proof, options } = await proveInference(engine, registered, tensors)
      const published = parseProvableNetwork(JSON.parse(JSON.stringify(registered.network)))
      assert.equal(networkDigest(published), networkDigest(registered.network))
      assert.deepEqual(verifyNetwork(published, proof, options), { ok: true })
    })
  }

  it('a network whose published form was changed is refused or has another digest', async () => {
    const described = describeNetwork(randomModel(1))
    const { network } = await registerNetwork(engine, described)
    const text = JSON.stringify(network)
    const changed = (from: string | RegExp, to: string): unknown => JSON.parse(text.replace(from, to))
    const digest = networkDigest(network)
    for (const value of [
      changed('"inputCount":1', '"inputCount":2'),
      changed(/"points":"0x0[23]/, '"points":"0x'),
      changed('"kind":"conv"', '"kind":"convolution"'),
      {},
      null,
      7,
    ])
      assert.throws(() => parseProvableNetwork(value), { code: /^(protocol\.malformed|proof\.unsupported-layer)$/ })
    const other = parseProvableNetwork(changed(/"digest":"0x../, '"digest":"0x00'))
    assert.notEqual(networkDigest(other), digest)
  })

  it('stops between layers, and reports its progress', async () => {
    const described = describeNetwork(randomModel(2))
    const registered = await registerNetwork(engine, described)
    const side = randomModel(2).boundaries[0]?.shape.reduce((a, b) => a * b, 1) ?? 0
    const tensors = runNetwork(engine, described, [new Int8Array(side)])
    const controller = new AbortController()
    const seen: number[] = []
    const onProgress = (done: number): void => {
      seen.push(done)
      if (done === 2) controller.abort(new Error('enough'))
    }
    const options = { engine, random, context: requestContext(), signal: controller.signal, onProgress }
    await assert.rejects(proveNetwork(registered, tensors, options), /enough/)
    assert.deepEqual(seen, [1, 2])
    const lie = tensors.map((tensor, k) => (k === 2 ? tensor.map((value) => value ^ 1) : tensor))
    await assert.rejects(proveNetwork(registered, lie, { engine, random, context: requestContext() }), { code: 'proof.witness-mismatch' })
  })
})
