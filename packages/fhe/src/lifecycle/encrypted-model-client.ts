import { equalBytes, toHex, utf8 } from '@tacit/protocol'
import { decryptOutputs, encodeInput, type ParsedResponse, parseResponse } from '../circuit/client-codec.ts'
import { networkRoot } from '../circuit/encoded-network.ts'
import { assertPlan } from '../circuit/parse-plan.ts'
import { type CircuitPlan, keyNeedsOf } from '../circuit/plan.ts'
import { encodeEvaluationKeys, generateKeys } from '../ckks/evaluation-keys.ts'
import type { SecretKey } from '../ckks/secret-key.ts'
import { encryptSeeded } from '../ckks/seeded-ciphertext.ts'
import {
  MalformedEncryptionError,
  RefusedAnswerError,
  SecretDestroyedError,
  TicketError,
  UnsignedAnswerError,
  WeakRandomnessError,
} from '../errors.ts'
import { createRing, type Ring } from '../internal/ring.ts'
import { drawSeeds, type RandomSource } from '../internal/streams.ts'
import { getParameters } from '../parameters.ts'
import { type AnswerStatement, encodeAnswerStatement, hashCiphertext } from './answer-statement.ts'
import { answerLimit, LeakBudget, labelBits, outputStep, roundedBits } from './leak-budget.ts'

export type EncryptedModelClientOptions = {
  /** The one worker that this secret is for. */
  readonly worker: string
  /** The root of the encoded model; another version of the model is another secret. */
  readonly modelRoot: Uint8Array
  /** The plan, from anybody: with {@link integersHash} it must give the model root. */
  readonly plan: CircuitPlan
  /** SHA-256 of the encoded integers ({@link hashEncodedIntegers}): the half of the root that a client need not download. */
  readonly integersHash: Uint8Array
  readonly random: RandomSource
  /** Whether `signature` over `statement` is the worker's. */
  readonly verifyWorker: (statement: Uint8Array, signature: Uint8Array) => boolean
  /** Whether `signature` over `statement` is that of an independent worker who re-executed the request. */
  readonly verifyReplay: (statement: Uint8Array, signature: Uint8Array) => boolean
}

/** A request: its bytes go to the worker, its hash into voucher and receipt. A lost one is sent again as the same bytes. */
export type EncryptedRequest = { readonly bytes: Uint8Array<ArrayBuffer>; readonly hash: Uint8Array }

// Set by the static blocks below: only this file makes these objects and looks into them.
let makeSealed: (parsed: ParsedResponse, statement: AnswerStatement) => SealedAnswer
let openSealed: (answer: SealedAnswer) => { readonly parsed: ParsedResponse; readonly statement: AnswerStatement } | undefined
let makeConfirmed: (sealed: SealedAnswer) => ConfirmedAnswer
let takeSealed: (answer: ConfirmedAnswer) => SealedAnswer

/** An answer that the worker signed and that nobody has decrypted. It opens once. */
export class SealedAnswer {
  #content: { readonly parsed: ParsedResponse; readonly statement: AnswerStatement } | undefined
  static {
    makeSealed = (parsed, statement) => {
      const answer = new SealedAnswer()
      answer.#content = { parsed, statement }
      return answer
    }
    openSealed = (answer) => {
      const content = answer.#content
      answer.#content = undefined
      return content
    }
  }
  /** What the worker signed; voucher and receipt go by these hashes, before decryption. */
  get statement(): AnswerStatement | undefined {
    return this.#content?.statement
  }
}

/** An answer that an independent worker re-executed to the same bytes: the only kind whose exact values may be seen. */
export class ConfirmedAnswer {
  #sealed: SealedAnswer | undefined
  static {
    makeConfirmed = (sealed) => {
      const answer = new ConfirmedAnswer()
      answer.#sealed = sealed
      return answer
    }
    takeSealed = (answer) => answer.#sealed ?? new SealedAnswer()
  }
}

/**
 * A client's use of one model at one worker: one secret, drawn here and never given out. What an answer may show is bounded by types
 * (exact values only of a {@link ConfirmedAnswer}) and by a {@link LeakBudget}; the first answer that an honest worker cannot have
 * sent destroys the secret.
 */
export class EncryptedModelClient {
  readonly plan: CircuitPlan
  /** The key set to send to the worker, once. */
  readonly keySet: Uint8Array<ArrayBuffer>
  readonly keySetHash: Uint8Array
  readonly #options: EncryptedModelClientOptions
  readonly #ring: Ring
  readonly #secretKey: SecretKey
  readonly #budget = new LeakBudget()
  readonly #tickets = new Map<string, Uint8Array>()
  readonly #pending = new Map<string, Uint8Array>()
  /** Seeds of messages: two messages under one show their difference. */
  readonly #used = new Set<string>()

  /** @throws MalformedEncryptionError when the plan cannot be followed or is not the model's, WeakRandomnessError */
  constructor(options: EncryptedModelClientOptions) {
    this.plan = freezePlan(options.plan)
    if (!equalBytes(networkRoot(this.plan, options.integersHash), options.modelRoot))
      throw new MalformedEncryptionError('The circuit plan', 'is not the one of this model')
    this.#options = { ...options, modelRoot: Uint8Array.from(options.modelRoot) }
    this.#ring = createRing(getParameters(options.plan.parameters))
    const { secretKey, evaluationKeys } = generateKeys(this.#ring, keyNeedsOf(options.plan), options.random)
    this.#secretKey = secretKey
    this.keySet = encodeEvaluationKeys(evaluationKeys)
    this.keySetHash = hashCiphertext(this.keySet)
  }

  /** Whether the secret is gone: by {@link destroy} or by a refused answer. */
  get destroyed(): boolean {
    return this.#secretKey.destroyed
  }

  /** Bits that answers nobody re-executed may still show. */
  get remainingBits(): number {
    return this.#budget.remainingBits
  }

  /**
   * Draws the seed of a later request, for the worker to work ahead. Tickets exist in this object's memory only and are used at most once.
   * @throws SecretDestroyedError
   */
  announce(): Uint8Array {
    this.#assertAlive()
    const [seed] = drawSeeds(this.#options.random, 1) as readonly [Uint8Array]
    this.#tickets.set(toHex(seed), seed)
    return Uint8Array.from(seed)
  }

  /**
   * Encrypts an input, with a ticket of {@link announce} if given.
   * @throws InputRangeError, TicketError, SecretDestroyedError
   */
  encrypt(input: ArrayLike<number>, options: { readonly ticket?: Uint8Array } = {}): EncryptedRequest {
    this.#assertAlive()
    const message = encodeInput(this.plan, input)
    const [fresh] = drawSeeds(this.#options.random, 1) as readonly [Uint8Array]
    const seed = options.ticket === undefined ? fresh : this.#consumeTicket(options.ticket)
    const name = toHex(seed)
    if (this.#used.has(name)) throw new WeakRandomnessError('it gave the same bytes twice')
    this.#used.add(name)
    const bytes = encryptSeeded(this.#ring, this.#secretKey, message, { level: this.plan.level, random: this.#options.random, seed })
    const hash = hashCiphertext(bytes)
    this.#pending.set(toHex(hash), hash)
    return { bytes, hash }
  }

  /**
   * Accepts a response with the worker's signature over what it answers. Nothing is decrypted.
   * @throws UnsignedAnswerError when the signature is not the worker's; nothing changed, the right one may still come.
   * @throws RefusedAnswerError when the signed bytes are not an answer: the secret is destroyed.
   */
  receive(request: EncryptedRequest, response: Uint8Array, signature: Uint8Array): SealedAnswer {
    this.#assertAlive()
    const { worker, modelRoot } = this.#options
    const statement = { worker, modelRoot, keySetHash: this.keySetHash, requestHash: request.hash, responseHash: hashCiphertext(response) }
    const name = toHex(request.hash)
    if (!this.#pending.has(name)) throw new TicketError('there is no open request of that hash')
    if (!this.#options.verifyWorker(encodeAnswerStatement(statement), signature)) throw new UnsignedAnswerError()
    this.#pending.delete(name)
    return makeSealed(this.#parse(response), statement)
  }

  /**
   * Turns an answer into a confirmed one, by an independent worker's signature over the same statement.
   * @throws UnsignedAnswerError
   */
  confirm(answer: SealedAnswer, replayer: string, signature: Uint8Array): ConfirmedAnswer {
    const { statement } = answer
    if (statement === undefined) throw new TicketError('the answer was opened before')
    const same = equalBytes(utf8(replayer), utf8(this.#options.worker))
    if (same || !this.#options.verifyReplay(encodeAnswerStatement({ ...statement, worker: replayer }), signature))
      throw new UnsignedAnswerError()
    return makeConfirmed(answer)
  }

  /**
   * The index of the largest output.
   * @throws RefusedAnswerError, AnswerBudgetError, SecretDestroyedError
   */
  openLabel(answer: SealedAnswer): number {
    const outputs = this.#open(answer, labelBits(this.plan))
    return outputs.indexOf(Math.max(...outputs))
  }

  /**
   * All outputs, rounded to multiples of 2^-8. Costs far more of the budget than a label.
   * @throws RefusedAnswerError, AnswerBudgetError, SecretDestroyedError
   */
  openRounded(answer: SealedAnswer): Float64Array {
    return this.#open(answer, roundedBits(this.plan)).map((value) => Math.round(value / outputStep) * outputStep + 0)
  }

  /**
   * All outputs as decrypted. Never publish them beside the ciphertext: together they may give the secret away.
   * @throws RefusedAnswerError, SecretDestroyedError
   */
  openExact(answer: ConfirmedAnswer): Float64Array {
    return this.#open(takeSealed(answer), 0)
  }

  /** Overwrites the secret. */
  destroy(): void {
    this.#secretKey.destroy()
    this.#tickets.clear()
    this.#pending.clear()
  }
  [Symbol.dispose](): void {
    this.destroy()
  }

  #open(answer: SealedAnswer, bits: number): Float64Array {
    this.#assertAlive()
    const { statement } = answer
    if (statement === undefined) throw new TicketError('the answer was opened before')
    if (!equalBytes(statement.keySetHash, this.keySetHash)) throw new TicketError('the answer is for another key set')
    // Paid for before it is taken: what the budget refuses can still be confirmed later.
    if (bits > 0) this.#budget.spend(bits)
    const content = openSealed(answer)
    if (content === undefined) throw new TicketError('the answer was opened before')
    const outputs = decryptOutputs(this.#ring, this.#secretKey, this.plan, content.parsed)
    const limit = answerLimit(this.plan)
    if (outputs.some((value) => !(Math.abs(value) <= limit))) this.#refuse()
    return outputs
  }

  #parse(response: Uint8Array): ParsedResponse {
    try {
      return parseResponse(this.plan, response)
    } catch (error) {
      if (error instanceof MalformedEncryptionError) this.#refuse()
      throw error
    }
  }

  #refuse(): never {
    this.destroy()
    throw new RefusedAnswerError({ replaceAfterMs: drawDelay(this.#options.random) })
  }

  #assertAlive(): void {
    if (this.destroyed) throw new SecretDestroyedError()
  }

  #consumeTicket(ticket: Uint8Array): Uint8Array {
    const name = toHex(ticket)
    const seed = this.#tickets.get(name)
    if (seed === undefined) throw new TicketError('it was not announced, or was used')
    // Gone before anything is encrypted: a failure cannot lead to a second message under one seed.
    this.#tickets.delete(name)
    return seed
  }
}

/** A copy that nobody can change later: what an answer may cost is computed from it. @throws MalformedEncryptionError */
function freezePlan(plan: CircuitPlan): CircuitPlan {
  const copy = structuredClone(plan)
  assertPlan(copy)
  return deepFreeze(copy)
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}

const shortestDelayMs = 60_000
const longestDelayMs = 3_600_000

/** When to come back with a new secret: at random, so that the moment says nothing about what was refused. */
function drawDelay(random: RandomSource): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4)
  const fraction = (a + 256 * (b + 256 * (c + 256 * d))) / 2 ** 32
  return Math.round(shortestDelayMs + fraction * (longestDelayMs - shortestDelayMs))
}
