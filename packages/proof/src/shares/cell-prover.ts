// The prover of cells: everything about outputs and their bits, equations (ii) and (iv) and the sum-check. It knows the accumulators of
// this request, no weight and no input.
import type { LayerSpec } from '@tacit/protocol'
import type { RandomSource } from '../hedged-random.ts'
import { combine, generator, mod, type Point, power } from '../reference/arithmetic.ts'
import { type Challenges, existingRows, gateParts, type Shape, type Weights } from '../reference/layer.ts'
import { drawResidues } from './additive-shares.ts'

type Row = readonly bigint[]

/** Create one per proof. */
export class CellProver {
  readonly #spec: LayerSpec
  readonly #shape: Shape
  readonly #rows: readonly Row[]
  readonly #blinders: readonly bigint[]
  readonly #random: RandomSource
  readonly #indices: readonly number[]
  #table: readonly Row[] = []
  #challenges: Challenges | undefined
  #slots: readonly bigint[] = []
  #tau: readonly bigint[] = []
  #bound: readonly bigint[] = []
  #claim = 0n
  #zeta = 0n
  #running = 0n
  #d2: Row = []
  #maskBlinder = 0n
  #gateBlinders: readonly [bigint, bigint] = [0n, 0n]

  /** `rows`: the cells of every existing cell row. */
  constructor(spec: LayerSpec, shape: Shape, rows: readonly Row[], random: RandomSource) {
    this.#spec = spec
    this.#shape = shape
    this.#rows = rows
    this.#random = random
    this.#blinders = drawResidues(random, rows.length)
    this.#indices = existingRows(shape)
  }

  /** Commitments to the cell rows. */
  cells(): readonly Point[] {
    return this.#rows.map((row, k) => this.#commit(row, this.#blinders[k] ?? 0n))
  }

  /** The claim, for the challenges drawn after the cells. */
  claim(challenges: Challenges, weights: Weights, rowBits: number): Point {
    this.#challenges = challenges
    this.#slots = weights.slots
    this.#tau = challenges.tau.slice(0, rowBits)
    const table: Row[] = Array.from({ length: 2 ** rowBits }, () => new Array<bigint>(this.#shape.slots * this.#shape.cells).fill(0n))
    this.#indices.forEach((index, k) => {
      table[index] = this.#rows[k] ?? []
    })
    this.#table = table
    const eq = eqTable(this.#tau)
    this.#claim = mod(table.reduce((sum, row, k) => sum + (eq[k] ?? 0n) * this.#gate(row), 0n))
    this.#zeta = this.#draw()
    this.#running = this.#zeta
    return this.#number(this.#claim, this.#zeta)
  }

  /** One round: commitments to both coefficients, and what to do with the challenge. */
  round(j: number): { readonly points: readonly [Point, Point]; readonly bind: (r: bigint) => void } {
    const half = this.#table.length / 2
    const tau = this.#tau[j] ?? 0n
    const eq = eqTable(this.#tau.slice(j + 1))
    const at = (x: bigint): bigint =>
      mod(eq.reduce((sum, weight, i) => sum + weight * this.#gate(mix(this.#table[i] ?? [], this.#table[i + half] ?? [], x)), 0n))
    const [t0, t1, t2] = [at(0n), at(1n), at(2n)]
    const square = mod((t2 - 2n * t1 + t0) * power(2n, -1))
    const linear = mod((this.#claim - t0) * power(tau, -1) - square)
    const [b1, b2] = [this.#draw(), this.#draw()]
    const bind = (r: bigint): void => {
      this.#claim = mod(this.#claim + (r - tau) * linear + (r * r - tau) * square)
      this.#running = mod(this.#running + (r - tau) * b1 + (r * r - tau) * b2)
      this.#table = Array.from({ length: half }, (_, i) => mix(this.#table[i] ?? [], this.#table[i + half] ?? [], r))
      this.#bound = [...this.#bound, r]
    }
    return { points: [this.#number(linear, b1), this.#number(square, b2)], bind }
  }

  /** A_2, T_0, T_1. */
  announce(): { readonly mask: Point; readonly gate: readonly [Point, Point] } {
    const beta = this.#table[0] ?? []
    this.#d2 = drawResidues(this.#random, beta.length)
    this.#maskBlinder = this.#draw()
    this.#gateBlinders = [this.#draw(), this.#draw()]
    const [q0, l0] = this.#parts(this.#d2)
    const [sum] = this.#parts(this.#d2.map((d, k) => mod(d + (beta[k] ?? 0n))))
    const [own] = this.#parts(beta)
    const [u0, u1] = this.#gateBlinders
    return { mask: this.#commit(this.#d2, this.#maskBlinder), gate: [this.#number(q0, u0), this.#number(mod(sum - q0 - own + l0), u1)] }
  }

  /** f2, pi_2, theta_2, and the part of theta_1 that the claim's blinder makes. */
  respond(c: bigint): { readonly f2: Row; readonly pi2: bigint; readonly theta1: bigint; readonly theta2: bigint } {
    const beta = this.#table[0] ?? []
    const eq = eqTable(this.#bound)
    const betaBlinder = this.#blinders.reduce((sum, blinder, k) => sum + (eq[this.#indices[k] ?? 0] ?? 0n) * blinder, 0n)
    const [u0, u1] = this.#gateBlinders
    return {
      f2: this.#d2.map((d, k) => mod(d + c * (beta[k] ?? 0n))),
      pi2: mod(this.#maskBlinder + c * mod(betaBlinder)),
      theta1: mod(2n * power(c, this.#shape.target) * this.#zeta),
      theta2: mod(u0 + c * u1 + c * c * this.#running),
    }
  }

  #gate(row: Row): bigint {
    const [quadratic, linear] = this.#parts(row)
    return mod(quadratic + linear)
  }

  #parts(row: Row): readonly [bigint, bigint] {
    let [quadratic, linear] = [0n, 0n]
    const { cells } = this.#shape
    this.#slots.forEach((weight, slot) => {
      if (this.#challenges === undefined) return
      const [q, l] = gateParts(this.#spec, row.slice(slot * cells, (slot + 1) * cells), this.#challenges)
      quadratic += weight * q
      linear += weight * l
    })
    return [mod(quadratic), mod(linear)]
  }

  #draw(): bigint {
    return drawResidues(this.#random, 1)[0] ?? 0n
  }

  #commit(vector: Row, blinder: bigint): Point {
    return combine([...vector.map((_, k) => generator(`G/${k}`)), generator('H')], [...vector, blinder])
  }

  #number(value: bigint, blinder: bigint): Point {
    return combine([generator('U'), generator('H')], [value, blinder])
  }
}

function eqTable(t: readonly bigint[]): readonly bigint[] {
  return t.reduce<readonly bigint[]>((table, x) => table.flatMap((value) => [mod(value * (1n - x)), mod(value * x)]), [1n])
}

function mix(low: Row, high: Row, x: bigint): Row {
  return low.map((value, k) => mod(value + x * ((high[k] ?? 0n) - value)))
}
