// What a proof shows to others: nothing. Masks are fresh and hedged, a simulator without witness makes accepted proofs, secrets do not print.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { commitActivation } from '../src/commit/activation.ts'
import { createProofEngine } from '../src/engine.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { ReferenceTranscript } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { buildLayer, convolutionSpec, denseSpec, random, requantisation } from './support/layers.ts'
import { simulate } from './support/simulator.ts'
import { smallLayers } from './support/small-layers.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const spec = denseSpec({ inputSize: 6, outputSize: 4, inputChunk: 3, outputChunk: 4, slots: 2, requantisation: small })
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function elements(proof: Uint8Array): readonly string[] {
  const layout = proofLayout(createRelation(spec))
  const points = Array.from({ length: layout.points }, (_, k) => hex(proof.subarray(33 * k, 33 * k + 33)))
  const from = 33 * layout.points
  return [...points, ...Array.from({ length: layout.scalars }, (_, k) => hex(proof.subarray(from + 32 * k, from + 32 * k + 32)))]
}

describe('privacy of proofs', async () => {
  const engine = await createProofEngine()
  const { statement, witness } = await buildLayer(engine, spec, { seed: 21 })

  it('two proofs of one statement share no element', async () => {
    const [a, b] = [await proveLayer(statement, witness, { engine, random }), await proveLayer(statement, witness, { engine, random })]
    const seen = new Set(elements(a))
    assert.equal(seen.size, elements(a).length)
    assert.deepEqual(
      elements(b).filter((element) => seen.has(element)),
      [],
    )
  })

  it('a random source that repeats itself repeats no mask under another statement', async () => {
    const stuck = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, k) => k + 1)
    const other = { ...statement, context: { ...statement.context, nonce: statement.context.requestId } }
    const [a, b] = [
      await proveLayer(statement, witness, { engine, random: stuck }),
      await proveLayer(other, witness, { engine, random: stuck }),
    ]
    const seen = new Set(elements(a))
    assert.deepEqual(
      elements(b).filter((element) => seen.has(element)),
      [],
    )
    // after a restart with the same bytes the same proof comes out: no second equation for anybody
    const again = await createProofEngine()
    assert.equal(hex(await proveLayer(statement, witness, { engine: again, random: stuck })), hex(a))
  })

  it('refuses random sources that are visibly broken', async () => {
    for (const broken of [(n: number) => new Uint8Array(n), (n: number) => new Uint8Array(n).fill(7), () => new Uint8Array(4)])
      await assert.rejects(proveLayer(statement, witness, { engine, random: broken }), { code: 'proof.unusable-randomness' })
  })

  it('a simulator that knows no witness makes proofs that verify under programmed challenges', () => {
    const rows = [smallLayers.softmax, smallLayers.layerNorm, smallLayers.headProducts, smallLayers.denseTransposed].filter(
      (s) => s !== undefined,
    )
    assert.equal(rows.length, 4)
    for (const layer of [spec, denseSpec({ requantisation: small }), convolutionSpec({ requantisation: small }), ...rows]) {
      const simulated = simulate(layer)
      const challenge = ReferenceTranscript.prototype.challenge
      ReferenceTranscript.prototype.challenge = function (tag) {
        this.absorb(tag, new Uint8Array(32))
        return simulated.challenge(tag)
      }
      try {
        assert.deepEqual(verifyLayerSlowly(simulated.statement, simulated.proof), { ok: true })
      } finally {
        ReferenceTranscript.prototype.challenge = challenge
      }
    }
  })

  it('bytes of real responses look as uniform as those of simulated ones', async () => {
    const layout = proofLayout(createRelation(spec))
    const chiSquare = (proofs: readonly Uint8Array[]): number => {
      const counts = new Array<number>(256).fill(0)
      // the low 31 bytes: the top byte of a residue is uniform only up to 2^-128 anyway
      for (const proof of proofs)
        for (let k = 0; k < layout.f1 + layout.f2; k++)
          for (let b = 1; b < 32; b++)
            counts[proof[33 * layout.points + 32 * k + b] ?? 0] = (counts[proof[33 * layout.points + 32 * k + b] ?? 0] ?? 0) + 1
      const expected = counts.reduce((sum, n) => sum + n, 0) / 256
      return counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)
    }
    const real: Uint8Array[] = []
    for (let k = 0; k < 12; k++) real.push(await proveLayer(statement, witness, { engine, random }))
    const simulated = Array.from({ length: 4 }, () => simulate(spec).proof)
    // 255 degrees of freedom: mean 255, deviation 22.6; 400 is 6.4 deviations away
    assert.ok(chiSquare(real) < 400, `real ${chiSquare(real)}`)
    assert.ok(chiSquare(simulated) < 400, `simulated ${chiSquare(simulated)}`)
  })

  it('secrets print as nothing', () => {
    const weights = witness.weights
    for (const secret of [witness.output, weights]) {
      for (const text of [inspect(secret, { depth: 9, showHidden: true }), String(secret), JSON.stringify({ secret })])
        assert.match(text, /^\{?"?s?e?c?r?e?t?"?:?"?\[(activation opening|secret weights)\]"?\}?$/)
    }
  })

  it('refuses witnesses that do not belong to the statement, before any weight is used', async () => {
    const layout = createRelation(spec).inputs[0]
    assert.ok(layout !== undefined)
    const strange = await commitActivation(new Int8Array(6), layout, { engine, random })
    const options = { engine, random }
    await assert.rejects(proveLayer(statement, { ...witness, inputs: [strange] }, options), { code: 'proof.witness-mismatch' })
    const lie = await commitActivation(Int8Array.of(1, 2, 3, 4), createRelation(spec).output, { engine, random })
    await assert.rejects(proveLayer({ ...statement, output: lie.commitment }, { ...witness, output: lie }, options), {
      code: 'proof.witness-mismatch',
    })
    const { inputs, output } = witness
    await assert.rejects(proveLayer(statement, { inputs, output }, options), { code: 'proof.witness-mismatch' })
  })

  it('stops when it is told to, and works again afterwards', async () => {
    const controller = new AbortController()
    const stages: string[] = []
    const options = {
      engine,
      random,
      signal: controller.signal,
      onProgress: (stage: string) => {
        stages.push(stage)
        if (stage === 'sum-check') controller.abort(new Error('enough'))
      },
    }
    await assert.rejects(proveLayer(statement, witness, options), /enough/)
    assert.deepEqual(stages, ['witness', 'cells', 'sum-check'])
    assert.ok((await proveLayer(statement, witness, { engine, random })).length > 0)
  })
})
