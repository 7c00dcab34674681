import { type Address, type DirectoryRecord, equalBytes, type Signed, type SigningDomain } from '@tacit/protocol'
import { assertVector, buildDirectory, type Directory, type RowProof, verifyRow } from './directory.ts'
import {
  CheckersError,
  DirectoryChangedError,
  MalformedRoutingError,
  RecordRefusedError,
  RejectBudgetError,
  RoutingError,
  ScoresRefusedError,
} from './errors.ts'
import { at, range } from './internal/at.ts'
import type { AnswerEvidence } from './judge.ts'
import { chooseRoutePlan, type ExpectedUse, type RoutePlan } from './plan.ts'
import { IntentScorer, type RandomSource } from './query.ts'
import { type CheckSeed, ScoreCheck } from './score-check.ts'
import type { EpochRecord } from './solver.ts'
import { isAnswerSigned, isCheckVectorSigned, readRecord, type SignedAnswer, type SignedCheckVector } from './statements.ts'

/** A solver as the router sees it: a signed version, and signed answers to queries. */
export type SolverConnection = {
  readonly address: Address
  readonly record: Signed<DirectoryRecord>
  answer(query: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<SignedAnswer>
}

/** A checker: another solver that weighs the directory with a seed of its own, and never answers under it. */
export type CheckerConnection = { readonly address: Address; weigh(seed: CheckSeed, root: Uint8Array): Promise<SignedCheckVector> }

/** The version that a client trusts: from the registry, not from a solver. */
export type CommittedVersion = {
  readonly root: Uint8Array
  readonly count: number
  readonly dimensions: number
  /** {@link referenceSeed} of chain and day, computed by the client. */
  readonly referenceSeed: Uint8Array
}

/** A row and its score, best first. */
export type RankedRow = { readonly index: number; readonly score: number }

export type QueryResult = { readonly ranking: readonly RankedRow[]; readonly plan: RoutePlan }

export type RouterOptions = {
  readonly committed: CommittedVersion
  readonly domain: SigningDomain
  readonly random: RandomSource
  readonly solver: SolverConnection
  readonly checkers: readonly CheckerConnection[]
  /** Hints of the solver's record; from anywhere. */
  readonly hints: Uint8Array
  /** The table, if this client holds it. */
  readonly directory?: Directory
  /** Fetches the table of the committed version, from anywhere; without it `download` is not on offer. */
  readonly fetchDirectory?: () => Promise<Directory>
  readonly use: ExpectedUse
}

/** Cover queries with random intents before a check serves a real one: a lying checker passes each with probability below 2^-6. */
export const coverQueries = 3
/** Answers that one intent, and one day, may see refused. */
export const rejectsPerIntent = 2
export const rejectsPerDay = 4
const coverRange = 51

/**
 * Finds the best rows for an intent without telling anybody the intent. Scores are checked against the committed directory; a
 * refused answer is not followed by a message or a retry to that solver.
 */
export class Router {
  readonly #options: RouterOptions
  readonly #scorer: IntentScorer
  #check: ScoreCheck | undefined
  #rejectsToday = 0
  readonly #rejects = new Map<string, number>()
  #directory: Directory | undefined
  #evidence: AnswerEvidence[] = []

  /**
   * @throws CheckersError when the solver is among its own checkers, one checks twice, or there are fewer than two
   * @throws RecordRefusedError when the solver's record is not signed by it, or for another version than the committed one
   */
  constructor(options: RouterOptions) {
    this.#options = options
    this.#directory = options.directory
    const { checkers, committed, domain, solver } = options
    if (checkers.length < 2 || new Set([solver, ...checkers].map(({ address }) => address)).size <= checkers.length)
      throw new CheckersError()
    const record = readRecord(solver.record, solver.address, domain)
    if (record === undefined || !isVersion(record, committed)) throw new RecordRefusedError()
    this.#scorer = new IntentScorer(record, options.hints, options.random)
  }

  /**
   * Signed answers that were refused, once. Each can be judged by anybody without a key (`judgeAnswer`); hand one on after a random delay, so that
   * the solver does not learn from the time which query was refused.
   */
  takeEvidence(): readonly AnswerEvidence[] {
    const evidence = this.#evidence
    this.#evidence = []
    return evidence
  }

  /** Starts a new day of the reject budget; the caller has the clock. */
  newDay(): void {
    this.#rejectsToday = 0
    this.#rejects.clear()
  }

  /** Which way a query takes, and why. */
  plan(wish: 'auto' | 'download' | 'encrypted' = 'auto'): RoutePlan {
    const { committed, fetchDirectory, use } = this.#options
    const chosen = chooseRoutePlan(committed.count, committed.dimensions, { ...use, holdsTable: this.#directory !== undefined })
    if (wish !== 'auto') return { ...chosen, plan: wish, reason: 'asked for' }
    if (chosen.plan === 'encrypted' || this.#directory !== undefined || fetchDirectory !== undefined) return chosen
    return { ...chosen, plan: 'encrypted', reason: 'there is nowhere to download the table from' }
  }

  /**
   * The k best rows for an intent.
   * @throws ScoresRefusedError when the solver lied, RejectBudgetError when too many did, MalformedRoutingError when the table cannot be had
   */
  async query(intent: Int8Array, options: { readonly k: number; readonly plan?: 'auto' | 'download' | 'encrypted' }): Promise<QueryResult> {
    assertVector(intent, this.#options.committed.dimensions)
    const plan = this.plan(options.plan)
    if (plan.plan === 'download') return { ranking: rank(scoreInClear(await this.#table(), intent), options.k), plan }
    const name = intent.join(',')
    this.#assertBudget(name)
    const check = (this.#check ??= await this.#obtainCheck())
    const scores = await this.#ask(check, intent, name)
    return { ranking: rank(scores, options.k), plan }
  }

  async #table(): Promise<Directory> {
    const { committed, fetchDirectory } = this.#options
    const directory = this.#directory ?? (await fetchDirectory?.())
    if (directory === undefined) throw new MalformedRoutingError('The table', 'cannot be downloaded: there is nowhere to fetch it from')
    // Built again here, so that every rule and the root hold for what was downloaded.
    const own = directory === this.#directory ? directory : buildDirectory(committed.dimensions, directory.rows)
    if (!equalBytes(own.root, committed.root)) throw new DirectoryChangedError()
    this.#directory = own
    return own
  }

  /** Whether a row that a worker stapled to its quote is in the directory and scores what the ranking says. */
  verifyWinner(intent: Int8Array, { score, index }: RankedRow, proof: RowProof): boolean {
    const { count, dimensions, root } = this.#options.committed
    if (proof.index !== index || proof.count !== count || !verifyRow(proof, root, dimensions)) return false
    return proof.row.vector.reduce((sum, value, j) => sum + value * at(intent, j), 0) === score
  }

  async #ask(check: ScoreCheck, intent: Int8Array, name: string): Promise<Int32Array> {
    const { domain, solver } = this.#options
    const query = this.#scorer.query(intent)
    let scores: Int32Array | undefined
    let signed: SignedAnswer | undefined
    try {
      const answer = await solver.answer(query.bytes)
      // An answer that nobody stands for is worth as much as a malformed one.
      if (isAnswerSigned(answer, query.bytes, solver.record, domain)) {
        signed = answer
        scores = this.#scorer.decode(query, answer.bytes)
      }
    } catch (error) {
      // Malformed answers are refused like false ones: the solver must not see a difference.
      if (!(error instanceof RoutingError)) throw error
    } finally {
      query.erase()
    }
    if (scores !== undefined && check.accepts(intent, scores)) return scores
    if (signed !== undefined)
      this.#evidence = [...this.#evidence, { record: solver.record, query: query.bytes, answer: signed }].slice(-rejectsPerDay)
    this.#rejectsToday += 1
    this.#rejects.set(name, (this.#rejects.get(name) ?? 0) + 1)
    const left = Math.min(rejectsPerIntent - (this.#rejects.get(name) ?? 0), rejectsPerDay - this.#rejectsToday)
    throw new ScoresRefusedError({ rejectsLeft: Math.max(0, left) })
  }

  // A lying checker could make acceptance depend on the intent; random cover intents find that out before a real one is at stake.
  async #obtainCheck(): Promise<ScoreCheck> {
    const { checkers, committed, domain, random } = this.#options
    const seeds = checkers.map(() => Uint8Array.from(random(32)))
    const vectors = await Promise.all(
      checkers.map(async (checker, i) => {
        const signed = await checker.weigh(at(seeds, i), committed.root)
        if (!isCheckVectorSigned(signed, at(seeds, i), committed.root, checker.address, domain)) throw new CheckersError()
        return signed.vector
      }),
    )
    const check = new ScoreCheck(seeds, vectors, committed.count)
    for (const cover of range(coverQueries)) await this.#ask(check, this.#randomIntent(), `cover ${cover}`)
    return check
  }

  #randomIntent(): Int8Array {
    const { dimensions } = this.#options.committed
    const values: number[] = []
    while (values.length < dimensions) {
      // Rejection keeps the coordinates uniform over 2 coverRange + 1 values; the norm stays below 1000 for 384 of them.
      for (const byte of this.#options.random(dimensions))
        if (byte < 2 * (2 * coverRange + 1)) values.push((byte % (2 * coverRange + 1)) - coverRange)
    }
    return Int8Array.from(values.slice(0, dimensions))
  }

  #assertBudget(name: string): void {
    if (this.#rejectsToday >= rejectsPerDay || (this.#rejects.get(name) ?? 0) >= rejectsPerIntent) throw new RejectBudgetError()
  }
}

/** Scores over a table that the client holds. */
export function scoreInClear({ dimensions, table }: Directory, intent: Int8Array): Int32Array {
  const scores = new Int32Array(table.length / dimensions)
  for (let i = 0; i < scores.length; i++) {
    let sum = 0
    for (let j = 0; j < dimensions; j++) sum += (table[i * dimensions + j] as number) * (intent[j] as number)
    scores[i] = sum
  }
  return scores
}

function rank(scores: Int32Array, k: number): readonly RankedRow[] {
  const order = Array.from(scores, (score, index) => ({ index, score }))
  return order.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, k)
}

function isVersion(record: EpochRecord, committed: CommittedVersion): boolean {
  const { root, count, dimensions, referenceSeed } = committed
  if (record.count !== count || record.dimensions !== dimensions) return false
  return equalBytes(record.root, root) && equalBytes(record.referenceSeed, referenceSeed)
}
