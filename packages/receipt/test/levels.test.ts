// Times, readers, rounding and the two dials.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ReceiptCore } from '@tacit/protocol'
import { type CheckName, type ReceiptVerification, verifyReceipt } from '@tacit/receipt'
import { acceptedAt, buildWorld, stranger, type WorldOptions, worker } from './fixture.ts'

async function verifyWorld(options: WorldOptions, now?: number): Promise<ReceiptVerification> {
  const world = await buildWorld(options)
  return verifyReceipt(world.bytes, { checkpoint: world.checkpoint, ...(now === undefined ? {} : { now }) })
}

function assertOnlyFails(result: ReceiptVerification, check: CheckName): void {
  assert.deepEqual(
    result.lines.filter((line) => line.status === 'FAIL').map((line) => line.check),
    [check],
  )
  assert.equal(result.exitCode, 1)
  assert.equal(result.level, null)
}

describe('the times of a receipt', () => {
  it('may not run backwards', async () => {
    assertOnlyFails(await verifyWorld({ core: { completedAt: acceptedAt - 1 } }), 'times')
  })
  it('may not pass the deadline', async () => {
    assertOnlyFails(await verifyWorld({ core: { completedAt: acceptedAt + 601 } }), 'times')
    assert.equal((await verifyWorld({ core: { completedAt: acceptedAt + 600 } })).exitCode, 0)
  })
  it('may not lie in the future of the reader, beyond a clock that is a little wrong', async () => {
    assertOnlyFails(await verifyWorld({}, acceptedAt - 3600), 'times')
    assert.equal((await verifyWorld({}, acceptedAt - 60)).exitCode, 0)
  })
})

describe('the counts of a receipt', () => {
  const delivered = async (): Promise<ReceiptCore['delivered']> => (await buildWorld()).core.delivered
  it('must be rounded, so that they do not tell the length of what was said', async () => {
    assertOnlyFails(await verifyWorld({ core: { delivered: { ...(await delivered()), outputUnits: 63 } } }), 'core')
    assertOnlyFails(await verifyWorld({ core: { delivered: { ...(await delivered()), inputUnits: 5 } } }), 'core')
    const { payment } = (await buildWorld()).core
    assertOnlyFails(await verifyWorld({ core: { payment: { ...payment, steps: 3 } } }), 'core')
    assert.equal((await verifyWorld({ core: { delivered: { ...(await delivered()), outputUnits: 0 } } })).exitCode, 0)
  })
})

describe('the readers of a receipt', () => {
  it('include the worker, who computed on the input', async () => {
    assertOnlyFails(await verifyWorld({ ordered: { readers: [] } }), 'levels')
    assertOnlyFails(await verifyWorld({ ordered: { readers: [stranger.address] } }), 'levels')
    assert.equal((await verifyWorld({ ordered: { readers: [worker.address, stranger.address] } })).exitCode, 0)
  })
  it('are named once', async () => {
    assertOnlyFails(await verifyWorld({ ordered: { readers: [worker.address, worker.address] } }), 'core')
  })
  it('are nobody when the input was encrypted', async () => {
    assertOnlyFails(await verifyWorld({ ordered: { privacy: 'encrypted' } }), 'levels')
  })
})

describe('the ordered level', () => {
  for (const verification of ['audited', 'replayed', 'proved'] as const) {
    it(`${verification} is not reached by a signature: the gap is named`, async () => {
      const result = await verifyWorld({ ordered: { verification } })
      assert.equal(result.exitCode, 2)
      assert.deepEqual(result.level, { privacy: 'sealed', verification: 'signed' })
      assert.deepEqual(result.orderedLevel, { privacy: 'sealed', verification })
      assert.equal(result.lines.find((line) => line.check === 'verification')?.status, 'SKIP')
    })
  }
  it('attested and encrypted are not reached by a promise', async () => {
    for (const ordered of [{ privacy: 'attested' }, { privacy: 'encrypted', readers: [] }] as const) {
      const result = await verifyWorld({ ordered })
      assert.equal(result.exitCode, 2)
      assert.equal(result.level?.privacy, 'sealed')
      assert.equal(result.lines.find((line) => line.check === 'privacy')?.status, 'SKIP')
    }
  })
  it('must exist: there is no proof and no audit over ciphertexts', async () => {
    for (const verification of ['proved', 'audited'] as const) {
      assertOnlyFails(await verifyWorld({ ordered: { privacy: 'encrypted', verification, readers: [] } }), 'levels')
    }
  })
})
