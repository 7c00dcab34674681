// Contact cards come back whole, from any row, and nobody can see which one was asked for.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { buildCardTable, CardFetcher, cardBytes, cardsPerBlock, DirectorySolver, isCardOfRow, referenceSeed } from '../src/index.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const seed = referenceSeed({ chainId: 7n, beacon: new Uint8Array(32).fill(3) })
// One card more than a block, with a removed one.
const cards = Array.from({ length: cardsPerBlock + 1 }, (_, i) => (i === 5 ? null : random(cardBytes)))
cards[0] = new Uint8Array(cardBytes).fill(255)
cards[1] = new Uint8Array(cardBytes).fill(128)
const table = buildCardTable(cards)
const solver = new DirectorySolver(table, seed)
const fetcher = new CardFetcher(solver.record, solver.hints, random)

describe('contact cards', () => {
  it('are fetched exactly, the extreme bytes and the last block included', () => {
    for (const index of [0, 1, 4, 31, 32, cardsPerBlock - 1, cardsPerBlock]) {
      const query = fetcher.query(index)
      assert.deepEqual(fetcher.decode(query, index, solver.answer(query.bytes)), cards[index], `card ${index}`)
    }
    const removed = fetcher.query(5)
    assert.deepEqual(fetcher.decode(removed, 5, solver.answer(removed.bytes)), new Uint8Array(cardBytes))
  })

  it('are asked for with queries that share nothing and look the same for every card', () => {
    const [a, b, c] = [fetcher.query(0).bytes, fetcher.query(0).bytes, fetcher.query(9000).bytes]
    assert.ok(a.length === b.length && b.length === c.length)
    assert.deepEqual(a.subarray(0, 40), c.subarray(0, 40))
    const same = (x: Uint8Array, y: Uint8Array): number => x.subarray(40).filter((byte, i) => byte === y[40 + i]).length
    for (const [x, y] of [
      [a, b],
      [a, c],
    ] as const)
      assert.ok(same(x, y) < (a.length / 256) * 1.5)
  })

  it('are believed only under the hash in the row of their worker', () => {
    const query = fetcher.query(40)
    const answer = solver.answer(query.bytes)
    // Bytes 0 and 1 of the card lie in a row of their own each; a lie about them is a card with another hash.
    const place = 40 + Math.floor(((40 % 32) * cardBytes * 23) / 8) + 1
    answer.set([(answer[place] ?? 0) ^ 255], place)
    const card = fetcher.decode(query, 40, answer)
    const cardHash = createHash('sha256')
      .update(cards[40] ?? '')
      .digest()
    assert.ok(isCardOfRow(cards[40] ?? card, { cardHash }))
    assert.ok(!isCardOfRow(card, { cardHash }))
  })

  it('have one size, one place and one secret per fetch', () => {
    assert.throws(() => buildCardTable([new Uint8Array(63)]), { code: 'routing.malformed' })
    for (const index of [-1, 0.5, 2 * cardsPerBlock]) assert.throws(() => fetcher.query(index), { code: 'routing.malformed' })
    const query = fetcher.query(3)
    fetcher.decode(query, 3, solver.answer(query.bytes))
    assert.throws(() => fetcher.decode(query, 3, solver.answer(query.bytes)), { code: 'routing.query-used' })
    assert.throws(() => new CardFetcher({ ...solver.record, dimensions: 256 }, solver.hints, random), { code: 'routing.malformed' })
  })
})
