// Random softmax, layer normalisation, product, table and transposed layers at the edges of their ranges: the prover computes the bits of the
// reference interpreter, its cells satisfy the gate, and the proofs verify.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { assertQ8 } from '../../model/src/q8/assert-q8.ts'
import type { Q8Layer } from '../../model/src/q8/q8-model.ts'
import { runQ8 } from '../../model/src/q8/run-q8.ts'
import { randomLayerSample } from '../../model/test/q8-samples.ts'
import { createProofEngine } from '../src/engine.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import { verifyNetwork } from '../src/network/verify-network.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { evaluate } from './support/layers.ts'
import { proveInference, registerNetwork, runNetwork } from './support/prove-network.ts'

const kinds = ['softmax', 'layerNorm', 'matmul', 'table', 'denseTransposed'] as const

describe('rows', async () => {
  const engine = await createProofEngine()
  for (const kind of kinds)
    it(`${kind}: the interpreter's bits on random layers, proved`, async () => {
      let proved = 0
      for (let seed = 1; seed <= 60; seed++) {
        const { model, inputs } = randomLayerSample(kind, 300 + seed)
        if (!provable(model.layers[0])) continue
        const described = describeNetwork(assertQ8(model))
        const tensors = runNetwork(engine, described, inputs)
        for (const [k, values] of runQ8(model, inputs).activations.entries())
          assert.deepEqual(tensors[k], Int8Array.from(values), `seed ${seed}`)
        if (proved === 5) continue
        const registered = await registerNetwork(engine, described)
        const { proof, options } = await proveInference(engine, registered, tensors)
        assert.deepEqual(verifyNetwork(registered.network, proof, options), { ok: true }, `seed ${seed}`)
        proved++
      }
      assert.equal(proved, 5)
    })

  // what the requantising gate cannot prove (shift and width beyond 2^62) is refused by name; tests elsewhere hold that
  const provable = (layer: Q8Layer | undefined): boolean => {
    if (layer === undefined || !('requantization' in layer)) return true
    const { multipliers, shift } = layer.requantization
    return (
      shift < 36 && multipliers.every((m) => m < 2 ** 15) && layer.requantization.biases.every((b) => b < 2n ** 28n && b > -(2n ** 28n))
    )
  }

  it('rows at their edges: constant, extreme, one outlier, the largest sums and roots', () => {
    const norm = (size: number, gain: number, epsilon: number): LayerSpec => ({
      kind: 'layerNorm',
      rows: 1,
      size,
      chunk: size,
      slots: 1,
      gain,
      epsilon,
      zeroPoint: 0,
      low: -128,
      high: 127,
    })
    const run = (spec: LayerSpec, x: Int8Array): Int8Array => evaluate(engine, spec, [x], undefined)
    for (const size of [2, 3, 64, 1024, 8192])
      for (const gain of [1, 1024])
        for (const epsilon of [1, 2 ** 40]) {
          if (size > 8192 / 2 && gain > 1) continue
          const spec = norm(size, gain, epsilon)
          createRelation(spec)
          for (const fill of [-128, 0, 127]) assert.ok(run(spec, new Int8Array(size).fill(fill)).every((y) => y === 0))
          const outlier = new Int8Array(size).fill(-128)
          outlier[size - 1] = 127
          const y = run(spec, outlier)
          if (epsilon === 1) assert.ok((y[size - 1] ?? 0) > 0 && (y[0] ?? 0) <= 0)
          run(
            spec,
            outlier.map((_, k) => (k % 2 === 0 ? -128 : 127)),
          )
        }
    const soft = (size: number, table: readonly number[]): LayerSpec => ({
      kind: 'softmax',
      rows: 1,
      heads: 1,
      size,
      slots: 1,
      mask: 'none',
      table,
    })
    const flat = new Array<number>(256).fill(4095)
    assert.ok(run(soft(4096, flat), new Int8Array(4096).fill(127)).every((y) => y === -128))
    assert.deepEqual([...run(soft(2, flat), Int8Array.of(-128, 127))], [0, 0])
    const steep = flat.map((_, d) => (d === 0 ? 1 : 0))
    assert.deepEqual([...run(soft(3, steep), Int8Array.of(-128, 127, 127))], [-128, 0, 0])
  })

  it('specs beyond the bounds of the argument are refused', () => {
    const table = new Array<number>(256).fill(7)
    const soft: LayerSpec = { kind: 'softmax', rows: 2, heads: 1, size: 4, slots: 1, mask: 'causal', table }
    const norm: LayerSpec = { kind: 'layerNorm', rows: 2, size: 4, chunk: 4, slots: 1, gain: 9, epsilon: 1, zeroPoint: 0, low: -9, high: 9 }
    createRelation(soft)
    createRelation(norm)
    const refused: readonly unknown[] = [
      { ...soft, rows: 5 },
      { ...soft, slots: 5 },
      { ...soft, mask: 'future' },
      { ...soft, size: 8192 },
      { ...soft, table: table.slice(1) },
      { ...soft, table: [0, ...table.slice(1)] },
      { ...soft, table: [4096, ...table.slice(1)] },
      { ...norm, chunk: 3 },
      { ...norm, chunk: 1 },
      { ...norm, size: 8194, chunk: 4097 },
      { ...norm, gain: 0 },
      { ...norm, gain: 1025 },
      { ...norm, epsilon: 0 },
      { ...norm, epsilon: 2 ** 41 },
      { ...norm, low: 9 },
      { ...norm, zeroPoint: 10 },
      { ...norm, high: 128 },
    ]
    for (const spec of refused)
      assert.throws(() => createRelation(spec as LayerSpec), { code: 'proof.unsupported-layer' }, JSON.stringify(spec))
  })
})
