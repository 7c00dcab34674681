import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { mnemonicToAccount } from 'viem/accounts'
import { createSigner, type parseAddress } from '@tacit/protocol'
import {
  assertNotDevelopmentKey,
  createChainClient,
  createTransactionSender,
  developmentAccounts,
  fetchTokenBalance,
  type TransactionSenderOptions,
  TransactionTimeoutError,
  transferTokens,
} from '../src/index.ts'
import { type EmbeddedChain, startEmbeddedChain } from '../src/embedded/index.ts'
import { randomSigner, rpc, startTemporaryChain, temporaryDirectory, until } from './support/local-chain.ts'

describe('the transaction sender', () => {
  let chain: EmbeddedChain
  before(async () => {
    chain = await startTemporaryChain({ blockSeconds: 3_600 })
  })
  after(async () => await chain[Symbol.asyncDispose]())

  const ownerSender = (options: TransactionSenderOptions = {}) => createTransactionSender(chain.connection, chain.keys.owner, options)
  const pay = (sender = ownerSender(), amountWei = 1n, to = randomSigner().address) =>
    transferTokens(sender, { to, amountWei }).then((receipt) => ({ receipt, to }))
  const received = (to: ReturnType<typeof parseAddress>) => fetchTokenBalance(chain.connection, to)
  const mined = () => chain.connection.client.getTransactionCount({ address: chain.keys.owner.address })

  async function whileNothingIsMined(work: () => Promise<void>): Promise<void> {
    // Anvil leaves its mixed mode for automatic mining, and only that can be switched off.
    await rpc(chain, 'evm_setAutomine', [true])
    await rpc(chain, 'evm_setAutomine', [false])
    try {
      await work()
    } finally {
      await rpc(chain, 'evm_setAutomine', [true])
    }
  }

  it('sends many at once, each once, in order', async () => {
    const before = await mined()
    const sender = ownerSender()
    const to = randomSigner().address
    const receipts = await Promise.all(Array.from({ length: 25 }, () => pay(sender, 1n, to)))
    assert.equal(await received(to), 25n)
    assert.equal(await mined(), before + 25)
    assert.ok(receipts.every(({ receipt }) => receipt.status === 'success'))
  })

  it('raises the fees of a stuck transaction until it is mined, once', async () => {
    const before = await mined()
    await whileNothingIsMined(async () => {
      const to = randomSigner().address
      const sending = pay(ownerSender({ stuckAfterMs: 60 }), 5n, to)
      const tip = async () => {
        const pool = (await rpc(chain, 'txpool_content')) as { pending: Record<string, Record<string, { maxPriorityFeePerGas: string }>> }
        const own = Object.values(pool.pending).flatMap((byNonce) => Object.values(byNonce))
        return own.length === 1 ? BigInt(own[0]?.maxPriorityFeePerGas ?? 0) : 0n
      }
      await until(async () => (await tip()) > 0n, 'the transaction to arrive')
      const first = await tip()
      await until(async () => (await tip()) > (first * 3n) / 2n, 'two raises')
      await rpc(chain, 'evm_mine')
      await sending
      assert.equal(await received(to), 5n)
    })
    assert.equal(await mined(), before + 1)
  })

  it('takes the next nonce when somebody else used its own', async () => {
    const [one, other] = [ownerSender(), ownerSender()]
    await pay(one)
    await pay(other)
    await pay(other)
    const { to } = await pay(one, 3n)
    assert.equal(await received(to), 3n)
  })

  it('gives a transaction another nonce when its own was used while it waited', async () => {
    await whileNothingIsMined(async () => {
      const sending = pay(ownerSender({ stuckAfterMs: 60 }), 7n)
      const nonce = await mined()
      await until(
        async () => (await rpc(chain, 'txpool_status').then((status) => (status as { pending: string }).pending)) === '0x1',
        'arrival',
      )
      await rpc(chain, 'anvil_dropAllTransactions')
      await rpc(chain, 'anvil_setNonce', [chain.keys.owner.address, `0x${(nonce + 1).toString(16)}`])
      await rpc(chain, 'evm_mine')
      await until(
        async () => (await rpc(chain, 'txpool_status').then((status) => (status as { pending: string }).pending)) === '0x1',
        'a new attempt',
      )
      await rpc(chain, 'evm_mine')
      const { to } = await sending
      assert.equal(await received(to), 7n)
      assert.equal(await mined(), nonce + 2)
    })
  })

  it('continues after the chain was rolled back below its nonce', async () => {
    const sender = ownerSender({ stuckAfterMs: 60 })
    await pay(sender)
    const snapshot = await rpc(chain, 'evm_snapshot')
    const rolledBack = await pay(sender, 2n)
    await pay(sender)
    await rpc(chain, 'evm_revert', [snapshot])
    assert.equal(await received(rolledBack.to), 0n)
    const { to } = await pay(sender, 4n)
    assert.equal(await received(to), 4n)
    const next = await pay(sender, 5n)
    assert.equal(await received(next.to), 5n)
    assert.equal(await received(to), 4n, 'sent twice')
  })

  it('names nonce and hashes of a transaction that was not mined in time, and recovers', async () => {
    const sender = ownerSender({ timeoutMs: 200, stuckAfterMs: 60 })
    await whileNothingIsMined(async () => {
      const nonce = await mined()
      const failure = await pay(sender).catch((error: unknown) => error)
      assert.ok(failure instanceof TransactionTimeoutError, String(failure))
      assert.equal(failure.nonce, nonce)
      assert.ok(failure.hashes.length >= 2)
      await rpc(chain, 'evm_mine')
    })
    const { to } = await pay(ownerSender(), 6n)
    assert.equal(await received(to), 6n)
  })

  it('waits out a chain that crashes and comes back', async () => {
    const sender = ownerSender({ stuckAfterMs: 300 })
    await pay(sender)
    await chain.snapshot()
    process.kill(chain.anvilPid(), 'SIGKILL')
    const { to } = await pay(sender, 8n)
    assert.equal(await received(to), 8n)
  })

  it('names what is wrong: no gas, no chain, told to stop', async () => {
    const poor = createTransactionSender(chain.connection, randomSigner())
    await assert.rejects(transferTokens(poor, { to: randomSigner().address, amountWei: 0n }), { code: 'chain.insufficient-gas-funds' })
    const nowhere = { ...chain.connection, url: 'http://127.0.0.1:1', client: createChainClient('http://127.0.0.1:1', chain.chainId) }
    const lost = createTransactionSender(nowhere, chain.keys.owner, { timeoutMs: 150 })
    await assert.rejects(transferTokens(lost, { to: randomSigner().address, amountWei: 0n }), { code: 'chain.unreachable' })
    await whileNothingIsMined(async () => {
      const call = { label: 'waiting', to: randomSigner().address, data: '0x', gas: 21_000n } as const
      const reason = new Error('told to stop')
      const sending = ownerSender().send(call, { signal: AbortSignal.any([abortSoon(reason)]) })
      await assert.rejects(sending, (error) => error === reason)
      await rpc(chain, 'evm_mine')
    })
  })

  it('refuses the development keys, all twenty, by name', () => {
    for (let addressIndex = 0; addressIndex < 20; addressIndex++) {
      const mnemonic = 'test test test test test test test test test test test junk'
      const account = mnemonicToAccount(mnemonic, { addressIndex })
      assert.equal(developmentAccounts[addressIndex], account.address.toLowerCase())
      const signer = createSigner(account.getHdKey().privateKey ?? assert.fail())
      assert.throws(() => createTransactionSender(chain.connection, signer), { code: 'chain.development-key' })
    }
    assertNotDevelopmentKey(randomSigner().address)
  })

  it('resumes on another process and port', async () => {
    const dataDir = await temporaryDirectory()
    const first = await startTemporaryChain({ dataDir })
    await first.stop()
    await using second = await startEmbeddedChain({ dataDir })
    const to = randomSigner().address
    await transferTokens(createTransactionSender(second.connection, second.keys.owner), { to, amountWei: 9n })
    assert.equal(await fetchTokenBalance(second.connection, to), 9n)
  })
})

function abortSoon(reason: Error): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(reason), 50)
  return controller.signal
}
