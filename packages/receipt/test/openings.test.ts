// Opening a receipt shows what was said and paid, and nothing else can be shown in its place.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { bytes32, documentId, encodeOpenings, type Openings, signDocument, toHex, utf8 } from '@tacit/protocol'
import { type CheckName, verifyReceipt } from '@tacit/receipt'
import { buildWorld, bytes32Of, domain, payer, quote, quoteScope, scope, seeded, stranger, type World, worker } from './fixture.ts'
import { leafPaths, mutateLeaf } from './mutate.ts'

describe('openings', () => {
  let world: World
  before(async () => {
    world = await buildWorld()
  })

  async function statusOf(check: CheckName, openings: unknown): Promise<string | undefined> {
    const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint, openings })
    assert.equal(result.exitCode, result.lines.some((line) => line.status === 'FAIL') ? 1 : 0)
    return result.lines.find((line) => line.check === check)?.status
  }

  it('hold as a file and as a value, in whole and in part', async () => {
    assert.equal(await statusOf('input', encodeOpenings(world.openings)), 'PASS')
    const partial: Openings = { ...world.openings, output: null, voucher: null, order: null }
    assert.equal(await statusOf('input', partial), 'PASS')
    assert.equal(await statusOf('output', partial), undefined)
  })

  it('are refused whichever field is changed', async () => {
    const paths = leafPaths(world.openings)
    assert.ok(paths.length > 30)
    for (const path of paths) {
      const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint, openings: mutateLeaf(world.openings, path) })
      assert.equal(result.exitCode, 1, path.join('.'))
    }
  })

  it('of another receipt are refused', async () => {
    assert.equal(await statusOf('openings', { ...world.openings, receiptId: bytes32Of('other') }), 'FAIL')
  })

  it('do not let input and output change places, or another text pass', async () => {
    assert.equal(await statusOf('input', { ...world.openings, input: world.openings.output }), 'FAIL')
    assert.equal(await statusOf('output', { ...world.openings, output: world.openings.input }), 'FAIL')
    const other = { frankingKey: toHex(seeded('input franking key')), plaintext: toHex(utf8('something else')) }
    assert.equal(await statusOf('input', { ...world.openings, input: other }), 'FAIL')
  })

  it('do not show another amount or channel', async () => {
    const { voucher } = world.openings
    assert.ok(voucher !== null)
    assert.equal(await statusOf('voucher', { ...world.openings, voucher: { ...voucher, amount: '30001' } }), 'FAIL')
    assert.equal(await statusOf('voucher', { ...world.openings, voucher: { ...voucher, salt: bytes32Of('x') } }), 'FAIL')
  })

  it('show when a receipt does not keep what both sides had signed', async () => {
    for (const changed of [
      { privacy: 'attested' },
      { verification: 'proved' },
      { streamMode: 'immediate' },
      { readers: [worker.address, stranger.address] },
    ] as const) {
      const dishonest = await buildWorld({ ordered: changed })
      const result = await verifyReceipt(dishonest.bytes, { checkpoint: dishonest.checkpoint, openings: dishonest.openings })
      assert.equal(result.lines.find((line) => line.check === 'order')?.status, 'FAIL')
    }
  })

  it('show no order that payer and worker did not sign', async () => {
    const { order } = world.openings
    assert.ok(order !== null)
    const byStranger = signDocument('Request', order.request.document, scope, domain, stranger)
    assert.equal(await statusOf('order', { ...world.openings, order: { ...order, request: byStranger } }), 'FAIL')
    const selfMade = signDocument('Quote', order.quote.document, quoteScope, domain, payer)
    assert.equal(await statusOf('order', { ...world.openings, order: { ...order, quote: selfMade } }), 'FAIL')
    const cheaper = signDocument('Quote', { ...quote, stepPrice: '1' }, quoteScope, domain, worker)
    assert.equal(await statusOf('order', { ...world.openings, order: { ...order, quote: cheaper } }), 'FAIL')
    assert.equal(bytes32(documentId(order.request.document), 'id'), world.core.ordered.request)
  })
})
