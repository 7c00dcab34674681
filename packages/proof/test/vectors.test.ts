// Frozen proofs: made once with a fixed random source, accepted by both verifiers ever after, and made again bit for bit.
// TACIT_FREEZE=1 writes the file; a change of the format needs a new suite name, not new vectors under the old one.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { layerStatementSchema, parseHex, toHex } from '@tacit/protocol'
import { encodeOpening, parseOpening } from '../src/commit/opening-encoding.ts'
import { commitActivation } from '../src/commit/activation.ts'
import { createProofEngine } from '../src/engine.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { type FrozenProof, frozenRowSpecs, frozenSpecs, makeFrozen } from './support/frozen.ts'

const files = [
  ['layer-proofs.json', frozenSpecs],
  ['row-layer-proofs.json', frozenRowSpecs],
] as const

describe('frozen vectors', async () => {
  for (const [name, specs] of files) {
    const file = join(import.meta.dirname, 'vectors', name)
    if (process.env['TACIT_FREEZE'] === '1') {
      const engine = await createProofEngine()
      const vectors: FrozenProof[] = []
      for (const [k, spec] of specs.entries()) vectors.push(await makeFrozen(engine, spec, k + 1))
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
          assert.deepEqual(await makeFrozen(await createProofEngine({ variant }), spec, k + 1), { statement, digest, proof })
      })
    }
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
