import { AnswerBudgetError } from '../errors.ts'
import type { CircuitPlan } from '../circuit/plan.ts'

// A worker may answer with any ciphertext, so whatever the client shows of an answer is a function of the secret that the worker
// chose. A label is one of n values, a rounded output one of 2 bound 2^8 + 1: that many bits of the secret at most, and an
// adversary gets close (with coefficient packing output o can be made to read sum_k 3^k s_(o-k)). So answers are counted in
// bits. 850 bits are 256 labels of ten classes. They are worth at most 540 ternary coefficients; with those known the lattice
// problem at N = 8192, log QP = 180 is estimated at 143 bits (best of all attacks; docs/spec/lattice.generated.md).

/** Bits of the secret that answers nobody re-executed may show, per secret. */
export const leakBudgetBits = 850

/** Answers nobody re-executed that one secret may open, whatever they show. */
export const unverifiedAnswerLimit = 256

/** Rounded outputs are multiples of this. */
export const outputStep: number = 2 ** -8

/** What a label shows. */
export function labelBits({ output }: CircuitPlan): number {
  return Math.log2(Math.max(2, output.outputs))
}

/** The largest output that a client shows: beyond it an answer is refused, and what is counted in bits covers all of it. */
export function answerLimit({ output, error }: CircuitPlan): number {
  return output.bound + error.bound
}

/** What all rounded outputs show: each is one of the multiples of the step within {@link answerLimit}, ends rounded outwards. */
export function roundedBits(plan: CircuitPlan): number {
  return plan.output.outputs * Math.log2(2 * Math.ceil(answerLimit(plan) / outputStep) + 1)
}

/** What is left of one secret's budget. */
export class LeakBudget {
  #bits = 0
  #answers = 0

  /** Answers opened and not confirmed so far. */
  get answers(): number {
    return this.#answers
  }

  /** Bits still to be shown. */
  get remainingBits(): number {
    return leakBudgetBits - this.#bits
  }

  /**
   * Takes the cost of an answer before it is opened.
   * @throws AnswerBudgetError when it does not fit any more.
   */
  spend(bits: number): void {
    // Half a bit of tolerance: 256 labels of ten classes are 850.4 bits.
    if (this.#answers >= unverifiedAnswerLimit || this.#bits + bits > leakBudgetBits + 0.5)
      throw new AnswerBudgetError({ limit: unverifiedAnswerLimit })
    this.#bits += bits
    this.#answers += 1
  }
}
