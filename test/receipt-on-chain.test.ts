// Receipts against living chains: the slots and headers of today's contracts and node, not of a recording.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { drainWorker, repriceModel, requestUnstake } from '@tacit/chain'
import { encodeReceiptFile } from '@tacit/protocol'
import { type ReceiptVerification, verifyReceipt } from '@tacit/receipt'
import type { EmbeddedChain } from '../packages/chain/src/embedded/index.ts'
import { startTemporaryChain, token } from '../packages/chain/test/support/local-chain.ts'
import { type Market, openMarket } from '../packages/chain/test/support/market.ts'
import { type ChainReceipt, createChainReceipt } from '../packages/receipt/test/chain-receipt.ts'

function failed(result: ReceiptVerification): readonly string[] {
  return result.lines.filter((line) => line.status === 'FAIL').map((line) => line.check)
}

describe('a receipt of a living chain', () => {
  let chain: EmbeddedChain
  let market: Market
  let prove: () => Promise<ChainReceipt>
  before(async () => {
    chain = await startTemporaryChain()
    market = await openMarket(chain)
    const job = { worker: market.worker.signer, payer: market.client.signer, model: market.modelId, seconds: 1_795_000_000 }
    prove = (await createChainReceipt(chain.connection, job)).prove
  })
  after(async () => await chain[Symbol.asyncDispose]())

  it('verifies against a checkpoint of that chain', async () => {
    const { file, checkpoint } = await prove()
    const result = await verifyReceipt(encodeReceiptFile(file), { checkpoint })
    assert.equal(result.exitCode, 0, JSON.stringify(result.lines, null, 1))
  })

  it('is refused on a network that was wiped and started again', async () => {
    const { file } = await prove()
    await using fresh = await startTemporaryChain()
    const again = await openMarket(fresh)
    const job = { worker: again.worker.signer, payer: again.client.signer, model: again.modelId, seconds: 1_795_000_000 }
    const other = await (await createChainReceipt(fresh.connection, job)).prove()
    assert.equal((await verifyReceipt(other.file, { checkpoint: other.checkpoint })).exitCode, 0)
    const result = await verifyReceipt(file, { checkpoint: other.checkpoint })
    assert.equal(result.exitCode, 1)
    assert.ok(failed(result).includes('network') && failed(result).includes('block'))
    const grafted = { ...file, evidence: [file.evidence[0], ...other.file.evidence.slice(1)] }
    assert.equal((await verifyReceipt(grafted, { checkpoint: other.checkpoint })).exitCode, 1)
  })

  it('follows what the chain says: minimum stake raised, worker draining, stake leaving', async () => {
    await repriceModel(market.owner, market.modelId, { pricePerStepWei: token, minStakeWei: 3_001n * token, ownerBps: 1_500 })
    const raised = await prove()
    assert.deepEqual(failed(await verifyReceipt(raised.file, { checkpoint: raised.checkpoint })), ['model'])
    await repriceModel(market.owner, market.modelId, { pricePerStepWei: token, minStakeWei: 3_000n * token, ownerBps: 1_500 })
    await drainWorker(market.worker, market.worker.address)
    const draining = await prove()
    assert.equal((await verifyReceipt(draining.file, { checkpoint: draining.checkpoint })).exitCode, 0)
    await requestUnstake(market.worker, { worker: market.worker.address, modelId: market.modelId, amountWei: 3_000n * token })
    const gone = await prove()
    assert.ok(failed(await verifyReceipt(gone.file, { checkpoint: gone.checkpoint })).includes('registration'))
  })
})
