// Frozen range arguments: made again byte for byte, and accepted by both verifiers. TACIT_FREEZE=1 writes the file.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { type Hex, type LayerSpec, layerSpecSchema, parseHex, toHex } from '@tacit/protocol'
import { commitWeights } from '../src/commit/weights.ts'
import { createProofEngine, type ProofEngine } from '../src/engine.ts'
import { verifyRegistrationSlowly } from '../src/reference/registration-range.ts'
import { proveRegistration } from '../src/registration-range/prove-registration.ts'
import { verifyRegistration } from '../src/registration-range/verify-registration.ts'
import { convolutionSpec, denseSpec, randomWeights, requantisation, seeded } from './support/layers.ts'

const file = join(import.meta.dirname, 'vectors/registration-ranges.json')
const bounds = { multiplierBits: 15, biasBits: 26 }
const small = requantisation({ shift: 6, excessBits: 28 })
const window = { channels: 4, height: 3, width: 3, kernel: [2, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }
const specs: readonly LayerSpec[] = [
  denseSpec({ inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small }),
  convolutionSpec({ window, group: 2, outputChannels: 4, outputPlanes: 2 }),
]

type Frozen = { readonly spec: unknown; readonly points: Hex; readonly digest: Hex; readonly proof: Hex }

async function make(engine: ProofEngine, spec: LayerSpec, seed: number): Promise<Frozen> {
  let calls = 0
  const fixed = (n: number): Uint8Array => {
    const next = seeded(seed * 1000 + calls++)
    return Uint8Array.from({ length: n }, () => Math.floor(next() * 256))
  }
  const weights = await commitWeights(spec, randomWeights(spec, seeded(seed)), { engine, layerIndex: 2, seed: fixed(32) })
  const proof = await proveRegistration(weights, { engine, random: fixed, bounds })
  const { points, digest } = weights.registration
  assert.ok(points !== null)
  return { spec, points, digest, proof: toHex(proof) }
}

it('range arguments are what they were, and both verifiers accept them', async () => {
  const engine = await createProofEngine()
  const made: Frozen[] = []
  for (const [k, spec] of specs.entries()) made.push(await make(engine, spec, k + 1))
  if (process.env['TACIT_FREEZE'] === '1') writeFileSync(file, `${JSON.stringify(made, null, 1)}\n`)
  const frozen = JSON.parse(readFileSync(file, 'utf8')) as readonly Frozen[]
  assert.deepEqual(made, frozen)
  for (const { spec, points, digest, proof } of frozen) {
    const registration = { spec: layerSpecSchema(spec, 'spec'), points, digest }
    const options = { engine, layerIndex: 2, bounds }
    const bytes = parseHex(proof, 'A proof')
    assert.deepEqual(verifyRegistration(registration, bytes, options), { ok: true })
    assert.equal(verifyRegistrationSlowly(registration, bytes, options), true)
  }
})
