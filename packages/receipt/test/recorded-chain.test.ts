// Evidence out of a real node with the real contracts, recorded once (vectors/record.ts).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Checkpoint, checkpointSchema, encodeReceiptFile, type ReceiptFile, receiptFileSchema } from '@tacit/protocol'
import { type ReceiptVerification, verifyReceipt } from '@tacit/receipt'
import recorded from './vectors/recorded-chain.json' with { type: 'json' }

type Recording = { readonly file: ReceiptFile; readonly checkpoint: Checkpoint }

function read(recording: { readonly file: unknown; readonly checkpoint: unknown }): Recording {
  return { file: receiptFileSchema(recording.file, 'file'), checkpoint: checkpointSchema(recording.checkpoint, 'checkpoint') }
}

function reasonOf(result: ReceiptVerification, check: string): string {
  const line = result.lines.find((candidate) => candidate.check === check)
  return `${line?.status} ${line?.reason}`
}

describe('a receipt with evidence from a real node', () => {
  const { file, checkpoint } = read(recorded.registered)

  it('verifies, and names the stake that was there', async () => {
    const result = await verifyReceipt(encodeReceiptFile(file), { checkpoint })
    assert.equal(result.exitCode, 0, JSON.stringify(result.lines, null, 1))
    assert.match(reasonOf(result, 'registration'), /^PASS .* active with 3000 tokens staked/)
    assert.match(reasonOf(result, 'model'), /^PASS .*least stake 2000 tokens/)
  })

  it('verifies while its worker drains', async () => {
    const draining = read(recorded.draining)
    const result = await verifyReceipt(draining.file, { checkpoint: draining.checkpoint })
    assert.equal(result.exitCode, 0)
    assert.match(reasonOf(result, 'registration'), /draining/)
  })

  it('is refused at a block in which the stake is leaving', async () => {
    const unstaked = read(recorded.unstaked)
    const result = await verifyReceipt(unstaked.file, { checkpoint: unstaked.checkpoint })
    assert.equal(result.exitCode, 1)
    assert.match(reasonOf(result, 'registration'), /^FAIL .*no stake/)
  })

  it('is refused with the evidence of one block and the checkpoint of another', async () => {
    const result = await verifyReceipt(file, { checkpoint: read(recorded.draining).checkpoint })
    assert.equal(result.exitCode, 1)
    assert.match(reasonOf(result, 'block'), /^FAIL/)
  })

  it('is refused with a real proof that a stranger is not registered', async () => {
    const evidence = file.evidence.map((item) =>
      item.kind === 'registration/1' ? { ...item, body: { ...recorded.stranger, worker: file.receipt.document.worker } } : item,
    )
    const result = await verifyReceipt({ ...file, evidence }, { checkpoint: read(recorded.unstaked).checkpoint })
    assert.equal(result.exitCode, 1)
    assert.match(reasonOf(result, 'registration'), /^FAIL The registration proof is invalid/)
  })

  it('is refused when any node of any proof is changed', async () => {
    for (const [index, item] of file.evidence.entries()) {
      if (item.kind === 'acceptance/1') continue
      const body = item.body as Readonly<Record<string, unknown>>
      for (const [key, nodes] of Object.entries(body)) {
        if (!Array.isArray(nodes)) continue
        for (const [position, node] of nodes.entries()) {
          const changed = `${String(node).slice(0, -4)}${String(node).at(-4) === '0' ? '1' : '0'}${String(node).slice(-3)}`
          const evidence = file.evidence.with(index, { ...item, body: { ...body, [key]: nodes.with(position, changed) } })
          const result = await verifyReceipt({ ...file, evidence }, { checkpoint })
          assert.equal(result.exitCode, 1, `${item.kind} ${key} ${position}`)
        }
      }
    }
  })
})
