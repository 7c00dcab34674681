import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import {
  argmaxRows,
  assertQ8,
  encodeQ8,
  exponentialTable,
  layerNormEpsilon,
  mulberry32,
  parseQ8,
  type Q8Dense,
  type Q8Model,
  q8Commitment,
  quantizeInput,
  runQ8,
} from '../src/index.ts'
import { requantize } from '../src/q8/requantize.ts'
import { layerNorm, softmax } from '../src/q8/rows.ts'
import { exactAverage, multipliersFor } from '../src/q8/scales.ts'
import { layerKinds, randomLayerSample } from './q8-samples.ts'
import { slowRun } from './slow-q8.ts'

const plain = { shape: [1, 1], scale: 1, zeroPoint: 0, lo: -128, hi: 127 }

function denseModel(layer: Partial<Q8Dense>, input = plain, output = plain): Q8Model {
  const base = {
    rows: 1,
    inputSize: 1,
    outputSize: 1,
    weights: Int8Array.of(1),
    requantization: { multipliers: Int32Array.of(1), biases: BigInt64Array.of(0n), shift: 1 },
  }
  return {
    inputCount: 1,
    boundaries: [input, output],
    layers: [{ kind: 'dense', input: 0, ...base, ...layer }],
    outputs: [{ boundary: 1, answer: 'values' }],
  }
}

describe('the q8 interpreter', () => {
  it('gives the answers of the examples in the specification', () => {
    const by = (m: number, b: bigint, shift: number) => ({ multipliers: Int32Array.of(m), biases: BigInt64Array.of(b), shift })
    assert.equal(requantize(414, 0, by(16384, 114688n, 20), { ...plain, zeroPoint: -128 }), -121)
    assert.equal(requantize(3, 0, by(1, 0n, 1), plain), 2)
    assert.equal(requantize(-3, 0, by(1, 0n, 1), plain), -1)
    assert.equal(requantize(-5, 0, by(1, 0n, 1), plain), -2)
    assert.equal(requantize(2, 0, by(4096, 512n, 14), plain), 1)
    assert.equal(requantize(-2, 0, by(4096, 512n, 14), plain), 0)
  })

  for (const kind of layerKinds)
    it(`equals a separate BigInt implementation on ${kind} layers at the edges of the ranges`, () => {
      let accepted = 0
      for (let seed = 1; seed <= 60; seed++) {
        const { model, inputs } = randomLayerSample(kind, seed)
        assertQ8(model)
        accepted++
        const { activations } = runQ8(model, inputs)
        assert.deepEqual(
          activations.map((activation) => [...activation]),
          slowRun(
            model,
            inputs.map((input) => [...input]),
          ),
          `seed ${seed}`,
        )
      }
      assert.equal(accepted, 60)
    })

  it('gives the row examples of the specification', () => {
    const table = new Uint16Array(256)
    table.set([4095, 3000, 2000])
    const row = (size: number) => ({ rows: 1, heads: 1, size, input: 0, mask: 'none' as const, table })
    assert.deepEqual([...softmax({ kind: 'softmax', ...row(3) }, Int8Array.of(3, 1, 3))], [-26, -78, -26])
    const norm = { kind: 'layerNorm' as const, input: 0, rows: 1, size: 2, gain: 16, epsilon: 1 }
    assert.deepEqual([...layerNorm(norm, Int8Array.of(1, 3), plain)], [-16, 16])
  })

  it('computes softmax within 1.2 steps of 1/255, and layer normalisation within 0.6 of a step', () => {
    const next = mulberry32(7)
    for (let round = 0; round < 200; round++) {
      const scale = 0.02 + next() / 4
      const size = 1 + Math.floor(next() * 64)
      const x = Int8Array.from({ length: size }, () => Math.floor(next() * 256) - 128)
      const table = exponentialTable(scale)
      const y = softmax({ kind: 'softmax', input: 0, rows: 1, heads: 1, size, mask: 'none', table }, x)
      const top = Math.max(...x)
      const real = Array.from(x, (value) => Math.exp(scale * (value - top)))
      const total = real.reduce((a, b) => a + b, 0)
      for (const [s, value] of real.entries()) assert.ok(Math.abs((y[s] ?? 0) + 128 - (255 * value) / total) < 1.2)
      if (size < 2) continue
      const gain = 1 + Math.floor(next() * 16)
      const epsilon = layerNormEpsilon(1e-5, scale, size)
      const wide = { ...plain, lo: -128, hi: 127 }
      const n = layerNorm({ kind: 'layerNorm', input: 0, rows: 1, size, gain, epsilon }, x, wide)
      const mean = x.reduce((a, b) => a + b, 0) / size
      const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size
      for (const [j, value] of x.entries()) {
        const exact = (gain * (value - mean) * scale) / Math.sqrt(variance * scale * scale + 1e-5)
        if (Math.abs(exact) < 127) assert.ok(Math.abs((n[j] ?? 0) - exact) < 0.6, `${n[j]} for ${exact}`)
      }
    }
  })

  it('refuses rows that break their bounds', () => {
    const boundaries = [
      { ...plain, shape: [2, 3] },
      { ...plain, shape: [2, 3], zeroPoint: -128 },
    ]
    const model = (layer: Q8Model['layers'][number], output = boundaries[1] ?? plain): Q8Model => ({
      inputCount: 1,
      boundaries: [boundaries[0] ?? plain, output],
      layers: [layer],
      outputs: [{ boundary: 1, answer: 'values' }],
    })
    const table = exponentialTable(0.1)
    const good = { kind: 'softmax' as const, input: 0, rows: 2, heads: 1, size: 3, mask: 'causal' as const, table }
    assertQ8(model(good))
    const refused = (layer: Q8Model['layers'][number], output?: typeof plain): void => {
      assert.throws(() => assertQ8(model(layer, output)), { code: 'model.malformed-q8' })
    }
    refused({ ...good, rows: 3, size: 2 })
    refused({ ...good, size: 4 })
    refused({ ...good, table: new Uint16Array(256) })
    refused({ ...good, table: table.map((value) => value + 1) })
    refused(good, { ...plain, shape: [2, 3] })
    const norm = { kind: 'layerNorm' as const, input: 0, rows: 2, size: 3, gain: 16, epsilon: 1 }
    assertQ8(model(norm))
    for (const change of [
      { gain: 0 },
      { gain: 1025 },
      { epsilon: 0 },
      { epsilon: 2 ** 41 },
      { epsilon: 1.5 },
      { rows: 6, size: 1 },
      { size: 2 },
    ])
      refused({ ...norm, ...change })
    refused({ kind: 'table', input: 0, table: new Int8Array(255) })
    refused({ kind: 'table', input: 0, table: new Int8Array(256).fill(9) }, { ...plain, shape: [2, 3], hi: 8 })
  })

  it('never lets an accepted layer leave int32 or int64, even for the worst input and order of summation', () => {
    const inputSize = 65_793
    const input = { ...plain, shape: [1, inputSize], zeroPoint: -128 }
    const requantization = { multipliers: Int32Array.of(2 ** 30), biases: BigInt64Array.of(0n), shift: 40 }
    const model = denseModel({ inputSize, weights: new Int8Array(inputSize).fill(-128), requantization }, input)
    assertQ8(model)
    const worst = new Int8Array(inputSize).fill(127)
    const { activations } = runQ8(model, [worst])
    assert.deepEqual([...(activations[1] ?? [])], slowRun(model, [[...worst]])[1])
    const larger = denseModel(
      { inputSize: inputSize + 1, weights: new Int8Array(inputSize + 1).fill(-128), requantization },
      { ...input, shape: [1, inputSize + 1] },
    )
    assert.throws(() => assertQ8(larger), { code: 'model.q8-overflow' })
  })

  it('refuses a v that could leave 2^62', () => {
    const by = (multiplier: number, bias: bigint) => ({ multipliers: Int32Array.of(multiplier), biases: BigInt64Array.of(bias), shift: 1 })
    assertQ8(denseModel({ requantization: by(1, 2n ** 62n - 1n - 128n - 1n) }))
    assert.throws(() => assertQ8(denseModel({ requantization: by(1, 2n ** 62n - 1n - 128n) })), { code: 'model.q8-overflow' })
    assert.throws(() => assertQ8(denseModel({ requantization: by(1, -(2n ** 63n)) })), { code: 'model.q8-overflow' })
  })

  it('averages with exact rounding, ties up, for every window size', () => {
    for (const k of [1, 2, 3, 4, 5, 7, 9, 16, 25, 49, 64, 1000, 32768]) {
      const by = exactAverage(k, 'test')
      const wide = { ...plain, zeroPoint: 0, lo: -128, hi: 127 }
      for (let step = 0; step < 2000; step++) {
        const acc = Math.trunc((step / 1000 - 1) * 127 * k) + (step % 3)
        if (Math.abs(acc) > 127 * k) continue
        assert.equal(requantize(acc, 0, by, wide), Math.floor((2 * acc + k) / (2 * k)), `k ${k}, acc ${acc}`)
      }
    }
    assert.throws(() => exactAverage(40_000, 'test'), { code: 'model.q8-unsupported' })
  })

  it('chooses the largest shift whose multipliers stay below 2^15', () => {
    for (const ratio of [1e-9, 0.001, 0.3, 0.99999, 1, 7.5, 16383]) {
      const { multipliers, shift } = multipliersFor([ratio, ratio / 3], 'test')
      assert.ok((multipliers[0] ?? 0) < 2 ** 15 && shift >= 1 && shift <= 40)
      if (shift < 40) assert.ok(Math.floor(ratio * 2 ** (shift + 1) + 0.5) >= 2 ** 15)
    }
    assert.throws(() => multipliersFor([16384], 'test'), { code: 'model.q8-unsupported' })
    assert.throws(() => multipliersFor([Number.NaN], 'test'), { code: 'model.q8-unsupported' })
  })

  it('quantises inputs as ONNX does: ties to even, NaN to the zero point, infinities to the ends', () => {
    const boundary = { ...plain, scale: 0.5, zeroPoint: 3, shape: [7] }
    const values = [0.25, 0.75, -0.25, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1]
    assert.deepEqual([...quantizeInput(boundary, values)], [3, 5, 3, 3, 127, -128, 5])
  })

  it('breaks argmax ties towards the lowest index', () => {
    assert.deepEqual([...argmaxRows(Int8Array.of(1, 5, 5, 0, -1, -1, -1, -1), 4)], [1, 0])
  })

  it('refuses inputs outside the boundary', () => {
    const model = denseModel({}, { ...plain, lo: 0, zeroPoint: 0 })
    assert.throws(() => runQ8(model, [Int8Array.of(-1)]), { code: 'model.input' })
    assert.throws(() => runQ8(model, [Int8Array.of(1, 2)]), { code: 'model.input' })
    assert.throws(() => runQ8(model, []), { code: 'model.input' })
    assert.throws(() => runQ8(model, [Int8Array.of(1), Int8Array.of(1)]), { code: 'model.input' })
  })
})

describe('the canonical encoding', () => {
  it('round-trips every layer kind', () => {
    for (const kind of layerKinds)
      for (let seed = 1; seed <= 20; seed++) {
        const { model } = randomLayerSample(kind, seed)
        const bytes = encodeQ8(model)
        assert.deepEqual(parseQ8(bytes), model)
        assert.deepEqual(encodeQ8(parseQ8(bytes)), bytes)
      }
  })

  it('refuses every truncation and anything after the end', () => {
    for (const kind of layerKinds) {
      const bytes = encodeQ8(randomLayerSample(kind, 3).model)
      for (let length = 0; length < bytes.length; length++)
        assert.throws(() => parseQ8(bytes.subarray(0, length)), { code: 'model.malformed-q8' })
      assert.throws(() => parseQ8(Uint8Array.from([...bytes, 0])), { code: 'model.malformed-q8' })
    }
  })

  it('never reads a flipped bit as the same model: it is refused, or commits to something else', () => {
    for (const kind of layerKinds) {
      const { model } = randomLayerSample(kind, 5)
      const bytes = encodeQ8(model)
      const commitment = q8Commitment(model)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice()
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        let parsed: Q8Model
        try {
          parsed = parseQ8(flipped)
        } catch (error) {
          assert.match(String((error as { code?: string }).code), /^model\.(malformed-q8|q8-overflow)$/)
          continue
        }
        assert.notEqual(q8Commitment(parsed), commitment)
        assert.deepEqual(encodeQ8(parsed), flipped)
      }
    }
  })

  it('keeps the frozen vectors', () => {
    type Vector = { name: string; encoding: string; commitment: string; inputs: number[][]; activations: number[][] }
    const { vectors } = JSON.parse(readFileSync(new URL('./vectors/q8.json', import.meta.url), 'utf8')) as { vectors: Vector[] }
    assert.ok(vectors.length >= 8)
    for (const vector of vectors) {
      const model = parseQ8(Uint8Array.from(Buffer.from(vector.encoding, 'hex')))
      assert.equal(q8Commitment(model), vector.commitment, vector.name)
      const run = runQ8(
        model,
        vector.inputs.map((input) => Int8Array.from(input)),
      )
      assert.deepEqual(
        run.activations.map((activation) => [...activation]),
        vector.activations,
        vector.name,
      )
    }
  })
})
