// Every byte of small proofs and thousands of forgeries: the program's verdict is the production verifier's. Minutes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertQ8 } from '../../model/src/q8/assert-q8.ts'
import { cifarNetwork } from '../bench/networks.ts'
import { createProofEngine } from '../src/engine.ts'
import { scalarBytes } from '../src/kernels/field.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { r } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { buildVerifier } from '../src/trace/build-verifier.ts'
import { traceVerification } from '../src/trace/trace.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { blockInput, gpt2Block } from './support/gpt2-block.ts'
import { seeded } from './support/layers.ts'
import { proveInference, registerNetwork, runNetwork } from './support/prove-network.ts'
import { smallLayers } from './support/small-layers.ts'
import { proveSmall } from './support/trace-games.ts'

describe('verdicts of programs', async () => {
  const engine = await createProofEngine()
  for (const [name, spec] of Object.entries(smallLayers)) {
    it(`${name}: is the verifier's for changes of bytes and 200 forgeries`, async () => {
      const { statement, proof } = await proveSmall(engine, spec)
      const other = await proveSmall(engine, spec, 6)
      const program = buildVerifier(spec, { engine })
      const agree = (bytes: Uint8Array, what: string): boolean => {
        const { verdict } = traceVerification(statement, bytes, { engine, program })
        assert.equal(verdict, verifyLayer(statement, bytes, { engine }).ok, what)
        return verdict
      }
      assert.equal(agree(proof, 'honest'), true)
      const stride = name === 'argmax' ? 1 : 23
      for (let at = 0; at < proof.length; at += stride) {
        const changed = proof.map((byte, k) => (k === at ? byte ^ 0x80 : byte))
        assert.equal(agree(changed, `byte ${at}`), false)
        if (at % (50 * stride) === 0) assert.equal(verifyLayerSlowly(statement, changed).ok, false)
      }
      const { points, scalars } = proofLayout(createRelation(spec))
      const next = seeded(77)
      const pick = (n: number): number => Math.floor(next() * n)
      const special = [0n, 1n, r - 1n, r, 2n ** 256n - 1n, 2n ** 128n]
      for (let n = 0; n < 200; n++) {
        const forged = proof.slice()
        const [a, b] = [33 * pick(points), 33 * pick(points)]
        const scalar = 33 * points + 32 * pick(scalars)
        const kind = pick(6)
        if (kind === 0) forged.set(proof.subarray(a, a + 33), b)
        if (kind === 1) forged[a] = (forged[a] ?? 0) ^ 1
        if (kind === 2) forged.set(other.proof.subarray(a, a + 33), a)
        if (kind === 3) forged.set(scalarBytes(special[pick(special.length)] ?? 0n), scalar)
        if (kind === 4) forged.set(other.proof.subarray(33 * points), 33 * points)
        if (kind === 5) forged[pick(forged.length)] = pick(256)
        agree(forged, `forgery ${n}`)
      }
    })
  }
})

it('every layer of a GPT-2 block and of a convolutional network is accepted by its program', async () => {
  const engine = await createProofEngine()
  const sizes = { tokens: 4, width: 16, heads: 2, hidden: 64 }
  const network = cifarNetwork()
  const cases = [
    [assertQ8(gpt2Block(sizes)), blockInput(sizes)],
    [network, new Int8Array(3 * 32 * 32).map((_, k) => ((k * 37) % 200) - 100)],
  ] as const
  for (const [model, input] of cases) {
    const described = describeNetwork(model)
    const registered = await registerNetwork(engine, described)
    const { jobs, proof } = await proveInference(engine, registered, runNetwork(engine, described, [input]))
    for (const [k, { statement }] of jobs.entries())
      assert.equal(traceVerification(statement, proof.proofs[k] ?? new Uint8Array(0), { engine }).verdict, true, `layer ${k}`)
  }
})
