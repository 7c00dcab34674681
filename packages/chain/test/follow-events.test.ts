import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  createTransactionSender,
  type FollowedStep,
  followEvents,
  type FollowOptions,
  tacitTokenAbi,
  transferTokens,
  waitForBlockAfter,
  waitForChain,
} from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { randomSigner, rpc, startTemporaryChain, until } from './support/local-chain.ts'

describe('following events', () => {
  let chain: EmbeddedChain
  before(async () => {
    chain = await startTemporaryChain({ blockSeconds: 3_600 })
  })
  after(async () => await chain[Symbol.asyncDispose]())

  const pay = (amountWei: bigint) =>
    transferTokens(createTransactionSender(chain.connection, chain.keys.owner), { to: randomSigner().address, amountWei })

  /** The balance of all transfers seen, kept as a consumer would keep it: forward on events, back on a rewind. */
  function follow(options: Partial<FollowOptions> = {}): {
    steps: FollowedStep[]
    values: () => readonly bigint[]
    stop: () => Promise<void>
  } {
    const controller = new AbortController()
    const steps: FollowedStep[] = []
    let seen: { blockNumber: bigint; value: bigint }[] = []
    const contracts = [{ address: chain.deployment.contracts.tacitToken, abi: tacitTokenAbi }]
    const running = (async () => {
      for await (const step of followEvents(chain.connection, { contracts, pollMs: 10, signal: controller.signal, ...options })) {
        steps.push(step)
        if (step.kind === 'rewind') seen = seen.filter((item) => item.blockNumber <= step.cursor.blockNumber)
        else
          for (const event of step.events)
            if (event.name === 'Transfer') seen.push({ blockNumber: event.blockNumber, value: event.args['value'] as bigint })
      }
    })().catch((error: unknown) => {
      if (!controller.signal.aborted) throw error
    })
    const stop = async (): Promise<void> => {
      controller.abort()
      await running
    }
    return { steps, values: () => seen.map((item) => item.value), stop }
  }

  it('brings every event once, in order, and goes on from a stored cursor', async () => {
    const from = (await chain.connection.client.getBlockNumber()) + 1n
    const follower = follow({ from })
    for (const amount of [1n, 2n, 3n]) await pay(amount)
    await until(() => follower.values().length === 3, 'three events')
    assert.deepEqual(follower.values(), [1n, 2n, 3n])
    const cursor = follower.steps.at(-1)?.cursor ?? assert.fail()
    await follower.stop()
    await pay(4n)
    const resumed = follow({ from: cursor })
    await until(() => resumed.values().length === 1, 'the fourth')
    assert.deepEqual(resumed.values(), [4n])
    await resumed.stop()
  })

  it('asks for long histories in pieces', async () => {
    const from = (await chain.connection.client.getBlockNumber()) + 1n
    for (let amount = 1n; amount <= 9n; amount++) await pay(amount)
    const follower = follow({ from, rangeBlocks: 2n })
    await until(() => follower.values().length === 9, 'all of them')
    assert.deepEqual(follower.values(), [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n])
    assert.ok(follower.steps.length >= 5)
    await follower.stop()
  })

  it('takes back what a reorganisation removed', async () => {
    const from = (await chain.connection.client.getBlockNumber()) + 1n
    const follower = follow({ from })
    await pay(11n)
    await until(() => follower.values().length === 1, 'the first')
    const snapshot = await rpc(chain, 'evm_snapshot')
    await pay(12n)
    await until(() => follower.values().length === 2, 'the second')
    await rpc(chain, 'evm_revert', [snapshot])
    await pay(13n)
    await until(() => follower.values().at(-1) === 13n, 'the other history')
    assert.deepEqual(follower.values(), [11n, 13n])
    assert.ok(follower.steps.some((step) => step.kind === 'rewind'))
    await follower.stop()
  })

  it('recovers when even the oldest block it remembers is gone', async () => {
    const snapshot = await rpc(chain, 'evm_snapshot')
    await pay(21n)
    const cursor = {
      blockNumber: await chain.connection.client.getBlockNumber(),
      blockHash: (await chain.connection.client.getBlock()).hash,
    }
    await rpc(chain, 'evm_revert', [snapshot])
    await pay(22n)
    await pay(23n)
    const follower = follow({ from: { ...cursor, blockHash: cursor.blockHash as never } })
    await until(() => follower.values().at(-1) === 23n, 'the other history')
    assert.equal(follower.steps[0]?.kind, 'rewind')
    await follower.stop()
  })

  it('goes on after an outage, and gives up when told how long to wait', async () => {
    const from = (await chain.connection.client.getBlockNumber()) + 1n
    const follower = follow({ from })
    await pay(31n)
    await until(() => follower.values().length === 1, 'the first')
    await chain.snapshot()
    const crashed = chain.anvilPid()
    process.kill(crashed, 'SIGKILL')
    await until(() => chain.anvilPid() !== crashed, 'the restart')
    await waitForChain(chain.url)
    await pay(32n)
    await until(() => follower.values().length === 2, 'the second')
    assert.deepEqual(follower.values(), [31n, 32n])
    await follower.stop()
  })

  it('says when a chain makes no blocks, and when there is none', async () => {
    const head = await chain.connection.client.getBlockNumber()
    await assert.rejects(waitForBlockAfter(chain.connection, head, { timeoutMs: 120 }), { code: 'chain.stalled' })
    await assert.rejects(waitForChain('http://127.0.0.1:1', { timeoutMs: 50 }), { code: 'chain.unreachable' })
    await assert.rejects(waitForChain(chain.url, { chainId: 1n }), { code: 'chain.wrong-chain' })
  })
})
