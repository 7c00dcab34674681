import { equalBytes, toHex } from '@tacit/protocol'
import { type EvaluationKeys, parseEvaluationKeys } from '../ckks/evaluation-keys.ts'
import { parseSeed } from '../ckks/seeded-ciphertext.ts'
import { MalformedEncryptionError, TicketError } from '../errors.ts'
import { drawSeeds, type RandomSource } from '../internal/streams.ts'
import { assertEncoded, type EncodedNetwork } from './encoded-network.ts'
import type { TraceObserver } from './evaluate.ts'
import { createLocalRunner, type RequestRunner } from './runner.ts'

/** A response, and the seed of its mask: kept by the worker, opened only to whoever re-executes. */
export type EvaluatedRequest = { readonly response: Uint8Array<ArrayBuffer>; readonly maskSeed: Uint8Array }

export type CircuitSessionOptions = {
  readonly random: RandomSource
  /** How many requests may be prepared ahead at once; each takes about half a megabyte. */
  readonly tickets?: number
  /** Who computes; by default this thread, in memory of its own. */
  readonly createRunner?: (encoded: EncodedNetwork, keys: EvaluationKeys, slots: number) => RequestRunner
}

const defaultTickets = 4
/** Seeds remembered to refuse a second use; a session that has seen as many is replaced. */
const maximumSeeds = 65_536

type Ticket = { readonly slot: number; readonly maskSeed: Uint8Array; readonly seed: Uint8Array }

/**
 * A worker's side of one client's use of one model: evaluates requests with public keys only. It owns its memory, which holds keys
 * multiplied by weights: as secret as the weights, never sent or swapped out, gone with the session.
 */
export class CircuitSession {
  readonly #runner: RequestRunner
  readonly #level: number
  readonly #random: RandomSource
  readonly #free: number[] = []
  readonly #tickets = new Map<string, Ticket>()
  readonly #seen = new Set<string>()

  /** @throws MalformedEncryptionError or MissingKeyError when the keys do not serve the plan. */
  constructor(encoded: EncodedNetwork, keyBytes: Uint8Array, options: CircuitSessionOptions) {
    assertEncoded(encoded)
    // The size is the plan's to the byte: nobody uploads keys that nothing needs.
    if (keyBytes.length !== encoded.plan.sizes.keyBytes) throw new MalformedEncryptionError('The key set', 'does not have its length')
    const keys = parseEvaluationKeys(keyBytes)
    if (keys.parameters !== encoded.plan.parameters) throw new MalformedEncryptionError('The key set', 'is for another parameter set')
    const tickets = options.tickets ?? defaultTickets
    // The last slot serves requests that were not announced.
    this.#runner = (options.createRunner ?? createLocalRunner)(encoded, keys, tickets + 1)
    this.#level = encoded.plan.level
    this.#random = options.random
    for (let slot = 0; slot < tickets; slot++) this.#free.push(slot)
  }

  /** How many more requests can be prepared ahead. */
  get freeTickets(): number {
    return this.#free.length
  }

  /**
   * Does the half of a request that depends on its seed alone. The client draws and announces the seed; the work is used once.
   * @throws TicketError when the seed was announced or used before, or no ticket is free.
   */
  prepare(seed: Uint8Array): void {
    if (seed.length !== 32) throw new TicketError('a seed has 32 bytes')
    const name = toHex(seed)
    if (this.#tickets.has(name)) throw new TicketError('this seed was announced before')
    // Before the seed is claimed: a request whose announcement found no room can still be evaluated.
    const slot = this.#free.at(-1)
    if (slot === undefined) throw new TicketError('no ticket is free')
    this.#claim(name)
    const [maskSeed] = drawSeeds(this.#random, 1) as readonly [Uint8Array]
    this.#runner.prepare(slot, seed, maskSeed)
    this.#free.pop()
    this.#tickets.set(name, { slot, maskSeed, seed: Uint8Array.from(seed) })
  }

  /** Gives up a prepared request. */
  discard(seed: Uint8Array): void {
    const name = toHex(seed)
    const ticket = this.#tickets.get(name)
    if (ticket === undefined) return
    this.#tickets.delete(name)
    this.#free.push(ticket.slot)
  }

  /**
   * Evaluates a request: with the work done ahead if its seed was announced, from scratch otherwise; the bytes are the same for the same
   * mask seed. A resent request is answered from what the worker stored, never evaluated twice.
   * @throws MalformedEncryptionError for anything that is not a request of this plan, TicketError for a seed that was used before.
   */
  evaluate(request: Uint8Array, options: { readonly observe?: TraceObserver } = {}): EvaluatedRequest {
    const seed = parseSeed(this.#runner.ring, request, this.#level)
    const name = toHex(seed)
    const ticket = this.#tickets.get(name)
    // Consumed before anything is computed: no failure below leaves a ticket that could be used again.
    if (ticket !== undefined) {
      this.#tickets.delete(name)
      this.#free.push(ticket.slot)
      if (!equalBytes(ticket.seed, seed)) throw new TicketError('it is for another request')
      const response = this.#runner.finish(ticket.slot, request, ticket.maskSeed, options.observe)
      return { response, maskSeed: ticket.maskSeed }
    }
    this.#claim(name)
    const [maskSeed] = drawSeeds(this.#random, 1) as readonly [Uint8Array]
    return { response: this.#evaluateDirectly(request, seed, maskSeed, options.observe), maskSeed }
  }

  /**
   * Evaluates somebody's request again with the mask seed that the worker opened: equal bytes, or the worker did not do this. The bytes are
   * for comparing, here: whoever chose the seed could take mask and flooding noise off them.
   */
  reevaluate(request: Uint8Array, maskSeed: Uint8Array, options: { readonly observe?: TraceObserver } = {}): Uint8Array<ArrayBuffer> {
    if (maskSeed.length !== 32) throw new MalformedEncryptionError('The mask seed', 'does not have 32 bytes')
    const seed = parseSeed(this.#runner.ring, request, this.#level)
    return this.#evaluateDirectly(request, seed, maskSeed, options.observe)
  }

  #evaluateDirectly(request: Uint8Array, seed: Uint8Array, maskSeed: Uint8Array, observe?: TraceObserver): Uint8Array<ArrayBuffer> {
    const slot = this.#runner.slots - 1
    this.#runner.prepare(slot, seed, maskSeed)
    return this.#runner.finish(slot, request, maskSeed, observe)
  }

  #claim(name: string): void {
    if (this.#seen.has(name)) throw new TicketError('its seed was used before')
    if (this.#seen.size >= maximumSeeds) throw new TicketError('the session has served its number of requests')
    this.#seen.add(name)
  }
}
