import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hashTypedData } from 'viem'
import { createVoucherDigest, toHex, type Bytes32 } from '@tacit/protocol'
import {
  fetchChannel,
  fetchFreeBalance,
  fetchRevenue,
  fetchTokenBalance,
  lockForPayee,
  moveLock,
  paymentPoolAbi,
  redeemVoucher,
  redeemVouchers,
  releaseChannel,
  requestUnlock,
  splitOf,
  TransactionRevertedError,
  unlockChannel,
  withdrawFromPool,
  withdrawRevenue,
} from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { fundedSender, randomWord, startTemporaryChain, token, warp } from './support/local-chain.ts'
import { type Market, openMarket, signClaim } from './support/market.ts'

const reverts = (reason: string) => (error: unknown) => error instanceof TransactionRevertedError && error.reason === reason

describe('payments on a real chain', () => {
  let chain: EmbeddedChain
  let market: Market
  before(async () => {
    chain = await startTemporaryChain()
    market = await openMarket(chain)
  })
  after(async () => await chain[Symbol.asyncDispose]())

  async function openChannel(amountWei: bigint, salt: Bytes32 = randomWord()) {
    const { client, worker, modelId } = market
    const target = { payee: worker.address, modelId, salt }
    const { channelId } = await lockForPayee(client, { ...target, amountWei })
    return { channelId, target, key: { ...target, payer: client.address } }
  }

  it('agrees with viem and the contract on what a voucher signature signs', async () => {
    const { channelId } = await openChannel(token)
    const verifyingContract = chain.deployment.contracts.paymentPool
    const ours = toHex(createVoucherDigest({ chainId: chain.chainId, contract: verifyingContract })({ channelId, maxClaimableAmount: 7n }))
    const theirs = hashTypedData({
      domain: { name: 'x402 Batch Settlement', version: '1', chainId: chain.chainId, verifyingContract },
      types: {
        Voucher: [
          { name: 'channelId', type: 'bytes32' },
          { name: 'maxClaimableAmount', type: 'uint128' },
        ],
      },
      primaryType: 'Voucher',
      message: { channelId, maxClaimableAmount: 7n },
    })
    const onChain = await chain.connection.client.readContract({
      address: verifyingContract,
      abi: paymentPoolAbi,
      functionName: 'voucherDigest',
      args: [channelId, 7n],
    })
    assert.equal(ours, theirs)
    assert.equal(ours, onChain)
  })

  it('derives the channel id as the pool does', async () => {
    const { channelId, key } = await openChannel(token)
    const address = chain.deployment.contracts.paymentPool
    const args = [key.payer, key.payee, key.modelId, key.salt] as const
    assert.equal(await chain.connection.client.readContract({ address, abi: paymentPoolAbi, functionName: 'channelIdOf', args }), channelId)
  })

  it('pays each redeemed unit to exactly one of worker, owner and protocol', async () => {
    const { client, worker, owner } = market
    const { channelId, key } = await openChannel(100n * token)
    const workerBefore = await fetchTokenBalance(chain.connection, worker.address)
    await redeemVoucher(worker, signClaim(chain.connection, client.signer, key, 33n), { receiptsRoot: randomWord() })
    await redeemVoucher(worker, signClaim(chain.connection, client.signer, key, 1_000n * 7n + 1n))
    const channel = await fetchChannel(chain.connection, channelId)
    assert.equal(channel.claimedWei, 7_001n)
    const split = splitOf(worker.address, channel)
    assert.deepEqual([split.ownerBps, split.protocolBps], [1_500, 300])
    assert.deepEqual(await fetchRevenue(chain.connection, worker.address, [split]), { dividedWei: 0n, undividedWei: 7_001n })
    await withdrawRevenue(worker, { splits: [split] })
    assert.equal((await fetchTokenBalance(chain.connection, worker.address)) - workerBefore, (7_001n * 8_200n) / 10_000n)
    const ofOwner = await fetchRevenue(chain.connection, owner.address, [split])
    assert.deepEqual(ofOwner, { dividedWei: (7_001n * 1_500n) / 10_000n, undividedWei: 0n })
  })

  it('refuses a voucher that does not rise, exceeds itself or the lock, or is signed by somebody else', async () => {
    const { client, worker } = market
    const { key } = await openChannel(10n)
    const claim = (amount: bigint, ceiling = amount, signer = client.signer) =>
      redeemVoucher(worker, signClaim(chain.connection, signer, key, amount, ceiling))
    await claim(5n)
    await assert.rejects(claim(5n), reverts('VoucherNotIncreasing'))
    await assert.rejects(claim(7n, 6n), reverts('ClaimExceedsVoucher'))
    await assert.rejects(claim(11n), reverts('VoucherExceedsLock'))
    await assert.rejects(claim(6n, 6n, worker.signer), reverts('InvalidVoucherSignature'))
    const stranger = await fundedSender(chain)
    await assert.rejects(redeemVoucher(stranger, signClaim(chain.connection, client.signer, key, 6n)), reverts('ChannelNotOpen'))
  })

  it('redeems a voucher whose signature ends in the other recovery byte', async () => {
    const { client, worker } = market
    const { channelId, key } = await openChannel(10n)
    const claim = signClaim(chain.connection, client.signer, key, 4n)
    const flipped = claim.signature.endsWith('1b') ? '1c' : '1b'
    await redeemVoucher(worker, { ...claim, signature: `0x${claim.signature.slice(2, -2)}${flipped}` })
    assert.equal((await fetchChannel(chain.connection, channelId)).claimedWei, 4n)
  })

  it('redeems what it can of a batch and skips the rest', async () => {
    const { client, worker } = market
    const good = await openChannel(10n)
    const bad = await openChannel(10n)
    const [receipt] = await redeemVouchers(worker, [
      signClaim(chain.connection, client.signer, bad.key, 11n),
      signClaim(chain.connection, client.signer, good.key, 10n),
    ])
    assert.equal(receipt?.status, 'success')
    assert.equal((await fetchChannel(chain.connection, good.channelId)).claimedWei, 10n)
    assert.equal((await fetchChannel(chain.connection, bad.channelId)).claimedWei, 0n)
    await assert.rejects(redeemVouchers(worker, [signClaim(chain.connection, client.signer, bad.key, 11n)]), reverts('NothingRedeemed'))
  })

  // More than a transaction may use (2^24 gas, 128 KiB) would be refused for ever.
  it('redeems more channels than fit in one transaction, and reads over batches without a good voucher', async () => {
    const { client, worker, modelId } = market
    const [first, last] = [await openChannel(10n), await openChannel(10n)]
    const missing = { payer: client.address, payee: worker.address, modelId, salt: randomWord() }
    // Of contracts, as far as anybody can tell from the signature: seventeen of them might use what one transaction may.
    const dead = { ...signClaim(chain.connection, client.signer, missing, 5n), signature: '0x01' } as const
    const claims = [signClaim(chain.connection, client.signer, first.key, 5n), ...new Array<typeof dead>(36).fill(dead)]
    const receipts = await redeemVouchers(worker, [...claims, signClaim(chain.connection, client.signer, last.key, 6n)])
    assert.equal(receipts.length, 2, 'the batch in the middle has nothing to redeem')
    assert.equal((await fetchChannel(chain.connection, first.channelId)).claimedWei, 5n)
    assert.equal((await fetchChannel(chain.connection, last.channelId)).claimedWei, 6n)
    assert.deepEqual(await redeemVouchers(worker, []), [])
  })

  it('lets the payee redeem until the unlock delay has passed, and the payer take the rest after it', async () => {
    const { client, worker } = market
    const { channelId, key, target } = await openChannel(10n)
    const freeBefore = await fetchFreeBalance(chain.connection, client.address)
    await assert.rejects(unlockChannel(client, target), reverts('UnlockNotDue'))
    await requestUnlock(client, target)
    await assert.rejects(unlockChannel(client, target), reverts('UnlockNotDue'))
    await redeemVoucher(worker, signClaim(chain.connection, client.signer, key, 3n))
    await warp(chain.connection, 3_601)
    await unlockChannel(client, target)
    assert.equal((await fetchFreeBalance(chain.connection, client.address)) - freeBefore, 7n)
    const channel = await fetchChannel(chain.connection, channelId)
    assert.deepEqual([channel.status, channel.lockedWei, channel.claimedWei], ['closed', 3n, 3n])
    await assert.rejects(redeemVoucher(worker, signClaim(chain.connection, client.signer, key, 4n)), reverts('VoucherExceedsLock'))
    await assert.rejects(lockForPayee(client, { ...target, amountWei: 1n }), reverts('ChannelExists'))
  })

  it('moves a lock at once with the consent of the payee, who keeps what it asked for', async () => {
    const { client, worker, modelId } = market
    const other = await fundedSender(chain)
    const { channelId, key, target } = await openChannel(10n)
    const to = { payee: other.address, modelId, salt: randomWord() }
    const address = chain.deployment.contracts.paymentPool
    const digest = await chain.connection.client.readContract({
      address,
      abi: paymentPoolAbi,
      functionName: 'releaseDigest',
      args: [channelId, 4n],
    })
    const consent = worker.signer.sign(Buffer.from(digest.slice(2), 'hex'))
    await assert.rejects(moveLock(client, { from: target, to, finalAmountWei: 3n, consent }), reverts('InvalidReleaseSignature'))
    const moved = await moveLock(client, { from: target, to, finalAmountWei: 4n, consent })
    assert.equal((await fetchChannel(chain.connection, moved.channelId)).lockedWei, 6n)
    await redeemVoucher(worker, signClaim(chain.connection, client.signer, key, 4n))
    await redeemVoucher(other, signClaim(chain.connection, client.signer, { ...to, payer: client.address }, 6n))
  })

  it('lets the payee release a channel, and the payer withdraw what is free', async () => {
    const { client, worker } = market
    const { key } = await openChannel(10n)
    const before = await fetchTokenBalance(chain.connection, client.address)
    await releaseChannel(worker, { ...key, finalAmountWei: 0n })
    const free = await fetchFreeBalance(chain.connection, client.address)
    await withdrawFromPool(client, { amountWei: free })
    assert.equal((await fetchTokenBalance(chain.connection, client.address)) - before, free)
    await assert.rejects(withdrawFromPool(client, { amountWei: 1n }), reverts('InsufficientFreeBalance'))
  })
})
