// Proving on shares: the ordinary verifier accepts, and what each share prover received does not depend on any secret.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { createProofEngine } from '../src/engine.ts'
import type { RandomSource } from '../src/hedged-random.ts'
import { mod } from '../src/reference/arithmetic.ts'
import { shapeOf } from '../src/reference/layer.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { type Pair, type SharedOpening, splitOpenings } from '../src/shares/additive-shares.ts'
import { CellProver } from '../src/shares/cell-prover.ts'
import { dealCorrelation } from '../src/shares/dealer.ts'
import { proveSharedLayer } from '../src/shares/prove-shared-layer.ts'
import { type LayerShare, ShareProver } from '../src/shares/share-prover.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { random } from './support/layers.ts'
import { honestInstance, type Instance, statementOf } from './support/lying-prover.ts'
import { smallLayers, tinyTensor, tinyWeights } from './support/small-layers.ts'

/** Bytes from a label: the same every time. */
const scripted = (label: string): RandomSource => {
  let calls = 0
  return (n) => {
    const out = new Uint8Array(n)
    for (let at = 0; at < n; at += 32) out.set(keccak_256(new TextEncoder().encode(`${label} ${calls++}`)).subarray(0, n - at), at)
    return out
  }
}

type View = { readonly shares: LayerShare; readonly hidden: readonly string[] }

describe('proving on shares', async () => {
  const engine = await createProofEngine()
  const spec = smallLayers['dense'] as LayerSpec // it is there
  const shape = shapeOf(spec)
  const weights = tinyWeights(spec, 6)
  const make = (input: Int8Array, change: (row: Int8Array) => Int8Array = (w) => w): Instance =>
    honestInstance(engine, spec, [input], weights && { ...weights, weights: change(weights.weights) })

  /** Shares out an instance and proves it; `sources` says where shares, correlation and masks come from. */
  const share = (instance: Instance, sources: { shares: RandomSource; dealer: RandomSource; masks: Pair<RandomSource> }) => {
    const split = { weights: instance.weights, input0: instance.inputs[0] ?? [], output: instance.output }
    const pairs = Object.entries(split).map(([name, openings]) => [name, splitOpenings(openings, sources.shares)] as const)
    const of = (k: 0 | 1): LayerShare => Object.fromEntries(pairs.map(([name, pair]) => [name, pair[k]]))
    const [first, second] = dealCorrelation(shape.vectors, shape.columns, sources.dealer)
    const views: [View, View] = [
      { shares: of(0), hidden: [] },
      { shares: of(1), hidden: [] },
    ]
    const provers = [first, second].map(
      (correlation, k) => new ShareProver(k === 0, shape, of(k as 0 | 1), { correlation, random: sources.masks[k as 0 | 1] }),
    ) as [ShareProver, ShareProver]
    const statement = statementOf(instance)
    const proof = proveSharedLayer(
      statement,
      { shares: provers, cells: new CellProver(spec, shape, instance.cells, random) },
      (to, vectors) => {
        views[to] = { ...views[to], hidden: [...vectors.values()].flat().map(String) }
      },
    )
    return { statement, proof, views }
  }
  const fresh = { shares: random, dealer: random, masks: [random, random] as const }

  it('makes proofs that both verifiers accept, from three parties of whom none holds the weights', () => {
    const { statement, proof } = share(make(tinyTensor(10, 5)), fresh)
    assert.deepEqual(verifyLayer(statement, proof, { engine }), { ok: true })
    assert.deepEqual(verifyLayerSlowly(statement, proof), { ok: true })
  })

  it('a share prover who deviates spoils the proof, and no more', () => {
    const instance = make(tinyTensor(10, 5))
    const statement = statementOf(instance)
    const [a, b] = splitOpenings(instance.weights, random)
    const bent = b.map(({ vector, blinder }, k) => ({ vector: vector.map((v, i) => (k === 0 && i === 0 ? mod(v + 1n) : v)), blinder }))
    const [x0, x1] = splitOpenings(instance.inputs[0] ?? [], random)
    const [y0, y1] = splitOpenings(instance.output, random)
    const [first, second] = dealCorrelation(shape.vectors, shape.columns, random)
    const provers = [
      new ShareProver(true, shape, { weights: a, input0: x0, output: y0 }, { correlation: first, random }),
      new ShareProver(false, shape, { weights: bent, input0: x1, output: y1 }, { correlation: second, random }),
    ] as const
    const proof = proveSharedLayer(statement, { shares: provers, cells: new CellProver(spec, shape, instance.cells, random) })
    assert.deepEqual(verifyLayer(statement, proof, { engine }), { ok: false, failedCheck: 'equation' })
  })

  it('the second prover receives the same bytes whatever weights, inputs and outputs are', () => {
    const [one, other] = [make(tinyTensor(10, 5)), make(tinyTensor(10, 77), (w) => w.map((v) => -v))]
    const sources = () => ({ shares: scripted('shares'), dealer: scripted('dealer'), masks: [scripted('a'), scripted('b')] as const })
    const [a, b] = [share(one, sources()), share(other, sources())]
    assert.notDeepEqual(a.statement.weights, b.statement.weights)
    assert.deepEqual(a.views[1].shares, b.views[1].shares)
  })

  it('for everything that the first prover received there is an equally likely second share for any other secret', () => {
    const one = make(tinyTensor(10, 5))
    const other = make(tinyTensor(10, 77), (w) => w.map((v) => -v))
    const [held, missing] = splitOpenings(one.weights, scripted('shares'))
    // the one second share that makes the same first share a share of the other weights
    const second = other.weights.map((opening, k) => ({
      vector: opening.vector.map((value, i) => mod(value - (held[k]?.vector[i] ?? 0n))),
      blinder: mod(opening.blinder - (held[k]?.blinder ?? 0n)),
    }))
    const restored = held.map((share, k) => share.vector.map((value, i) => mod(value + (second[k]?.vector[i] ?? 0n))))
    assert.deepEqual(
      restored,
      other.weights.map(({ vector }) => vector.map(mod)),
    )
    assert.notDeepEqual(second, missing)
  })

  it('shares and exchanged vectors look uniform for weights that are all alike', () => {
    const counts = new Array<number>(256).fill(0)
    const take = (value: bigint): void => {
      for (let k = 0n; k < 31n; k++) counts[Number((value >> (8n * k)) & 255n)] = (counts[Number((value >> (8n * k)) & 255n)] ?? 0) + 1
    }
    for (let run = 0; run < 3; run++) {
      const { views } = share(
        make(new Int8Array(10).fill(1), (w) => w.map(() => 1)),
        fresh,
      )
      for (const { shares, hidden } of views) {
        for (const openings of Object.values(shares) as (readonly SharedOpening[])[])
          for (const { vector, blinder } of openings) [...vector, blinder].forEach(take)
        hidden.forEach((value) => take(BigInt(value)))
      }
    }
    const expected = counts.reduce((sum, n) => sum + n, 0) / 256
    const chiSquare = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)
    // 255 degrees of freedom: mean 255, deviation 22.6
    assert.ok(chiSquare < 400, `${chiSquare}`)
  })
})
