import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { resolveForge, runForge } from './support/forge.ts'
import { exercisePool } from './support/pool-machine.ts'

const forge = resolveForge()

describe('contracts, at length', () => {
  if (forge !== undefined) {
    it('pass thousands of fuzz runs and long invariant runs', async () => {
      const tests = await runForge(forge, 'full')
      const failed = tests.filter((test) => !test.isPassed).map((test) => `${test.suite}.${test.name}: ${test.reason}`)
      assert.deepEqual(failed, [])
      for (const test of tests.filter((each) => each.name.startsWith('invariant_')))
        assert.ok(test.runs >= 22_000, `${test.name}: ${test.runs} calls`)
    })
  }

  it('keep the pool balanced through many random transactions', async () => {
    for (const seed of [2, 3, 4]) await exercisePool({ steps: 600, seed })
  })
})
