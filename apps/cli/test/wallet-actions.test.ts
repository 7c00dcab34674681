import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createTransactionSender, fetchFreeBalance, lockForPayee } from '@tacit/chain'
import { type EmbeddedChain, startEmbeddedChain } from '@tacit/chain/embedded'
import { fetchJson } from '@tacit/network'
import { enrolWorker, loadZoo, publishCard } from '@tacit/node/node'
import { createSigner, type ModelId, parseAddress, parseBytes32 } from '@tacit/protocol'
import { fundFromFaucet, ownFaucet, tokenUnit } from '../src/faucet.ts'
import { openClient, type OpenedClient } from '../src/open-client.ts'
import { recoverLocks } from '../src/recover-locks.ts'
import { unstakeAll } from '../src/unstake.ts'
import { deposit, fetchBalances, fetchLocks, unlockAll, withdraw } from '../src/wallet-actions.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'tacit-wallet-'))
const payee = parseAddress(`0x${'5e'.repeat(20)}`)
const salt = parseBytes32(`0x${'01'.repeat(32)}`)
let chain: EmbeddedChain
let opened: OpenedClient
let model: ModelId

before(async () => {
  chain = await startEmbeddedChain({ dataDir })
  const network = {
    type: 'tacit-network/1' as const,
    chainUrl: chain.url,
    deployment: chain.deployment,
    relayUrl: 'ws://127.0.0.1:1',
    dispatcherUrl: null,
    dispatcher: null,
  }
  opened = await openClient(dataDir, network)
  const [first] = loadZoo()
  assert.ok(first)
  model = await publishCard(createTransactionSender(chain.connection, chain.keys.owner), first.card)
})
after(async () => {
  await opened[Symbol.asyncDispose]()
  await chain.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function lock(amountWei: bigint): Promise<void> {
  const { channelId } = await lockForPayee(opened.sender, { payee, modelId: model, salt, amountWei })
  opened.store.writeChannel({ id: channelId, worker: payee, model, salt, locked: amountWei })
}

async function sleepOnChain(seconds: number): Promise<void> {
  for (const [method, params] of [['evm_increaseTime', [seconds]] as const, ['evm_mine', []] as const])
    await fetchJson(chain.url, { body: { jsonrpc: '2.0', id: 1, method, params } })
}

describe('a wallet', () => {
  it('says what is missing before it sends anything', async () => {
    await assert.rejects(deposit(opened, 1n), { code: 'cli.balance-too-low' })
    await assert.rejects(withdraw(opened, 1n), { code: 'cli.balance-too-low' })
    const poolWei = await fundFromFaucet(opened, ownFaucet(createTransactionSender(chain.connection, chain.keys.faucet)))
    assert.equal(poolWei, 100n * tokenUnit)
    await assert.rejects(deposit(opened, 1_000_000n * tokenUnit), { code: 'cli.balance-too-low' })
    await assert.rejects(withdraw(opened, poolWei + 1n), { code: 'cli.balance-too-low' })
  })

  it('moves tokens into the pool and back, to the last unit', async () => {
    const start = await fetchBalances(opened)
    await deposit(opened, 7n)
    const between = await fetchBalances(opened)
    assert.deepEqual([between.poolWei - start.poolWei, start.tokensWei - between.tokensWei], [7n, 7n])
    await withdraw(opened, 7n)
    const end = await fetchBalances(opened)
    assert.deepEqual([end.poolWei, end.tokensWei], [start.poolWei, start.tokensWei])
  })

  it('asks for a lock back, takes it out of use at once, and gets all of it after the delay', async () => {
    const free = await fetchFreeBalance(chain.connection, opened.payer.address)
    await lock(5n * tokenUnit)
    assert.deepEqual(
      (await fetchLocks(opened)).map(({ status, lockedWei, spentWei }) => [status, lockedWei, spentWei]),
      [['open', 5n * tokenUnit, 0n]],
    )
    const [asked] = await unlockAll(opened)
    assert.equal(asked?.outcome, 'asked')
    assert.equal(opened.store.channel(payee, model), undefined, 'no request uses it any more')
    const [waiting] = await unlockAll(opened)
    assert.deepEqual([waiting?.outcome, waiting?.unlockAt], ['waiting', asked?.unlockAt])
    assert.equal((await fetchLocks(opened))[0]?.status, 'closing')
    await sleepOnChain(3_601)
    assert.equal((await unlockAll(opened))[0]?.outcome, 'returned')
    assert.equal(await fetchFreeBalance(chain.connection, opened.payer.address), free)
    assert.deepEqual(await fetchLocks(opened), [])
    assert.deepEqual(await unlockAll(opened), [])
  })

  it('finds forgotten locks on chain, and only asks for them back', async () => {
    const other = parseBytes32(`0x${'02'.repeat(32)}`)
    const { channelId } = await lockForPayee(opened.sender, { payee, modelId: model, salt: other, amountWei: 3n })
    const signal = AbortSignal.timeout(20_000)
    const found = await recoverLocks(opened, signal)
    assert.deepEqual(found, [{ id: channelId, worker: payee, model, salt: other, locked: 3n }])
    assert.equal(opened.store.channel(payee, model), undefined)
    assert.deepEqual(await recoverLocks(opened, signal), [], 'nothing is found twice')
    assert.deepEqual(
      (await unlockAll(opened)).map(({ outcome }) => outcome),
      ['asked'],
    )
  })

  it('stakes for a worker and gets all of it back after the thaw', async () => {
    const identity = createSigner(Uint8Array.from({ length: 32 }, () => 9))
    const { tokensWei } = await fetchBalances(opened)
    const profile = { endpoint: 'ws://127.0.0.1:1', region: 'test', capacity: 1 }
    const stakeWei = (): bigint => 1_000n * tokenUnit
    await enrolWorker(opened.sender, identity, { models: [model], profile, stakeWei })
    await enrolWorker(opened.sender, identity, { models: [model], profile, stakeWei })
    assert.equal((await fetchBalances(opened)).tokensWei, tokensWei - stakeWei(), 'staked once, not twice')
    const outcomes = async () => (await unstakeAll(opened, identity.address)).map(({ outcome, amountWei }) => [outcome, amountWei])
    assert.deepEqual(await outcomes(), [['asked', stakeWei()]])
    assert.deepEqual(await outcomes(), [['waiting', stakeWei()]])
    await sleepOnChain(2 * 86_400 + 1)
    assert.deepEqual(await outcomes(), [['returned', stakeWei()]])
    assert.equal((await fetchBalances(opened)).tokensWei, tokensWei)
    assert.deepEqual(await outcomes(), [])
  })
})
