// Frozen proofs: made once with a fixed random source, accepted by both verifiers ever after, and made again bit for bit.
// TACIT_FREEZE=1 writes the file; a change of the format needs a new suite name, not new vectors under the old one.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type LayerSpec, type LayerStatement, layerStatementSchema, parseHex, toHex } from '@tacit/protocol'
import { encodeOpening, parseOpening } from '../src/commit/opening-encoding.ts'
import { commitActivation } from '../src/commit/activation.ts'
import { commitWeights, registrationDigest } from '../src/commit/weights.ts'
import { createProofEngine, type ProofEngine } from '../src/engine.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { context, convolutionSpec, denseSpec, evaluate, randomTensor, randomWeights, requantisation, seeded } from './support/layers.ts'
import { keccak_256 } from '@noble/hashes/sha3.js'

const small = requantisation({ shift: 6, excessBits: 28 })
const window = { channels: 2, height: 4, width: 4, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] }
const specs: readonly LayerSpec[] = [
  denseSpec({ rows: 2, inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small }),
  convolutionSpec({ window, outputChannels: 2, outputPlanes: 1, requantisation: small }),
  { kind: 'maxPool', window, planes: 1, slots: 2 },
  { kind: 'argmax', size: 5, chunk: 3, slots: 1 },
]
type Vector = { readonly statement: LayerStatement; readonly digest: string; readonly proof: string }
const file = join(import.meta.dirname, 'vectors/layer-proofs.json')

async function make(engine: ProofEngine, spec: LayerSpec, seed: number): Promise<Vector> {
  let calls = 0
  const fixed = (n: number): Uint8Array => {
    const next = seeded(seed * 1000 + calls++)
    return Uint8Array.from({ length: n }, () => Math.floor(next() * 256))
  }
  const next = seeded(seed)
  const place = context()
  const values = spec.kind === 'dense' || spec.kind === 'conv' ? randomWeights(spec, next) : undefined
  const weights = values && (await commitWeights(spec, values, { engine, modelId: place.modelId, layerIndex: 0, seed: fixed(32) }))
  const relation = createRelation(spec)
  const [layout] = relation.inputs
  assert.ok(layout !== undefined)
  const input = await commitActivation(randomTensor(layout.groups * layout.length, next), layout, { engine, random: fixed })
  const output = await commitActivation(evaluate(engine, spec, [input.values], values), relation.output, { engine, random: fixed })
  const statement: LayerStatement = {
    spec,
    weights: weights?.registration.points ?? null,
    inputs: [input.commitment],
    output: output.commitment,
    context: place,
  }
  const proof = await proveLayer(
    statement,
    { inputs: [input], output, ...(weights === undefined ? {} : { weights }) },
    { engine, random: fixed },
  )
  const points = keccak_256(statement.weights === null ? new Uint8Array(0) : parseHex(statement.weights, 'Points'))
  return { statement, digest: registrationDigest(spec, points, place), proof: toHex(proof) }
}

describe('frozen vectors', async () => {
  if (process.env['TACIT_FREEZE'] === '1') {
    const engine = await createProofEngine()
    const vectors: Vector[] = []
    for (const [k, spec] of specs.entries()) vectors.push(await make(engine, spec, k + 1))
    writeFileSync(file, `${JSON.stringify(vectors, null, 1)}\n`)
  }
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as readonly { statement: unknown; digest: string; proof: `0x${string}` }[]
  for (const [k, { statement: raw, digest, proof }] of vectors.entries()) {
    const statement = layerStatementSchema(raw, 'statement')
    it(`${statement.spec.kind}: both verifiers accept it, with and without SIMD`, async () => {
      const bytes = parseHex(proof, 'A proof')
      for (const variant of ['simd', 'scalar'] as const)
        assert.deepEqual(verifyLayer(statement, bytes, { engine: await createProofEngine({ variant }) }), { ok: true })
      assert.deepEqual(verifyLayerSlowly(statement, bytes), { ok: true })
    })
    it(`${statement.spec.kind}: the prover makes it again, with and without SIMD`, async () => {
      const spec = specs[k]
      assert.ok(spec !== undefined)
      for (const variant of ['simd', 'scalar'] as const)
        assert.deepEqual(await make(await createProofEngine({ variant }), spec, k + 1), { statement, digest, proof })
    })
  }

  it('an opening travels as bytes, and only the right ones are accepted', async () => {
    const engine = await createProofEngine()
    const random = (n: number): Uint8Array => crypto.getRandomValues(new Uint8Array(n))
    const opening = await commitActivation(Int8Array.of(1, -2, 3, 4, -128), { groups: 1, length: 5, chunk: 2 }, { engine, random })
    const bytes = encodeOpening(opening)
    const back = await parseOpening(bytes, { engine })
    assert.deepEqual(
      [back.commitment, [...back.values], toHex(back.blinders)],
      [opening.commitment, [...opening.values], toHex(opening.blinders)],
    )
    for (let at = 0; at < bytes.length; at++)
      await assert.rejects(
        parseOpening(
          bytes.map((byte, k) => (k === at ? byte ^ 1 : byte)),
          { engine },
        ),
        /Error/,
      )
    await assert.rejects(parseOpening(bytes.subarray(0, -1), { engine }), { code: 'protocol.malformed' })
  })
})
