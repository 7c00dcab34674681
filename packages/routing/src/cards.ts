// Contact cards, fetched without saying which: the scoring of a table with a one-hot vector gives one of its columns (docs/spec/routing.md, "Cards").
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes, utf8 } from '@tacit/protocol'
import type { ScoredTable } from './directory.ts'
import { MalformedRoutingError, RecordRefusedError, RoutingError, ScoresRefusedError } from './errors.ts'
import { at, range } from './internal/at.ts'
import { untilAborted } from './internal/until-aborted.ts'
import { route1 } from './parameters.ts'
import { type IntentQuery, IntentScorer, type RandomSource } from './query.ts'
import { RejectBudget } from './reject-budget.ts'
import type { EpochRecord } from './solver.ts'

/** Bytes of a card; shorter ones are padded by whoever makes them, so that length tells nothing. */
export const cardBytes = 64
const cardsPerColumn = route1.degree / cardBytes
const columns = 384

/** Cards that one answer block of 2048 bytes can hold a column of. */
export const cardsPerBlock: number = columns * cardsPerColumn

/** The cards of a directory, laid out for {@link CardFetcher}: card i lies in a column together with 31 others. */
export type CardTable = ScoredTable & { readonly count: number }

/**
 * Lays out cards in the order of the directory's rows; null where a row was removed. Serve it with a DirectorySolver of its own.
 * @throws MalformedRoutingError for a card that is not 64 bytes
 */
export function buildCardTable(cards: readonly (Uint8Array | null)[]): CardTable {
  const blocks = Math.max(1, Math.ceil(cards.length / cardsPerBlock))
  const table = new Int8Array(blocks * route1.degree * columns)
  cards.forEach((card, index) => {
    if (card === null) return
    if (card.length !== cardBytes) throw new MalformedRoutingError('The card', `of row ${index} is not ${cardBytes} bytes`)
    const { firstRow, column } = placeOf(index)
    card.forEach((byte, i) => void (table[(firstRow + i) * columns + column] = (byte << 24) >> 24))
  })
  const root = sha256(
    concatBytes(utf8('tacit/cards/v1'), new Uint8Array(new Uint32Array([cards.length]).buffer), new Uint8Array(table.buffer)),
  )
  return { dimensions: columns, table, root, count: cards.length }
}

// Cards run down a column before the next column, blocks last: neighbours of a directory share columns, which says nothing about anybody.
function placeOf(index: number): { readonly firstRow: number; readonly column: number } {
  const block = Math.floor(index / cardsPerBlock)
  const inBlock = index % cardsPerBlock
  return { firstRow: block * route1.degree + (inBlock % cardsPerColumn) * cardBytes, column: Math.floor(inBlock / cardsPerColumn) }
}

/** Fetches cards from one version of a card table. Every fetch has a secret of its own; a solver sees a query like any other. */
export class CardFetcher {
  readonly #scorer: IntentScorer
  readonly #rows: number

  readonly #budget: RejectBudget

  /**
   * `expected` is the client's own: the day's reference string, which a solver must not choose, and its count of refusals, the one that its routers have.
   * @throws MalformedRoutingError when record or hints are not of a card table, RecordRefusedError for another reference string
   */
  constructor(
    record: EpochRecord,
    hints: Uint8Array,
    random: RandomSource,
    expected: { readonly referenceSeed?: Uint8Array; readonly budget?: RejectBudget } = {},
  ) {
    if (expected.referenceSeed !== undefined && !equalBytes(record.referenceSeed, expected.referenceSeed)) throw new RecordRefusedError()
    this.#budget = expected.budget ?? new RejectBudget()
    if (record.dimensions !== columns || record.count % route1.degree !== 0)
      throw new MalformedRoutingError('The record', 'is not that of a card table')
    this.#scorer = new IntentScorer(record, hints, random)
    this.#rows = record.count
  }

  /** A query for the card of a row. @throws MalformedRoutingError when the table is smaller */
  query(index: number): IntentQuery {
    this.#assertPlace(index)
    const oneHot = new Int8Array(columns)
    oneHot[placeOf(index).column] = 1
    return this.#scorer.query(oneHot)
  }

  #assertPlace(index: number): void {
    if (!(Number.isSafeInteger(index) && index >= 0 && index < (this.#rows / route1.degree) * cardsPerBlock))
      throw new MalformedRoutingError('The card', `${index} is outside the table`)
  }

  /**
   * Fetches the card that a row commits to. Whatever else comes back is refused and counted: a solver that spoils a column learns from a refusal
   * whether the card was in it.
   * @throws ScoresRefusedError, RejectBudgetError, the signal's reason, and what the connection throws
   */
  async fetch(
    index: number,
    row: { readonly cardHash: Uint8Array },
    answer: (query: Uint8Array) => Promise<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    this.#assertPlace(index)
    const leave = await this.#budget.acquire(`card ${index}`, signal)
    let query: IntentQuery | undefined
    try {
      query = this.query(index)
      const bytes = await untilAborted(answer(query.bytes.slice()), signal)
      const card = bytes instanceof Uint8Array ? this.decode(query, index, bytes) : undefined
      if (card !== undefined && isCardOfRow(card, row)) return card
      throw new ScoresRefusedError({ rejectsLeft: leave.refuse() })
    } catch (error) {
      if (!(error instanceof RoutingError) || error instanceof ScoresRefusedError) throw error
      throw new ScoresRefusedError({ rejectsLeft: leave.refuse() })
    } finally {
      query?.erase()
      leave.release()
    }
  }

  /**
   * The card, and erases the query's secret. It comes from whoever answered: believe it when its hash is in the row that the worker staples
   * to its quote ({@link isCardOfRow}). {@link CardFetcher.fetch} checks and counts by itself; who calls this one counts.
   */
  decode(query: IntentQuery, index: number, answer: Uint8Array): Uint8Array {
    const column = this.#scorer.decode(query, answer)
    const { firstRow } = placeOf(index)
    return Uint8Array.from(range(cardBytes), (i) => at(column, firstRow + i) & 255)
  }
}

/** Whether a fetched card is the one that a row of the directory commits to. */
export function isCardOfRow(card: Uint8Array, row: { readonly cardHash: Uint8Array }): boolean {
  return equalBytes(sha256(card), row.cardHash)
}
