// The quick part of attacks-on-witnesses.full.test.ts: for every layer kind a false output or a flipped cell, and answers that another
// layer would give.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { mod } from '../src/reference/arithmetic.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { type Instance, type Lies, proveAnything, statementOf } from './support/lying-prover.ts'
import { smallInstance, smallLayers } from './support/small-layers.ts'

describe('attacks on every layer kind', async () => {
  const engine = await createProofEngine()
  let turn = 0
  const verdict = (instance: Instance, lies: Lies = {}): unknown => {
    const statement = statementOf(instance)
    return verifyLayer(statement, proveAnything(instance, statement, { claim: turn++ % 2 === 0 ? 'cells' : 'vectors', ...lies }), {
      engine,
    })
  }
  const refused = { ok: false, failedCheck: 'equation' }

  // one lie per kind, in turns: the full suite has all of them
  for (const [k, [name, spec]] of Object.entries(smallLayers).entries()) {
    it(`${name}: a false output or a flipped cell is refused`, () => {
      const lie = smallInstance(engine, spec)
      const values = k % 3 === 0 ? lie.output.at(-1)?.vector : undefined
      const row = lie.cells.at(-1) ?? []
      if (values !== undefined) values[0] = mod((values[0] ?? 0n) + 1n)
      else row[1] = 1n - (row[1] ?? 0n)
      assert.deepEqual(verdict(lie), refused)
    })
  }

  it('average pool, add, rescale: what the layer with another border, scale or zero point would answer', () => {
    const changes: readonly (readonly [string, Partial<Record<string, unknown>>])[] = [
      ['averagePool', { inputZeroPoint: 0 }],
      ['add', { multiplierA: 14, multiplierB: 9 }],
      ['rescale', { inputZeroPoint: 0 }],
    ]
    for (const [name, change] of changes) {
      const spec = smallLayers[name]
      assert.ok(spec !== undefined)
      const other = smallInstance(engine, { ...spec, ...change } as LayerSpec)
      assert.deepEqual(verdict(other), { ok: true })
      assert.deepEqual(
        verdict({ ...other, spec, inputs: smallInstance(engine, spec).inputs }),
        refused,
        `${name} ${JSON.stringify(change)}`,
      )
    }
  })
})
