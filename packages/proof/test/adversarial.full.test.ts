// 125,000 adversarial proofs and every byte of nine proofs: minutes, so only with `npm run test:full`.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { scalarBytes } from '../src/kernels/field.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { r } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { buildLayer, convolutionSpec, denseSpec, random, requantisation, seeded } from './support/layers.ts'
import { smallLayers } from './support/small-layers.ts'

const tiny = requantisation({ shift: 2, low: 0, high: 3, zeroPoint: 0, excessBits: 30 })
const specs: readonly LayerSpec[] = [
  denseSpec({ inputSize: 2, outputSize: 2, inputChunk: 2, outputChunk: 2, slots: 1, requantisation: tiny }),
  convolutionSpec({
    window: { channels: 1, height: 2, width: 3, kernel: [2, 2], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
    outputChannels: 1,
    outputPlanes: 1,
    requantisation: tiny,
  }),
  {
    kind: 'maxPool',
    window: { channels: 1, height: 2, width: 2, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] },
    planes: 1,
    slots: 1,
  },
  { kind: 'argmax', size: 3, chunk: 3, slots: 1 },
]
// the kinds of a transformer, a fifth as many forgeries each
const more = ['softmax', 'layerNorm', 'headProducts', 'denseTransposed', 'table'].map((name): LayerSpec => {
  const spec = smallLayers[name]
  if (spec === undefined) throw new Error(name)
  return { ...spec, slots: 1 }
})

describe('adversarial proofs', async () => {
  const engine = await createProofEngine()
  for (const [index, spec] of [...specs, ...more].entries()) {
    const forgeries = index < specs.length ? 25_000 : 5000
    it(`${spec.kind}: no byte can change, and ${forgeries} further forgeries are refused`, async () => {
      const build = async (seed: number) => {
        const { statement, witness } = await buildLayer(engine, spec, { seed })
        return { statement, proof: await proveLayer(statement, witness, { engine, random }) }
      }
      const [own, other] = [await build(2 * index), await build(2 * index + 1)]
      const { points, scalars } = proofLayout(createRelation(spec))
      assert.equal(verifyLayer(own.statement, own.proof, { engine }).ok, true)
      const refuse = (proof: Uint8Array, what: string): void => assert.equal(verifyLayer(own.statement, proof, { engine }).ok, false, what)
      for (let at = 0; at < own.proof.length; at++) {
        for (const mask of [1, 0x80])
          refuse(
            own.proof.map((byte, k) => (k === at ? byte ^ mask : byte)),
            `byte ${at}`,
          )
      }
      const next = seeded(1000 + index)
      const pick = (n: number): number => Math.floor(next() * n)
      const scalarAt = (k: number): number => 33 * points + 32 * k
      const special = [0n, 1n, r - 1n, 2n, (r + 1n) / 2n, 2n ** 128n, 2n ** 255n]
      for (let n = 0; n < forgeries; n++) {
        const proof = own.proof.slice()
        for (let changes = 0; changes <= pick(3); changes++) {
          const kind = pick(7)
          const [a, b] = [pick(points), pick(points)]
          if (kind === 0) proof.set(own.proof.subarray(33 * a, 33 * a + 33), 33 * b)
          if (kind === 1) proof[33 * a] = (proof[33 * a] ?? 0) ^ 1 // the opposite point
          if (kind === 2) proof.set(other.proof.subarray(33 * a, 33 * a + 33), 33 * a)
          if (kind === 3) proof.set(scalarBytes(special[pick(special.length)] ?? 0n), scalarAt(pick(scalars)))
          if (kind === 4) proof.set(own.proof.subarray(scalarAt(a % scalars), scalarAt(a % scalars) + 32), scalarAt(b % scalars))
          if (kind === 5) proof.set(other.proof.subarray(33 * points), 33 * points)
          if (kind === 6) proof[scalarAt(pick(scalars)) + pick(32)] = pick(256)
        }
        if (Buffer.from(proof).equals(own.proof)) continue
        refuse(proof, `forgery ${n}`)
        if (n % 2500 === 0) assert.equal(verifyLayerSlowly(own.statement, proof).ok, false)
      }
    })
  }
})
