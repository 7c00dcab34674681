import { type Address, type DirectoryRecord, equalBytes, type Signed, type SigningDomain } from '@tacit/protocol'
import { assertVector, buildDirectory, type Directory, type RowProof, squaredNorm, verifyRow } from './directory.ts'
import {
  CheckersError,
  DirectoryChangedError,
  MalformedRoutingError,
  RecordRefusedError,
  RoutingError,
  ScoresRefusedError,
} from './errors.ts'
import { at, range } from './internal/at.ts'
import { untilAborted } from './internal/until-aborted.ts'
import type { AnswerEvidence } from './judge.ts'
import { largestSquaredNorm } from './parameters.ts'
import { chooseRoutePlan, type ExpectedUse, type RoutePlan } from './plan.ts'
import { drawBytes, IntentScorer, type RandomSource } from './query.ts'
import { type AskingLeave, RejectBudget, rejectsPerDay } from './reject-budget.ts'
import { type CheckSeed, ScoreCheck } from './score-check.ts'
import type { EpochRecord } from './solver.ts'
import { readAnswer, readCheckVector, readSignedRecord, recordOf, type SignedAnswer, type SignedCheckVector } from './statements.ts'

/** A solver as the router sees it: a signed version, and signed answers to queries. */
export type SolverConnection = {
  readonly address: Address
  readonly record: Signed<DirectoryRecord>
  answer(query: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<SignedAnswer>
}

/** A checker: another solver that weighs the directory with a seed of its own, and never answers under it. */
export type CheckerConnection = {
  readonly address: Address
  weigh(seed: CheckSeed, root: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<SignedCheckVector>
}

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
  /** The client's count of refusals; a router that is given none counts for itself alone, and forgets with its version. */
  readonly budget?: RejectBudget
}

/** Cover queries with random intents before a check serves a real one: a lying checker passes each with probability below 2^-6. */
export const coverQueries = 3
const coverRange = 51

/**
 * Finds the best rows for an intent without telling anybody the intent. Scores are checked against the committed directory; a
 * refused answer is not followed by a message or a retry to that solver.
 */
export class Router {
  readonly #options: RouterOptions
  readonly #scorer: IntentScorer
  // As it was when it was checked: a connection cannot exchange what later answers are held against.
  readonly #record: Signed<DirectoryRecord>
  readonly #budget: RejectBudget
  #check: { readonly promise: Promise<ScoreCheck>; readonly signal: AbortSignal | undefined } | undefined
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
    const signed = readSignedRecord(solver.record, solver.address, domain)
    if (signed === undefined) throw new RecordRefusedError()
    const record = recordOf(signed)
    if (!isVersion(record, committed)) throw new RecordRefusedError()
    this.#record = signed
    this.#budget = options.budget ?? new RejectBudget()
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
    this.#budget.newDay()
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
   * The k best rows for an intent. An aborted query tells the solver nothing and costs nothing; a solver that does not answer is waited for until then.
   * @throws the signal's reason, ScoresRefusedError when the solver lied, RejectBudgetError when too many did, MalformedRoutingError when the table cannot be had
   */
  async query(
    wanted: Int8Array,
    options: { readonly k: number; readonly plan?: 'auto' | 'download' | 'encrypted'; readonly signal?: AbortSignal },
  ): Promise<QueryResult> {
    // What is encrypted now is what the answer is held against later.
    const intent = wanted.slice()
    assertVector(intent, this.#options.committed.dimensions)
    const plan = this.plan(options.plan)
    if (plan.plan === 'download') return { ranking: rank(scoreInClear(await this.#table(), intent), options.k), plan }
    const name = intent.join(',')
    this.#budget.assertLeft(name)
    const check = await this.#sharedCheck(options.signal)
    const scores = await this.#ask(check, intent, name, options.signal)
    return { ranking: rank(scores, options.k), plan }
  }

  async #table(): Promise<Directory> {
    const { committed, fetchDirectory } = this.#options
    const directory = this.#directory ?? (await fetchDirectory?.())
    if (directory === undefined) throw new MalformedRoutingError('The table', 'cannot be downloaded: there is nowhere to fetch it from')
    if (directory !== this.#directory && directory.rows.length !== committed.count) throw new DirectoryChangedError()
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

  async #ask(check: ScoreCheck, intent: Int8Array, name: string | undefined, signal: AbortSignal | undefined): Promise<Int32Array> {
    const leave = await this.#budget.acquire(name, signal)
    try {
      return await this.#askOnce(check, intent, leave, signal)
    } finally {
      leave.release()
    }
  }

  async #askOnce(check: ScoreCheck, intent: Int8Array, leave: AskingLeave, signal: AbortSignal | undefined): Promise<Int32Array> {
    const { domain, solver } = this.#options
    const query = this.#scorer.query(intent)
    let scores: Int32Array | undefined
    let signed: SignedAnswer | undefined
    try {
      // A connection gets a copy: it may hand its bytes to another thread, or change them.
      const answer = await untilAborted(solver.answer(query.bytes.slice(), signal === undefined ? {} : { signal }), signal)
      // An answer that nobody stands for is worth as much as a malformed one.
      signed = readAnswer(answer, query.bytes, this.#record, domain)
      if (signed !== undefined) scores = this.#scorer.decode(query, signed.bytes)
    } catch (error) {
      // Malformed answers are refused like false ones: the solver must not see a difference.
      if (!(error instanceof RoutingError)) throw error
    } finally {
      query.erase()
    }
    if (scores !== undefined && check.accepts(intent, scores)) return scores
    if (signed !== undefined)
      this.#evidence = [...this.#evidence, { record: this.#record, query: query.bytes, answer: signed }].slice(-rejectsPerDay)
    throw new ScoresRefusedError({ rejectsLeft: leave.refuse() })
  }

  // Queries side by side wait for one check, whose covers then come before all of them.
  async #sharedCheck(signal: AbortSignal | undefined): Promise<ScoreCheck> {
    for (;;) {
      signal?.throwIfAborted()
      const mine = this.#check === undefined
      const check = (this.#check ??= { promise: this.#obtainCheck(signal), signal })
      try {
        return await untilAborted(check.promise, signal)
      } catch (error) {
        if (this.#check === check && (mine || signal?.aborted !== true)) this.#check = undefined
        // Whoever began gave up: that is no reason for those who waited.
        if (mine || signal?.aborted === true || check.signal?.aborted !== true) throw error
      }
    }
  }

  // A lying checker could make acceptance depend on the intent; random cover intents find that out before a real one is at stake.
  async #obtainCheck(signal: AbortSignal | undefined): Promise<ScoreCheck> {
    const { checkers, committed, domain, random } = this.#options
    const seeds = checkers.map(() => drawBytes(random, 32))
    const vectors = await Promise.all(
      checkers.map(async (checker, i) => {
        const seed = at(seeds, i)
        // A copy, again: a checker that changed its seed would choose its own weights.
        const answer = await untilAborted(
          checker.weigh(seed.slice(), committed.root.slice(), signal === undefined ? {} : { signal }),
          signal,
        )
        const signed = readCheckVector(answer, seed, committed.root, checker.address, domain)
        // A vector of another length would refuse every answer and blame the solver.
        if (signed === undefined || signed.vector[0].length !== committed.dimensions) throw new CheckersError()
        return signed.vector
      }),
    )
    const check = new ScoreCheck(seeds, vectors, committed.count)
    for (const _ of range(coverQueries)) await this.#ask(check, this.#randomIntent(), undefined, signal)
    return check
  }

  #randomIntent(): Int8Array {
    const { dimensions } = this.#options.committed
    for (;;) {
      const values: number[] = []
      while (values.length < dimensions) {
        // Rejection keeps the coordinates uniform over 2 coverRange + 1 values.
        for (const byte of drawBytes(this.#options.random, dimensions))
          if (byte < 2 * (2 * coverRange + 1)) values.push((byte % (2 * coverRange + 1)) - coverRange)
      }
      const intent = Int8Array.from(values.slice(0, dimensions))
      // Always true up to 384 dimensions; at 1024 one in ten thousand is drawn again.
      if (squaredNorm(intent) <= largestSquaredNorm) return intent
    }
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
