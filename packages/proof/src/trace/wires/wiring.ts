// What a layer kind adds to a verifier program: section 5 of docs/spec/proofs.md with nodes in place of numbers. One file per family of
// kinds, each beside the file of the same name in src/relation, from which the sizes come.
import type { LayerRequantisation } from '@tacit/protocol'
import type { Source } from '../../relation/relation.ts'
import { roundingConstant } from '../../relation/rounding.ts'
import type { WindowAxis } from '../../relation/forms.ts'
import { tapPosition } from '../../relation/forms.ts'
import type { Node, Recorder } from '../recorder.ts'
import type { TraceWeights } from '../weights.ts'

/** Challenges as nodes. */
export type TraceChallenges = {
  readonly tau: readonly Node[]
  readonly alpha: Node
  readonly lambda: readonly Node[]
  readonly mu: readonly Node[]
  readonly nu: Node
  readonly omega: Node
  readonly psi: Node
}

/** c^exponent times the sum of scalars_i commitment[start + stride i]. */
export type TraceContribution = {
  readonly exponent: number
  readonly source: Source
  readonly start: number
  readonly stride: number
  readonly scalars: readonly Node[]
}

/** A number added to every hidden value at one power on columns start .. start + count - 1. */
export type TraceOffset = { readonly exponent: number; readonly start: number; readonly count: number; readonly value: Node }

/** scalar times `entries` on the first columns, `surplus` behind them. */
export type TraceForm = {
  readonly exponent: number
  readonly scalar: Node
  readonly entries: readonly Node[]
  readonly surplus: readonly Node[]
}

/** The public side of one proof. */
export type TraceWiring = {
  readonly contributions: readonly TraceContribution[]
  readonly offsets: readonly TraceOffset[]
  readonly forms: readonly TraceForm[]
  readonly quadratic: Node
  readonly constant: Node
}

/** What a wiring is made from. */
export type WireInputs = {
  readonly m: Recorder
  readonly weights: TraceWeights
  readonly challenges: TraceChallenges
  /** Length of f1. */
  readonly columns: number
  /** lambda_t. */
  readonly lambda: (constraint: number) => Node
  readonly forms: TraceForms
}

/** Forms with fresh powers of psi in their surplus columns, in the order in which they are added. */
export class TraceForms {
  readonly forms: TraceForm[] = []
  readonly #m: Recorder
  readonly #columns: number
  readonly #psi: Node
  #power: Node

  constructor(m: Recorder, columns: number, psi: Node) {
    this.#m = m
    this.#columns = columns
    this.#psi = psi
    this.#power = psi
  }

  /** Adds a form; returns its surplus. */
  add(exponent: number, entries: readonly Node[], scalar: Node): readonly Node[] {
    const surplus = Array.from({ length: this.#columns - entries.length }, () => {
      const power = this.#power
      this.#power = this.#m.mul(power, this.#psi)
      return power
    })
    this.forms.push({ exponent, scalar, entries, surplus })
    return surplus
  }
}

/** E (lambda_rounding (K + extra) - lambda_output low): what every requantised kind moves to the constant side. */
export function requantisedConstant(
  { m, weights }: WireInputs,
  requantisation: LayerRequantisation,
  weightsOf: { readonly rounding: Node; readonly output: Node; readonly extra?: bigint },
): Node {
  const base = m.scalar(roundingConstant(requantisation) + (weightsOf.extra ?? 0n))
  const low = m.mul(weightsOf.output, m.scalar(requantisation.low))
  return m.mul(weights.sum, m.sub(m.mul(weightsOf.rounding, base), low))
}

/** `n` zeros. */
export function zeros({ m }: WireInputs, n: number): readonly Node[] {
  return new Array<Node>(n).fill(m.zero)
}

/** The sum over outputs and taps that read a position, of outputWeight tapWeight. */
export function gather(m: Recorder, axis: WindowAxis, outputs: readonly Node[], taps: readonly Node[]): readonly Node[] {
  const sums = new Array<Node>(axis.input).fill(m.zero)
  for (let p = 0; p < axis.output; p++)
    for (let k = 0; k < axis.kernel; k++) {
      const position = tapPosition(axis, p, k)
      if (position >= 0) sums[position] = m.fma(outputs[p] ?? m.zero, taps[k] ?? m.zero, sums[position] ?? m.zero)
    }
  return sums
}
