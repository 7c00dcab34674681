// Locks on a real chain: requests side by side never count on the same tokens.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { depositToPool, fetchChannel } from '@tacit/chain'
import type { EmbeddedChain } from '@tacit/chain/embedded'
import { commitStep, emptyClientLedger } from '@tacit/exchange'
import { fundedSender, startTemporaryChain, token } from '../../chain/test/support/local-chain.ts'
import { type Market, openMarket } from '../../chain/test/support/market.ts'
import { wholeFirst } from '../src/choose-workers.ts'
import { MemoryClientStore } from '../src/client-store.ts'
import type { ListedModel } from '../src/find-models.ts'
import { OwnChannels } from '../src/own-channels.ts'

describe('the locks of a client', () => {
  let chain: EmbeddedChain
  let market: Market
  let model: ListedModel
  before(async () => {
    chain = await startTemporaryChain()
    market = await openMarket(chain)
    // Only the fields that locks look at.
    model = { id: market.modelId, stepPriceWei: token } as ListedModel
  })
  after(async () => await chain[Symbol.asyncDispose]())

  const open = (store: MemoryClientStore, sender = market.client) =>
    new OwnChannels({ chain: chain.connection, sender, store, random: (size) => new Uint8Array(randomBytes(size)) })

  it('hold what every running request may use, and give back what it did not', async () => {
    const store = new MemoryClientStore()
    const channels = open(store)
    const worker = market.worker.address
    const reservations = await Promise.all([200n, 200n, 10n].map((steps) => channels.reserve(worker, model, steps * token)))
    const [first, second, third] = reservations
    assert.ok(first && second && third)
    const { id } = first.channel
    assert.ok(reservations.every(({ channel }) => channel.id === id))
    const locked = async (): Promise<bigint> => (await fetchChannel(chain.connection, id)).lockedWei
    assert.equal(await locked(), 512n * token, 'one lock of 256 steps, topped up once')
    // Steps move from the reservation to the ledger; one that is taken back moves back.
    let ledger = emptyClientLedger
    for (let step = 0; step < 200; step++) {
      ledger = commitStep(ledger, token)
      store.ledgers.write(id, ledger)
      first.commit(token)
    }
    second.commit(token)
    second.commit(-token)
    await channels.reserve(worker, model, 102n * token)
    assert.equal(await locked(), 512n * token)
    const more = await channels.reserve(worker, model, token)
    assert.equal(await locked(), 768n * token)
    for (const reservation of [first, second, third, more]) reservation.release()
    second.release()
    second.commit(-5n * token)
    await channels.reserve(worker, model, 466n * token)
    assert.equal(await locked(), 768n * token, 'released parts are free again')
  })

  it('ask for no more than is missing, and say what is', async () => {
    const poor = await fundedSender(chain)
    await depositToPool(poor, { amountWei: 300n * token })
    const channels = open(new MemoryClientStore(), poor)
    const first = await channels.reserve(market.worker.address, model, 100n * token)
    assert.equal(first.channel.locked, 256n * token)
    await channels.reserve(market.worker.address, model, 200n * token)
    await assert.rejects(channels.reserve(market.worker.address, model, token), { code: 'client.pool-empty' })
    first.release()
    await channels.reserve(market.worker.address, model, 100n * token)
  })

  it('remember with whom a connection broke after a step was paid: such a worker comes last', async () => {
    const store = new MemoryClientStore()
    const { channel } = await open(store).reserve(market.worker.address, model, token)
    const others = [market.owner.address, market.client.address]
    const ranking = [market.worker.address, ...others]
    assert.deepEqual(wholeFirst(ranking, market.modelId, store), ranking)
    store.ledgers.write(channel.id, { ...emptyClientLedger, doubtful: token })
    assert.deepEqual(wholeFirst(ranking, market.modelId, store), [...others, market.worker.address])
  })
})
