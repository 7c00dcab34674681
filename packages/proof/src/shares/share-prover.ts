// One of two provers that hold shares: everything about the masked vector f1(c) of a layer proof, equations (i) and (iii), from shares
// of the committed vectors. Linear steps are done alone; inner products with a dealer's help and one exchange of masked vectors.
import type { RandomSource } from '../hedged-random.ts'
import { combine, generator, mod, type Point, power } from '../reference/arithmetic.ts'
import type { Shape, Term, Wires } from '../reference/layer.ts'
import { drawResidues, type SharedOpening } from './additive-shares.ts'
import { type Correlation, innerProduct, productKey } from './dealer.ts'

/** A share of every committed vector of a layer. */
export type LayerShare = Readonly<Partial<Record<Term['source'], readonly SharedOpening[]>>>

/** Vectors by exponent. */
export type Vectors = ReadonlyMap<number, readonly bigint[]>

/** Shares of the points and of the responses. */
export type Announcement = { readonly mask: Point; readonly phi: ReadonlyMap<number, Point> }
export type ResponseShare = { readonly f1: readonly bigint[]; readonly pi1: bigint; readonly theta1: bigint }

/** Create one per proof: the correlation and the masks serve once. */
export class ShareProver {
  readonly #leads: boolean
  readonly #shape: Shape
  readonly #share: LayerShare
  readonly #correlation: Correlation
  readonly #random: RandomSource
  #vectors: Map<number, { readonly vector: readonly bigint[]; readonly blinder: bigint }> = new Map()
  #wires: Wires | undefined
  #phiBlinders = new Map<number, bigint>()

  /** `leads`: whether this prover adds the public constants. */
  constructor(
    leads: boolean,
    shape: Shape,
    share: LayerShare,
    options: { readonly correlation: Correlation; readonly random: RandomSource },
  ) {
    this.#leads = leads
    this.#shape = shape
    this.#share = share
    this.#correlation = options.correlation
    this.#random = options.random
  }

  /** Combines the shares as the challenges say, draws a share of the mask d_1, and hides everything behind the dealer's masks. */
  hideVectors(wires: Wires): Vectors {
    this.#wires = wires
    const { columns } = this.#shape
    const [blinder = 0n] = drawResidues(this.#random, 1)
    this.#vectors.set(0, { vector: drawResidues(this.#random, columns), blinder })
    for (const exponent of this.#shape.vectors.filter((e) => e !== 0)) this.#vectors.set(exponent, this.#combine(wires, exponent))
    return new Map(
      [...this.#vectors].map(([exponent, { vector }]) => {
        const mask = this.#correlation.masks.get(exponent) ?? []
        return [exponent, vector.map((value, k) => mod(value - (mask[k] ?? 0n)))]
      }),
    )
  }

  /** Commits to shares of d_1 and of the coefficients of Phi, given the hidden vectors of both provers added up. */
  announce(hidden: Vectors): Announcement {
    const wires = this.#wires
    if (wires === undefined) throw new RangeError('The vectors are combined first.')
    const phi = new Map<number, bigint>()
    const add = (exponent: number, value: bigint): void => {
      if (exponent !== this.#shape.target) phi.set(exponent, mod((phi.get(exponent) ?? 0n) + value))
    }
    for (const [a, { vector }] of this.#vectors) {
      for (const b of this.#vectors.keys()) add(a + b, wires.quadratic * this.#product(a, b, hidden))
      for (const [f, form] of wires.forms) add(a + f, 2n * innerProduct(vector, form))
    }
    const mask = this.#vectors.get(0) ?? { vector: [], blinder: 0n }
    const G = Array.from({ length: this.#shape.columns }, (_, k) => generator(`G/${k}`))
    const [U, H] = [generator('U'), generator('H')]
    this.#phiBlinders = new Map([...phi.keys()].map((exponent) => [exponent, drawResidues(this.#random, 1)[0] ?? 0n]))
    return {
      mask: combine([...G, H], [...mask.vector, mask.blinder]),
      phi: new Map([...phi].map(([exponent, value]) => [exponent, combine([U, H], [value, this.#phiBlinders.get(exponent) ?? 0n])])),
    }
  }

  /** Shares of f1(c) and of the blinders of (i) and (iii); uniform, because shares of d_1 and of the blinders are in them. */
  respond(c: bigint): ResponseShare {
    const f1 = Array.from({ length: this.#shape.columns }, (_, k) =>
      mod([...this.#vectors].reduce((sum, [exponent, { vector }]) => sum + power(c, exponent) * (vector[k] ?? 0n), 0n)),
    )
    const pi1 = mod([...this.#vectors].reduce((sum, [exponent, { blinder }]) => sum + power(c, exponent) * blinder, 0n))
    const theta1 = mod([...this.#phiBlinders].reduce((sum, [exponent, blinder]) => sum + power(c, exponent) * blinder, 0n))
    return { f1, pi1, theta1 }
  }

  #combine(wires: Wires, exponent: number): { readonly vector: readonly bigint[]; readonly blinder: bigint } {
    const vector = Array.from({ length: this.#shape.columns }, (_, k) => (this.#leads ? (wires.offsets.get(exponent)?.[k] ?? 0n) : 0n))
    let blinder = 0n
    for (const { source, scalars } of wires.terms.filter((term) => term.exponent === exponent)) {
      for (const [index, scalar] of scalars) {
        const share = this.#share[source]?.[index]
        share?.vector.forEach((value, k) => {
          vector[k] = (vector[k] ?? 0n) + scalar * value
        })
        blinder += scalar * (share?.blinder ?? 0n)
      }
    }
    return { vector: vector.map(mod), blinder: mod(blinder) }
  }

  // <V_a, V_b> with V = E + u: <E_a, E_b> + <E_a, u_b> + <u_a, E_b> + <u_a, u_b>
  #product(a: number, b: number, hidden: Vectors): bigint {
    const [Ea = [], Eb = []] = [hidden.get(a), hidden.get(b)]
    const [ua = [], ub = []] = [this.#correlation.masks.get(a), this.#correlation.masks.get(b)]
    const known = this.#leads ? innerProduct(Ea, Eb) : 0n
    return mod(known + innerProduct(Ea, ub) + innerProduct(ua, Eb) + (this.#correlation.products.get(productKey(a, b)) ?? 0n))
  }
}
