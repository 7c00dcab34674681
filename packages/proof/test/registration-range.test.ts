// The range argument of a registration: honest owners of every kind, a few who lie, and proofs that were touched. Lies about every bound
// and column are in registration-range.full.test.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { commitActivation } from '../src/commit/activation.ts'
import { commitWeights, type LayerWeights } from '../src/commit/weights.ts'
import { createProofEngine } from '../src/engine.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { ORDER, scalarBytes } from '../src/kernels/field.ts'
import { verifyRegistrationSlowly } from '../src/reference/registration-range.ts'
import { describedBounds, isAlwaysProvable, planRange } from '../src/registration-range/plan.ts'
import { proveRegistration } from '../src/registration-range/prove-registration.ts'
import { verifyRegistration } from '../src/registration-range/verify-registration.ts'
import { Transcript } from '../src/transcript.ts'
import { buildLayer, convolutionSpec, denseSpec, random, randomWeights, requantisation, seeded } from './support/layers.ts'
import { honestOwner, lieAbout, type OwnerLie } from './support/lying-owner.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const window = { channels: 4, height: 3, width: 3, kernel: [2, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }
const dense = denseSpec({ inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small })
const grouped = convolutionSpec({ window, group: 2, outputChannels: 4, outputPlanes: 2 })
const specs: Readonly<Record<string, LayerSpec>> = {
  dense,
  'transposed dense': {
    ...denseSpec({ rows: 2, inputSize: 4, outputSize: 3, inputChunk: 4, outputChunk: 2, slots: 2 }),
    kind: 'denseTransposed',
  },
  convolution: convolutionSpec({ requantisation: small }),
  'grouped convolution': grouped,
}
const bounds = { multiplierBits: 15, biasBits: 26 }

describe('range argument of a registration', async () => {
  const engine = await createProofEngine()
  const register = async (spec: LayerSpec, values: LayerWeights = randomWeights(spec, seeded(1))) =>
    await commitWeights(spec, values, { engine, layerIndex: 3, seed: random(32) })
  const options = { engine, layerIndex: 3, bounds }

  for (const [name, spec] of Object.entries(specs)) {
    it(`${name}: an honest registration is accepted`, async () => {
      const weights = await register(spec)
      const proof = await proveRegistration(weights, { engine, random, bounds })
      assert.equal(proof.length, planRange(spec, bounds).proofBytes)
      assert.deepEqual(verifyRegistration(weights.registration, proof, options), { ok: true })
      if (!name.includes(' ') || name.startsWith('grouped'))
        assert.equal(verifyRegistrationSlowly(weights.registration, proof, options), true)
    })
  }

  it('numbers at the edges of their bounds are accepted, numbers beyond are not proved', async () => {
    const spec = denseSpec({ inputSize: 2, outputSize: 3, inputChunk: 2, outputChunk: 3, slots: 1 })
    const values = { weights: Int8Array.of(-128, 127, 0, 1, -1, 5), multipliers: [0, 255, 256], biases: [-(2n ** 26n), 2n ** 26n - 1n, 0n] }
    for (const multiplierBits of [9, 16, 31]) {
      const place = { ...options, bounds: { multiplierBits, biasBits: 26 } }
      const weights = await register(spec, values)
      const proof = await proveRegistration(weights, { engine, random, bounds: place.bounds })
      assert.deepEqual(verifyRegistration(weights.registration, proof, place), { ok: true })
      // the same bytes do not show tighter or wider bounds
      for (const other of [
        { multiplierBits: multiplierBits - 1, biasBits: 26 },
        { multiplierBits, biasBits: 27 },
      ])
        assert.equal(verifyRegistration(weights.registration, proof, { ...place, bounds: other }).ok, false)
    }
    const weights = await register(spec, values)
    for (const narrow of [
      { multiplierBits: 8, biasBits: 26 },
      { multiplierBits: 9, biasBits: 25 },
    ])
      await assert.rejects(proveRegistration(weights, { engine, random, bounds: narrow }), { code: 'proof.witness-mismatch' })
    for (const wrong of [
      { multiplierBits: 0, biasBits: 26 },
      { multiplierBits: 32, biasBits: 26 },
      { multiplierBits: 9, biasBits: 63 },
      { multiplierBits: 9.5, biasBits: 2 },
    ])
      assert.throws(() => planRange(spec, wrong), { code: 'proof.unsupported-layer' })
    assert.throws(() => planRange({ kind: 'argmax', size: 3, chunk: 3, slots: 1 }, bounds), { code: 'proof.unsupported-layer' })
  })

  const honest = (): OwnerLie => honestOwner(dense)
  const set = (list: { vector: bigint[] }[] | bigint[][], row: number, column: number, value: bigint): void => {
    const entry = list[row]
    const vector = Array.isArray(entry) ? entry : entry?.vector
    assert.ok(vector !== undefined)
    vector[column] = value
  }
  const verdict = (lie: OwnerLie): string => {
    const { registration, proof } = lieAbout(lie, 3)
    const fast = verifyRegistration(registration, proof, { engine, layerIndex: 3, bounds: lie.bounds })
    return fast.ok ? 'ok' : fast.failedCheck
  }

  it('a weight that is no int8, a multiplier beyond its bits, a weight that no row says', () => {
    const weight = honest()
    set(weight.rows, 0, 0, 128n)
    set(weight.registered, 0, 0, 3n * 128n)
    assert.equal(verdict(weight), 'range')
    const multiplier = honest()
    multiplier.multipliers[2] = 8n
    ;[32n, 40n, 48n].forEach((w, k) => {
      set(multiplier.registered, 2, k, w)
    })
    multiplier.bytes = (name, bytes) => (name === 'multipliers' ? bytes.map((b, o) => (o === 2 ? 8n - 128n : b)) : bytes)
    assert.equal(verdict(multiplier), 'range')
    const registered = honest()
    set(registered.registered, 0, 0, 4n)
    assert.equal(verdict(registered), 'link')
  })

  it('touched, cut, transplanted, taken to another place or registration', async () => {
    const weights = await register(dense)
    const proof = await proveRegistration(weights, { engine, random, bounds })
    const { registration } = weights
    const ok = (bytes: Uint8Array, change: Partial<typeof options> = {}): boolean =>
      verifyRegistration(registration, bytes, { ...options, ...change }).ok
    assert.ok(ok(proof))
    for (let at = 0; at < proof.length; at += 331)
      assert.equal(ok(proof.map((byte, k) => (k === at ? byte ^ (1 << (at % 8)) : byte))), false, `byte ${at}`)
    for (const bytes of [
      proof.subarray(1),
      proof.subarray(0, -1),
      new Uint8Array(proof.length),
      new Uint8Array(0),
      Uint8Array.from([...proof, 0]),
    ])
      assert.equal(ok(bytes), false)
    assert.equal(ok(proof, { layerIndex: 4 }), false)
    const other = await register(dense, randomWeights(dense, seeded(2)))
    assert.equal(verifyRegistration(other.registration, proof, options).ok, false)
    assert.equal(verifyRegistration({ ...registration, points: other.registration.points }, proof, options).ok, false)
    assert.equal(verifyRegistration({ ...registration, points: null }, proof, options).ok, false)
    // parts of another argument about the same weights
    const again = await proveRegistration(weights, { engine, random, bounds })
    const plan = planRange(dense, bounds)
    const last = proof.slice()
    last.set(again.subarray(-2000), proof.length - 2000)
    assert.equal(ok(last), false)
    // a response that is not canonical
    const responses = proof.length - again.length + plan.proofBytes
    assert.equal(responses, plan.proofBytes)
    const points = plan.parts.reduce((sum, { layout }) => sum + layout.length / layout.chunk, 0) + plan.announcements
    const high = proof.slice()
    high.set(scalarBytes(ORDER), 33 * points)
    assert.deepEqual(verifyRegistration(registration, high, options), { ok: false, failedCheck: 'scalar' })
  })

  it('every absorbed message matters', async () => {
    const weights = await register(grouped)
    const proof = await proveRegistration(weights, { engine, random, bounds })
    const { absorb, absorbWord } = Transcript.prototype
    const tags = ['layer', 'bounds', 'part', 'shifted', 'epsilon', 'announcements', 'c', 'index', 'spec', 'points', 'responses', 'gamma']
    for (const dropped of tags) {
      let used = 0
      const skip = (tag: string): boolean => {
        if (tag === dropped) used++
        return tag === dropped
      }
      Transcript.prototype.absorb = function (tag, data) {
        if (!skip(tag)) absorb.call(this, tag, data)
      }
      Transcript.prototype.absorbWord = function (tag, word) {
        if (!skip(tag)) absorbWord.call(this, tag, word)
      }
      try {
        const { ok } = verifyRegistration(weights.registration, proof, options)
        assert.ok(used > 0, `${dropped} is absorbed`)
        // gamma and the responses only choose how equations are added up
        assert.equal(ok, dropped === 'gamma' || dropped === 'responses', dropped)
      } finally {
        Transcript.prototype.absorb = absorb
        Transcript.prototype.absorbWord = absorbWord
      }
    }
  })

  it('two arguments about the same weights share no point and no response', async () => {
    const weights = await register(dense)
    const [a, b] = [
      await proveRegistration(weights, { engine, random, bounds }),
      await proveRegistration(weights, { engine, random, bounds }),
    ]
    const plan = planRange(dense, bounds)
    const points = plan.parts.reduce((sum, { layout }) => sum + layout.length / layout.chunk, 0) + plan.announcements
    const pieces = (bytes: Uint8Array): string[] => [
      ...Array.from({ length: points }, (_, k) => Buffer.from(bytes.subarray(33 * k, 33 * k + 33)).toString('hex')),
      ...Array.from({ length: plan.responses }, (_, k) =>
        Buffer.from(bytes.subarray(33 * points + 32 * k, 33 * points + 32 * k + 32)).toString('hex'),
      ),
    ]
    assert.equal(new Set([...pieces(a), ...pieces(b)]).size, 2 * (points + plan.responses))
  })

  it('layers as they are described can be proved for every int8 input, once their range is shown', async () => {
    const [scale, terms] = [{ multipliers: [9000, 12_000], biases: [-70_000n, 9n], shift: 16 }, 6]
    const { layers } = describeNetwork({
      inputCount: 1,
      boundaries: [
        { shape: [1, terms], zeroPoint: -7, lo: -128, hi: 127 },
        { shape: [1, 2], zeroPoint: 3, lo: -128, hi: 127 },
      ],
      layers: [
        {
          kind: 'dense',
          input: 0,
          rows: 1,
          inputSize: terms,
          outputSize: 2,
          weights: Int8Array.from({ length: 2 * terms }, (_, k) => (k % 2 === 0 ? -128 : 127)),
          requantization: scale,
        },
      ],
      outputs: [{ boundary: 1, answer: 'values' }],
    })
    const [layer] = layers
    assert.ok(layer?.weights !== undefined)
    const described = describedBounds(layer.spec)
    assert.equal(isAlwaysProvable(layer.spec, described), true)
    const weights = await register(layer.spec, layer.weights)
    const proof = await proveRegistration(weights, { engine, random, bounds: described })
    assert.deepEqual(verifyRegistration(weights.registration, proof, { ...options, bounds: described }), { ok: true })
    for (const extreme of [-128, 127]) {
      const built = await buildLayer(engine, layer.spec, {
        weights: layer.weights,
        inputs: [
          await commitActivation(
            Int8Array.from({ length: terms }, (_, k) => (k % 2 === 0 ? extreme : -1 - extreme)),
            { groups: 1, length: terms, chunk: terms },
            { engine, random },
          ),
        ],
      })
      assert.ok((await proveLayer(built.statement, built.witness, { engine, random })).length > 0)
    }
  })

  it('says when every int8 input can be proved', () => {
    assert.equal(isAlwaysProvable({ ...dense, requantisation: { ...small, excessBits: 29 } }, bounds), true)
    assert.equal(isAlwaysProvable(dense, bounds), false)
    assert.equal(isAlwaysProvable({ kind: 'argmax', size: 3, chunk: 3, slots: 1 }, bounds), false)
  })
})
