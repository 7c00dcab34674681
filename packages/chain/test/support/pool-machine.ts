// The pool against a model of it, in random transactions on a real chain: every balance is compared after every step.
import assert from 'node:assert/strict'
import { type Bytes32, type ChannelId, type ModelId, parseBytes32, type Signer, toHex } from '@tacit/protocol'
import {
  type ChannelKey,
  channelIdOf,
  depositToPool,
  fetchChannel,
  fetchFreeBalance,
  fetchTokenBalance,
  lockForPayee,
  redeemVoucher,
  releaseChannel,
  topUpLock,
  type TransactionSender,
  TransactionRevertedError,
  withdrawFromPool,
} from '../../src/index.ts'
import { fundedSender, startTemporaryChain, token } from './local-chain.ts'
import { openMarket, signClaim } from './market.ts'

type Actor = TransactionSender & { readonly signer: Signer }
type ModelChannel = {
  readonly key: ChannelKey
  readonly payer: Actor
  readonly payee: Actor
  locked: bigint
  claimed: bigint
  isOpen: boolean
}

/** Runs `steps` random transactions; the same seed gives the same ones. */
export async function exercisePool({ steps, seed }: { readonly steps: number; readonly seed: number }): Promise<void> {
  await using chain = await startTemporaryChain()
  const market = await openMarket(chain)
  const payers: readonly Actor[] = [market.client, await fundedSender(chain)]
  const payees: readonly Actor[] = [market.worker, await fundedSender(chain)]
  const machine = new PoolMachine(payers, payees, market.modelId, generator(seed))
  const second = payers[1] ?? assert.fail()
  await depositToPool(second, { amountWei: 1_000n * token })
  machine.free.set(market.client.address, 5_000n * token)
  machine.free.set(second.address, 1_000n * token)
  for (let step = 0; step < steps; step++) await machine.step()
  assert.ok(machine.redeemed > 0n, 'nothing was redeemed')
}

class PoolMachine {
  readonly free = new Map<string, bigint>()
  redeemed = 0n
  readonly #payers: readonly Actor[]
  readonly #payees: readonly Actor[]
  readonly #modelId: ModelId
  readonly #random: (below: bigint) => bigint
  readonly #channels: ModelChannel[] = []

  constructor(payers: readonly Actor[], payees: readonly Actor[], modelId: ModelId, random: (below: bigint) => bigint) {
    this.#payers = payers
    this.#payees = payees
    this.#modelId = modelId
    this.#random = random
  }

  async step(): Promise<void> {
    const actions = [
      () => this.#lock(),
      () => this.#topUp(),
      () => this.#redeem(),
      () => this.#redeem(),
      () => this.#release(),
      () => this.#withdraw(),
    ]
    await (actions[Number(this.#random(BigInt(actions.length)))] ?? assert.fail())()
    await this.#compare()
  }

  async #lock(): Promise<void> {
    const payer = this.#pick(this.#payers)
    const payee = this.#pick(this.#payees)
    const target = { payee: payee.address, modelId: this.#modelId, salt: this.#word() }
    const free = this.free.get(payer.address) ?? 0n
    const amountWei = this.#random(free / 2n + 1n)
    await expect(amountWei > 0n, lockForPayee(payer, { ...target, amountWei }), 'InvalidAmount')
    if (amountWei === 0n) return
    this.free.set(payer.address, free - amountWei)
    this.#channels.push({ key: { ...target, payer: payer.address }, payer, payee, locked: amountWei, claimed: 0n, isOpen: true })
  }

  async #topUp(): Promise<void> {
    const channel = this.#pickChannel()
    if (channel === undefined) return
    const free = this.free.get(channel.payer.address) ?? 0n
    const amountWei = this.#random(free / 4n + 1n) + 1n
    const allowed = channel.isOpen && amountWei <= free
    await expect(
      allowed,
      topUpLock(channel.payer, { ...channel.key, amountWei }),
      channel.isOpen ? 'InsufficientFreeBalance' : 'ChannelNotOpen',
    )
    if (!allowed) return
    channel.locked += amountWei
    this.free.set(channel.payer.address, free - amountWei)
  }

  async #redeem(): Promise<void> {
    const channel = this.#pickChannel()
    if (channel === undefined || channel.locked === 0n) return
    const amount = this.#random(channel.locked + channel.locked / 4n + 2n)
    const reason = amount <= channel.claimed ? 'VoucherNotIncreasing' : 'VoucherExceedsLock'
    const allowed = amount > channel.claimed && amount <= channel.locked
    const claim = signClaim(channel.payer.connection, channel.payer.signer, channel.key, amount)
    await expect(allowed, redeemVoucher(channel.payee, claim, { receiptsRoot: this.#word() }), reason)
    if (!allowed) return
    this.redeemed += amount - channel.claimed
    channel.claimed = amount
  }

  async #release(): Promise<void> {
    const channel = this.#pickChannel()
    if (channel === undefined) return
    const finalAmountWei = this.#random(channel.locked + 2n)
    await expect(channel.isOpen, releaseChannel(channel.payee, { ...channel.key, finalAmountWei }), 'ChannelNotOpen')
    if (!channel.isOpen) return
    const wanted = finalAmountWei > channel.claimed ? finalAmountWei : channel.claimed
    const kept = wanted < channel.locked ? wanted : channel.locked
    this.free.set(channel.payer.address, (this.free.get(channel.payer.address) ?? 0n) + channel.locked - kept)
    channel.locked = kept
    channel.isOpen = false
  }

  async #withdraw(): Promise<void> {
    const payer = this.#pick(this.#payers)
    const free = this.free.get(payer.address) ?? 0n
    const amountWei = this.#random(free / 8n + 1n) + 1n
    await expect(amountWei <= free, withdrawFromPool(payer, { amountWei }), 'InsufficientFreeBalance')
    if (amountWei <= free) this.free.set(payer.address, free - amountWei)
  }

  async #compare(): Promise<void> {
    const { connection } = this.#payers[0] ?? assert.fail()
    let owed = this.redeemed // nobody withdraws revenue here: all of it is still in the pool
    for (const payer of this.#payers) {
      const free = await fetchFreeBalance(connection, payer.address)
      assert.equal(free, this.free.get(payer.address))
      owed += free
    }
    for (const channel of this.#channels) owed += channel.locked - channel.claimed
    assert.equal(await fetchTokenBalance(connection, connection.deployment.contracts.paymentPool), owed)
    const last = this.#channels.at(-1)
    if (last !== undefined) await this.#compareChannel(channelIdOf(connection, last.key), last)
  }

  async #compareChannel(id: ChannelId, expected: ModelChannel): Promise<void> {
    const { lockedWei, claimedWei, status } = await fetchChannel(expected.payer.connection, id)
    assert.deepEqual([lockedWei, claimedWei, status], [expected.locked, expected.claimed, expected.isOpen ? 'open' : 'closed'])
  }

  #pick<T>(items: readonly T[]): T {
    return items[Number(this.#random(BigInt(items.length)))] ?? assert.fail()
  }

  #pickChannel(): ModelChannel | undefined {
    return this.#channels.length === 0 ? undefined : this.#pick(this.#channels)
  }

  #word(): Bytes32 {
    return parseBytes32(toHex(Uint8Array.from({ length: 32 }, () => Number(this.#random(256n)))))
  }
}

async function expect(allowed: boolean, work: Promise<unknown>, reason: string): Promise<void> {
  if (allowed) await work
  else await assert.rejects(work, (error) => error instanceof TransactionRevertedError && error.reason === reason)
}

/** splitmix64 (Steele, Lea and Flood 2014, Fig. 14; constants not checked against the paper): any fixed sequence would do. */
function generator(seed: number): (below: bigint) => bigint {
  let state = BigInt(seed)
  const next = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n)
    let z = state
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
    return z ^ (z >> 31n)
  }
  return (below) => ((next() << 64n) | next()) % below
}
