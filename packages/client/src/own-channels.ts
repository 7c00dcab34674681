// Locks of this payer: the one that suits, topped up when it runs low, or a new one. Requests side by side reserve their part of it.
import { type ChainConnection, fetchChannel, fetchFreeBalance, lockForPayee, type TransactionSender, topUpLock } from '@tacit/chain'
import { type Address, type ChannelId, parseBytes32, toHex } from '@tacit/protocol'
import type { RandomSource } from '@tacit/session'
import type { ClientStore, OwnChannel } from './client-store.ts'
import { PoolEmptyError } from './errors.ts'
import type { ListedModel } from './find-models.ts'

export type OwnChannelsOptions = {
  readonly chain: ChainConnection
  readonly sender: TransactionSender
  readonly store: ClientStore
  readonly random: RandomSource
}

/** A part of a lock that one request may use up. */
export type Reservation = {
  readonly channel: OwnChannel
  /** Told what the request commits, step by step; negative when a step is taken back. */
  readonly commit: (amount: bigint) => void
  /** Gives back what was not used. Calling it again changes nothing. */
  readonly release: () => void
}

/** A new lock holds this many steps, so that most requests need no transaction. */
const lockSteps = 256n

export class OwnChannels {
  readonly #options: OwnChannelsOptions
  readonly #locking = new Map<string, Promise<Reservation>>()
  readonly #reserved = new Map<ChannelId, bigint>()

  constructor(options: OwnChannelsOptions) {
    this.#options = options
  }

  /**
   * A lock for a worker with at least `needed` in it that no other request of this client counts on.
   * @throws PoolEmptyError
   */
  reserve(worker: Address, model: ListedModel, needed: bigint): Promise<Reservation> {
    const key = `${worker}/${model.id}`
    const running = this.#locking.get(key)
    const next = (running ?? Promise.resolve())
      .catch(() => {})
      .then(async () => this.#take(await this.#ensure(worker, model, needed), needed))
    this.#locking.set(key, next)
    return next
  }

  #take(channel: OwnChannel, needed: bigint): Reservation {
    let left = 0n
    let released = false
    const add = (amount: bigint): void => {
      left += amount
      this.#reserved.set(channel.id, this.#reservedOf(channel.id) + amount)
    }
    add(needed)
    return {
      channel,
      // What is committed is counted by the ledger from now on.
      commit: (amount) => {
        if (!released) add(-(amount < left ? amount : left))
      },
      release: () => {
        released = true
        add(-left)
      },
    }
  }

  #reservedOf(channel: ChannelId): bigint {
    return this.#reserved.get(channel) ?? 0n
  }

  async #ensure(worker: Address, model: ListedModel, needed: bigint): Promise<OwnChannel> {
    const { store, sender, chain, random } = this.#options
    const known = store.channel(worker, model.id)
    if (known === undefined) {
      const amount = await this.#affordable(needed, model.stepPriceWei * lockSteps)
      const salt = parseBytes32(toHex(random(32)))
      const { channelId } = await lockForPayee(sender, { payee: worker, modelId: model.id, salt, amountWei: amount })
      const channel: OwnChannel = { id: channelId, worker, model: model.id, salt, locked: amount }
      store.writeChannel(channel)
      return channel
    }
    const { signed, committed } = store.ledgers.read(known.id)
    const used = (signed > committed ? signed : committed) + this.#reservedOf(known.id)
    if (known.locked >= used + needed) return known
    const missing = used + needed - known.locked
    const amount = await this.#affordable(missing, model.stepPriceWei * lockSteps)
    await topUpLock(sender, { payee: worker, modelId: model.id, salt: known.salt, amountWei: amount })
    const locked = (await fetchChannel(chain, known.id)).lockedWei
    const channel: OwnChannel = { ...known, locked }
    store.writeChannel(channel)
    return channel
  }

  async #affordable(needed: bigint, wanted: bigint): Promise<bigint> {
    const free = await fetchFreeBalance(this.#options.chain, this.#options.sender.address)
    if (free < needed) throw new PoolEmptyError(needed, free)
    const larger = wanted > needed ? wanted : needed
    return larger < free ? larger : free
  }
}
