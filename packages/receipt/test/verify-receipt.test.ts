import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { utf8 } from '@tacit/protocol'
import { assertVerified, type CheckName, explainReceipt, type ReceiptVerification, verifyReceipt } from '@tacit/receipt'
import { acceptedAt, buildWorld, type World } from './fixture.ts'

export function statusOf(result: ReceiptVerification, check: CheckName): string | undefined {
  return result.lines.find((line) => line.check === check)?.status
}

describe('a receipt with all its evidence', () => {
  let world: World
  before(async () => {
    world = await buildWorld()
  })

  it('verifies against a checkpoint of its block', async () => {
    const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint, now: acceptedAt + 60 })
    assert.deepEqual(
      result.lines.filter((line) => line.status !== 'PASS'),
      [],
    )
    assert.equal(result.exitCode, 0)
    assert.deepEqual(result.level, { privacy: 'sealed', verification: 'signed' })
    assert.deepEqual(result.orderedLevel, { privacy: 'sealed', verification: 'signed' })
    assertVerified(result)
  })

  it('verifies as parsed JSON and with a final line feed', async () => {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(world.bytes))
    assert.equal((await verifyReceipt(parsed, { checkpoint: world.checkpoint })).exitCode, 0)
    assert.equal((await verifyReceipt(Uint8Array.of(...world.bytes, 0x0a), { checkpoint: world.checkpoint })).exitCode, 0)
  })

  it('opens input, output, voucher and order when they are shown', async () => {
    const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint, openings: world.openings })
    assert.equal(result.exitCode, 0)
    for (const check of ['input', 'output', 'voucher', 'order'] as const) assert.equal(statusOf(result, check), 'PASS', check)
  })

  it('is incomplete without a checkpoint', async () => {
    const result = await verifyReceipt(world.bytes)
    assert.equal(result.exitCode, 2)
    assert.equal(result.level, null)
    for (const check of ['network', 'block', 'registration'] as const) assert.equal(statusOf(result, check), 'SKIP', check)
    assert.equal(statusOf(result, 'signature'), 'PASS')
    assert.throws(() => assertVerified(result), { code: 'receipt.incomplete' })
  })

  it('names amounts in tokens, exactly', async () => {
    const lines = explainReceipt(await verifyReceipt(world.bytes, { checkpoint: world.checkpoint, openings: world.openings })).join()
    assert.match(lines, /with 1000 tokens staked/)
    assert.match(lines, /at 0\.00000000000001 tokens a step/)
  })

  it('is explained one sentence per line, with the verdict last', async () => {
    const lines = explainReceipt(await verifyReceipt(world.bytes, { checkpoint: world.checkpoint }))
    assert.match(lines.at(-1) ?? '', /^VERIFIED/)
    assert.ok(lines.every((line) => /^(PASS|FAIL|SKIP) {2}|^(VERIFIED|REFUSED|INCOMPLETE)/.test(line)))
    assert.match(explainReceipt(await verifyReceipt(world.bytes)).at(-1) ?? '', /^INCOMPLETE/)
    assert.match(explainReceipt(await verifyReceipt(utf8('{}'))).at(-1) ?? '', /^REFUSED/)
  })
})
