// What a worker asks a real chain: which locks it may work for, and what is left of a voucher.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fetchChannel, lockForPayee, releaseChannel, repriceModel, requestUnlock } from '@tacit/chain'
import type { EmbeddedChain } from '@tacit/chain/embedded'
import { randomWord, startTemporaryChain, token } from '../../chain/test/support/local-chain.ts'
import { type Market, openMarket, signClaim } from '../../chain/test/support/market.ts'
import { type AgreedShares, createChannelReader, createRedeemer, fetchAgreedShares } from '../src/index.ts'
import type { Journal, Redeemable } from '../src/worker/journal.ts'
import { redeemAll } from '../src/worker/redeemer.ts'

describe('a worker and its chain', () => {
  let chain: EmbeddedChain
  let market: Market
  let agreed: AgreedShares
  before(async () => {
    chain = await startTemporaryChain()
    market = await openMarket(chain)
    agreed = await fetchAgreedShares(chain.connection, [market.modelId])
  })
  after(async () => await chain[Symbol.asyncDispose]())

  async function open(amountWei: bigint) {
    const { client, worker, modelId } = market
    const salt = randomWord()
    const { channelId } = await lockForPayee(client, { payee: worker.address, modelId, salt, amountWei })
    return { channelId, key: { payer: client.address, model: modelId, salt }, target: { payee: worker.address, modelId, salt } }
  }

  it('works for open locks with the split that it agreed to, and says why not for others', async () => {
    const { client, owner, worker, modelId } = market
    const read = createChannelReader(chain.connection, worker.address, agreed)
    const good = await open(2n * token)
    assert.equal((await read(good.key, { needs: 1n }))?.unusable, null)
    const leaving = await open(token)
    await requestUnlock(client, leaving.target)
    assert.match((await read(leaving.key, { needs: 1n }))?.unusable ?? '', /taking this lock back/)
    // The owner takes more from locks that are made from now on; the worker did not agree to that.
    await repriceModel(owner, modelId, { pricePerStepWei: token, minStakeWei: 2_000n * token, ownerBps: 4_000 })
    const dear = await open(token)
    assert.match((await read(dear.key, { needs: 1n }))?.unusable ?? '', /larger share/)
    assert.equal((await createChannelReader(chain.connection, worker.address, agreed)(good.key, { needs: 1n }))?.unusable, null)
    assert.equal(await read({ ...good.key, salt: randomWord() }, { needs: 1n }), undefined)
  })

  it('takes what a closed channel kept, once, and holds up nothing with the rest', async () => {
    const { client, worker } = market
    const [closed, full] = [await open(2n * token), await open(3n * token)]
    const dueOf = ({ channelId, key, target }: typeof closed, amount: bigint): Redeemable => {
      const { signature } = signClaim(chain.connection, client.signer, { ...target, payer: client.address }, amount)
      return {
        channel: channelId,
        key,
        voucher: { channelId, maxClaimableAmount: amount.toString(), signature },
        amount,
        receipts: [],
        redeemed: 0n,
      }
    }
    // The worker lets go of a channel while a voucher for more than what stays is in the journal.
    let due = [dueOf(closed, 2n * token), dueOf(full, 3n * token)]
    const redeem = createRedeemer(worker)
    const first = dueOf(closed, token)
    await redeem([first], `0x${'00'.repeat(32)}`)
    await releaseChannel(worker, { payer: client.address, modelId: closed.target.modelId, salt: closed.target.salt, finalAmountWei: token })
    assert.equal((await fetchChannel(chain.connection, closed.channelId)).status, 'closed')
    const marked = new Map<string, bigint>()
    const journal = {
      redeemable: () => due,
      recordBatch: () => {},
      markRedeemed: (channel: string, amount: bigint) => {
        marked.set(channel, amount)
        due = due.filter((entry) => entry.channel !== channel)
      },
    } as unknown as Journal
    const random = (size: number): Uint8Array => new Uint8Array(size).fill(7)
    await redeemAll(journal, redeem, random)
    assert.equal(marked.get(full.channelId), 3n * token)
    assert.equal((await fetchChannel(chain.connection, full.channelId)).claimedWei, 3n * token)
    assert.equal(marked.get(closed.channelId), 2n * token, 'written off: it would fail for ever')
    assert.deepEqual(due, [])
    assert.equal(await redeemAll(journal, redeem, random), 0n)
  })
})
