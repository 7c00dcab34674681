import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { resolveForge, runForge } from './support/forge.ts'
import { exercisePool } from './support/pool-machine.ts'

const forge = resolveForge()

describe('contracts', () => {
  if (forge !== undefined) {
    it('pass their fuzz and invariant tests in forge', async () => {
      const tests = await runForge(forge, 'default')
      const failed = tests.filter((test) => !test.isPassed).map((test) => `${test.suite}.${test.name}: ${test.reason}`)
      assert.deepEqual(failed, [])
      const suites = [...new Set(tests.map((test) => test.suite))].sort()
      assert.deepEqual(suites, [
        'HostileTest',
        'PaymentPoolInvariantTest',
        'PaymentPoolTest',
        'ProofDisputesInvariantTest',
        'RegistriesTest',
        'Secp256k1Test',
        'WorkerRegistryInvariantTest',
      ])
      for (const test of tests.filter((each) => each.name.startsWith('invariant_')))
        assert.ok(test.runs >= 600, `${test.name}: ${test.runs} calls`)
      for (const test of tests.filter((each) => each.name.startsWith('testFuzz_')))
        assert.ok(test.runs >= 100, `${test.name}: ${test.runs} runs`)
    })
  }

  // Also what stands for forge where npm has none.
  it('keep the pool balanced through random transactions on a real chain', async () => {
    await exercisePool({ steps: forge === undefined ? 400 : 60, seed: 1 })
  })
})
