// Zero knowledge, for every layer kind: a simulator that knows no witness makes proofs about statements of random points, and the reference
// verifier accepts them under programmed challenges.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ReferenceTranscript } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { simulate } from './support/simulator.ts'
import { smallLayers } from './support/small-layers.ts'

describe('simulator', () => {
  for (const [name, spec] of Object.entries(smallLayers)) {
    it(`${name}: accepted without a witness`, () => {
      const simulated = simulate(spec)
      const { challenge } = ReferenceTranscript.prototype
      ReferenceTranscript.prototype.challenge = function (tag) {
        this.absorb(tag, new Uint8Array(32))
        return simulated.challenge(tag)
      }
      try {
        assert.deepEqual(verifyLayerSlowly(simulated.statement, simulated.proof), { ok: true })
      } finally {
        ReferenceTranscript.prototype.challenge = challenge
      }
      // under the real challenges it is worth nothing
      assert.equal(verifyLayerSlowly(simulated.statement, simulated.proof).ok, false)
    })
  }
})
