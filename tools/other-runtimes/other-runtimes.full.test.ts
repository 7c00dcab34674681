import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { preparePayloads } from './prepare.ts'
import { openRuntimes } from './runtimes.ts'

describe('the same bits', async () => {
  const runtimes = openRuntimes()
  const [here] = runtimes
  assert.ok(here)
  for (const payload of await preparePayloads()) {
    const expected = await here.run(payload)
    for (const runtime of runtimes.slice(1))
      it(`for ${payload.name} in ${runtime.name}`, async () => {
        assert.ok(expected.length > 0 && !expected.join().includes('unstable'))
        assert.deepEqual(await runtime.run(payload), expected)
      })
  }
})
