// A payer and one real worker process that is killed with SIGKILL at a chosen point of a job, restarted, and asked to redeem.
// Books are read from the chain and from the two sides' files, never from what a process says about itself.
import assert from 'node:assert/strict'
import { watch } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createTransactionSender, fetchChannel, fetchFreeBalance, fetchRevenue, fetchTokenBalance, splitOf } from '@tacit/chain'
import { TacitClient } from '@tacit/client'
import { RefusedError } from '@tacit/exchange'
import type { Channel, Dialer } from '@tacit/network'
import { createNodeDialer } from '@tacit/network/node'
import { openKeyFile } from '@tacit/node/node'
import type { StreamMode } from '@tacit/protocol'
import { nodeAead } from '@tacit/session/node'
import { randomBytes } from 'node:crypto'
import { chat, startTestNetwork, type TestNetwork } from './network.ts'

/** When the worker dies: with the n-th message of the job that passes the relay, or at the n-th change of its journal. */
export type KillPoint = { readonly at: 'message' | 'journal'; readonly after: number; readonly streamMode: StreamMode }

export type KillOutcome = {
  /** False when the job was over before the point came. */
  readonly killed: boolean
  readonly error: string
  readonly bytes: number
  /** Steps that the payer got whole, and the fewest that what it got can be. */
  readonly wholeSteps: bigint
  readonly fewestSteps: bigint
  /** Steps redeemed for this job. */
  readonly stepsPaid: bigint
}

const stepTokens = 32
/** A part is delivered whole: a step may be longer than it must be by less than one part. */
const longestPartTokens = 16
/** Four steps, the last one partly used. */
const maxTokens = 100

export class KillWorld {
  readonly #world: TestNetwork
  readonly #client: TacitClient
  readonly #tap: { onMessage: () => void }
  #startWei = 0n

  private constructor(world: TestNetwork) {
    this.#world = world
    const { network, dataDir, store } = world
    const payer = openKeyFile(join(dataDir, 'client', 'wallet.key'), network.signatures)
    this.#tap = { onMessage: () => {} }
    this.#client = new TacitClient({
      network: network.description,
      chain: network.connection,
      payer,
      sender: createTransactionSender(network.connection, payer),
      store,
      dialer: tapDialer(createNodeDialer(), this.#tap),
      random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
      signatures: network.signatures,
      aead: nodeAead,
      now: () => Math.floor(Date.now() / 1000),
    })
  }

  static async start(): Promise<KillWorld> {
    const network = await startTestNetwork({ workers: 1, redeemSeconds: 3600 })
    try {
      const world = new KillWorld(network)
      // One job without a failure: makes the lock, and shows what the books look like.
      const outcome = await world.run(undefined)
      assert.equal(outcome.error, '')
      assertFair(outcome, 'no failure')
      world.#startWei = await world.#poolBalance()
      return world
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close()
    await this.#world[Symbol.asyncDispose]()
  }

  /** Runs one job, kills the worker at the point, restarts it, lets it redeem, and checks every book. */
  async run(point: KillPoint | undefined): Promise<KillOutcome> {
    const before = await this.#claimed()
    const { network } = this.#world
    let restarted: Promise<void> | undefined
    let durable: bigint | undefined
    const kill = (): void => {
      if (restarted !== undefined) return
      process.kill(network.workers[0]?.pid ?? 0, 'SIGKILL')
      restarted = (async () => {
        await network.workers[0]?.exited
        durable = this.#durableVoucher()
        await network.restartWorker(0)
      })()
    }
    const { bytes, error } = await this.#job(point, kill)
    await restarted
    if (restarted === undefined) await network.restartWorker(0) // an orderly restart redeems as well
    durable ??= this.#durableVoucher()
    const claimed = await this.#untilRedeemed(durable)
    assert.equal(claimed, durable, 'every step whose voucher is durable is redeemed exactly once, and nothing else')
    await this.#checkBooks(claimed)
    const stepPrice = await this.#stepPrice()
    return {
      killed: point !== undefined && restarted !== undefined,
      error,
      bytes,
      wholeSteps: BigInt(Math.floor(bytes / stepTokens)),
      fewestSteps: BigInt(Math.ceil(bytes / (stepTokens + longestPartTokens))),
      stepsPaid: (claimed - before) / stepPrice,
    }
  }

  async #job(point: KillPoint | undefined, kill: () => void): Promise<{ readonly bytes: number; readonly error: string }> {
    // A worker whose books are a step ahead says so once, and is believed at the cost of that step.
    for (let tries = 0; ; tries++) {
      let bytes = 0
      const disarm = point === undefined ? () => {} : this.#arm(point, kill)
      try {
        for await (const event of this.#client.infer({
          ...chat('Tell me a tale.', maxTokens),
          streamMode: point?.streamMode ?? 'immediate',
        })) {
          // This model's tokens are bytes.
          if (event.type === 'output' && event.output.kind === 'text') bytes += Buffer.byteLength(event.output.text)
        }
        return { bytes, error: '' }
      } catch (error) {
        if (error instanceof RefusedError && error.reason === 'voucher-short' && bytes === 0 && tries === 0) continue
        return { bytes, error: error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error) }
      } finally {
        disarm()
      }
    }
  }

  #arm({ at, after }: KillPoint, kill: () => void): () => void {
    let seen = 0
    const count = (): void => {
      if (++seen === after) kill()
    }
    if (at === 'message') {
      this.#tap.onMessage = count
      return () => {
        this.#tap.onMessage = () => {}
      }
    }
    const watcher = watch(join(this.#world.dataDir, 'worker-1'), (_, file) => {
      if (file?.includes('journal') === true) count()
    })
    return () => watcher.close()
  }

  /** The highest voucher on the worker's disk. */
  #durableVoucher(): bigint {
    const journal = new DatabaseSync(join(this.#world.dataDir, 'worker-1', 'journal.sqlite'), { readOnly: true })
    try {
      const rows = journal.prepare('select voucher from channel where voucher is not null').all()
      assert.ok(rows.length <= 1, 'one payer, one model, one channel')
      const voucher = rows[0]?.['voucher']
      return voucher === undefined ? 0n : BigInt((JSON.parse(String(voucher)) as { maxClaimableAmount: string }).maxClaimableAmount)
    } finally {
      journal.close()
    }
  }

  async #untilRedeemed(wanted: bigint): Promise<bigint> {
    for (let tries = 0; tries < 100; tries++) {
      const claimed = await this.#claimed()
      if (claimed >= wanted) return claimed
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return this.#claimed()
  }

  async #claimed(): Promise<bigint> {
    const [channel] = this.#world.store.channels()
    return channel === undefined ? 0n : (await fetchChannel(this.#world.network.connection, channel.id)).claimedWei
  }

  async #stepPrice(): Promise<bigint> {
    const [channel] = this.#world.store.channels()
    return (await this.#client.models()).find(({ id }) => id === channel?.model)?.stepPriceWei ?? assert.fail('no channel')
  }

  #poolBalance(): Promise<bigint> {
    const { connection } = this.#world.network
    return fetchTokenBalance(connection, connection.deployment.contracts.paymentPool)
  }

  // Free, locked and earned money together are what the pool holds, and nothing comes or goes.
  async #checkBooks(claimed: bigint): Promise<void> {
    const { connection } = this.#world.network
    const [own] = this.#world.store.channels()
    assert.ok(own !== undefined)
    const channel = await fetchChannel(connection, own.id)
    const [free, pool, revenue] = await Promise.all([
      fetchFreeBalance(connection, this.#client.payer),
      this.#poolBalance(),
      fetchRevenue(connection, own.worker, [splitOf(own.worker, channel)]),
    ])
    assert.equal(revenue.dividedWei + revenue.undividedWei, claimed, 'revenue is exactly what was claimed')
    assert.equal(free + (channel.lockedWei - channel.claimedWei) + claimed, pool, 'the pool holds free, locked and earned money')
    if (this.#startWei !== 0n) assert.equal(pool, this.#startWei, 'no token appears or is lost')
    const { signed } = this.#world.store.ledgers.read(own.id)
    assert.ok(claimed <= signed, 'the worker redeems no voucher that was not signed')
  }
}

/**
 * What must hold whatever happened: a voucher is signed only when all steps before it were delivered whole, so the payer lost at
 * most the last one; and nothing was delivered beyond what is paid.
 */
export function assertFair({ stepsPaid, wholeSteps, fewestSteps, error }: KillOutcome, name: string): void {
  assert.ok(stepsPaid - wholeSteps <= 1n, `${name}: the payer paid ${stepsPaid} steps and got ${wholeSteps} whole (${error})`)
  assert.ok(fewestSteps <= stepsPaid, `${name}: the worker gave ${fewestSteps} steps and was paid ${stepsPaid} (${error})`)
}

// Counts what passes between this client and the relay, and calls back before the message goes on.
function tapDialer(dialer: Dialer, tap: { readonly onMessage: () => void }): Dialer {
  return {
    async dial(address, options) {
      const channel = await dialer.dial(address, options)
      return tapChannel(channel, tap)
    },
  }
}

function tapChannel(channel: Channel, tap: { readonly onMessage: () => void }): Channel {
  return {
    remote: channel.remote,
    maxMessageBytes: channel.maxMessageBytes,
    closed: channel.closed,
    send: async (message, options) => {
      await channel.send(message, options)
      tap.onMessage()
    },
    receive: async function* (options) {
      for await (const message of channel.receive(options)) {
        tap.onMessage()
        yield message
      }
    },
    close: (reason) => channel.close(reason),
    [Symbol.asyncDispose]: () => channel.close(),
  }
}
