// What a layer kind contributes to the common protocol: a gate per output, and a wiring that says which committed vectors enter
// the masked polynomial f1(c) at which power, and which public vectors ("forms") they meet. Sections 5 and 6 of docs/spec/proofs.md.
import type { Kernels } from '../kernels/kernels.ts'
import type { Gate } from './gate.ts'
import type { ActivationLayout, IndexSpace, SpaceWeights } from './index-space.ts'

/** Where a committed vector comes from. */
export type Source = 'weights' | 'input0' | 'input1' | 'output' | 'link' | 'auxiliary' | 'auxiliary1'

/** c^exponent * sum of scalars_i * commitment[start + stride i]; scalars in kernel memory. */
export type Contribution = {
  readonly exponent: number
  readonly source: Source
  readonly start: number
  readonly stride: number
  readonly count: number
  readonly scalars: number
}

/** A public vector added to the hidden one at the same power, on columns start .. start + count - 1. */
export type Offset = { readonly exponent: number; readonly start: number; readonly count: number; readonly at: number }

/** A public vector on columns 0 .. count - 1. */
export type Form = { readonly exponent: number; readonly count: number; readonly at: number }

/** The public side of one proof, given its challenges. */
export type Wiring = {
  readonly contributions: readonly Contribution[]
  readonly offsets: readonly Offset[]
  readonly forms: readonly Form[]
  /** Coefficient of <f1, f1>; zero for kinds without a product of hidden vectors. */
  readonly quadratic: bigint
  /** What the checked coefficient lacks to the claim: claim = (coefficient / 2) + constant. */
  readonly constant: bigint
}

/** Challenges drawn before the claim is committed. */
export type GateChallenges = { readonly tau: readonly bigint[]; readonly alpha: bigint; readonly lambda: readonly bigint[] }

/** Challenges drawn after it. */
export type LinkChallenges = {
  readonly mu: readonly [channel: bigint, row: bigint, column: bigint]
  readonly nu: bigint
  readonly omega: bigint
  readonly psi: bigint
}

/** One layer kind with its sizes. */
export type Relation = {
  readonly space: IndexSpace
  readonly gate: Gate
  readonly inputs: readonly ActivationLayout[]
  readonly output: ActivationLayout
  readonly weightRows: number
  /** Columns of a weight row and of the prover's link vector (convolution), 0 if there is none. */
  readonly linkColumns: number
  /** Tensors that the prover commits to before anything else: 'auxiliary', 'auxiliary1'. */
  readonly auxiliaries: readonly ActivationLayout[]
  /** Length of f1. */
  readonly columns: number
  /** The power whose coefficient is checked. */
  readonly target: number
  readonly vectorExponents: readonly number[]
  readonly formExponents: readonly number[]
  readonly hasProduct: boolean
  readonly wire: (kernels: Kernels, weights: SpaceWeights, challenges: GateChallenges & LinkChallenges) => Wiring
}

/** Powers of c that occur in Phi, ascending, without the checked one. */
export function phiExponents(relation: Relation): readonly number[] {
  const { vectorExponents, formExponents, hasProduct, target } = relation
  const powers = new Set<number>()
  for (const a of vectorExponents) {
    if (hasProduct) for (const b of vectorExponents) powers.add(a + b)
    for (const f of formExponents) powers.add(a + f)
  }
  powers.delete(target)
  return [...powers].sort((a, b) => a - b)
}
