// The verifier as a trace against the same attacks: for every layer kind its verdict is the production verifier's, also for statements
// and encodings that are not what they look like.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { concatBytes, type Hex, type LayerStatement, parseHex, toHex } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { scalarBytes } from '../src/kernels/field.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { generator, mod, r } from '../src/reference/arithmetic.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { traceVerification } from '../src/trace/trace.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { proveAnything, statementOf } from './support/lying-prover.ts'
import { smallInstance, smallLayers } from './support/small-layers.ts'

describe('attacks on traces', async () => {
  const engine = await createProofEngine()
  const agree = (statement: LayerStatement, proof: Uint8Array, why: string): boolean => {
    const fast = verifyLayer(statement, proof, { engine }).ok
    assert.equal(traceVerification(statement, proof, { engine }).verdict, fast, why)
    return fast
  }

  for (const [name, spec] of Object.entries(smallLayers)) {
    it(`${name}: honest, false output, flipped cell, false input, changed encodings`, () => {
      const make = (change: (instance: ReturnType<typeof smallInstance>) => void, claim: 'cells' | 'vectors' = 'vectors') => {
        const instance = smallInstance(engine, spec)
        change(instance)
        const statement = statementOf(instance)
        return { statement, proof: proveAnything(instance, statement, { claim }) }
      }
      const { statement, proof } = make(() => undefined)
      assert.equal(agree(statement, proof, 'honest'), true)
      const bump = (vector: bigint[] | undefined): void => {
        if (vector !== undefined) vector[0] = mod((vector[0] ?? 0n) + 1n)
      }
      for (const claim of ['cells', 'vectors'] as const) {
        const lies = [
          make((i) => bump(i.output.at(-1)?.vector), claim),
          make((i) => bump(i.inputs[0]?.[0]?.vector), claim),
          make((i) => bump(i.cells.at(-1)), claim),
        ]
        for (const [k, lie] of lies.entries()) assert.equal(agree(lie.statement, lie.proof, `lie ${k} ${claim}`), false)
      }
      const { points, scalars } = proofLayout(createRelation(spec))
      const put = (bytes: Uint8Array, at: number, data: Uint8Array): Uint8Array => {
        const out = bytes.slice()
        out.set(data, at)
        return out
      }
      const p = 2n ** 256n - 2n ** 32n - 977n
      for (const [sign, x] of [
        [2, p + 1n],
        [2, 0n],
        [0, 1n],
        [4, 1n],
        [2, 5n],
      ] as const) {
        const encoded = concatBytes(Uint8Array.of(sign), scalarBytes(x))
        assert.equal(agree(statement, put(proof, 0, encoded), `proof point ${sign} ${x}`), false)
        const output = toHex(put(parseHex(statement.output, 'Points'), 0, encoded))
        assert.equal(agree({ ...statement, output }, proof, `output point ${sign} ${x}`), false)
      }
      for (const value of [r, 2n ** 256n - 1n])
        assert.equal(agree(statement, put(proof, 33 * points + 32 * (scalars - 1), scalarBytes(value)), `scalar ${value}`), false)
    })
  }

  it('statements with surplus points and proofs of another length have no accepted trace', () => {
    const spec = smallLayers['dense']
    assert.ok(spec !== undefined)
    const instance = smallInstance(engine, spec)
    const statement = statementOf(instance)
    const proof = proveAnything(instance, statement)
    const more = (points: Hex | null): Hex => `${points ?? '0x'}${toHex(generator('G/9').toBytes(true)).slice(2)}`
    const refused = (variant: LayerStatement, bytes: Uint8Array): void => {
      assert.equal(verifyLayer(variant, bytes, { engine }).ok, false)
      // no trace at all is as good: nothing can be asserted about it
      let verdict = false
      try {
        verdict = traceVerification(variant, bytes, { engine }).verdict
      } catch (error) {
        assert.ok(error instanceof Error)
      }
      assert.equal(verdict, false)
    }
    for (const variant of [
      { ...statement, output: more(statement.output) },
      { ...statement, weights: more(statement.weights) },
      { ...statement, inputs: statement.inputs.map(more) },
    ])
      refused(variant, proof)
    for (const bytes of [proof.subarray(1), proof.subarray(0, -1), Uint8Array.from([...proof, 0])]) refused(statement, bytes)
  })
})
