// The sum-check over cell rows with hidden round polynomials (Section 6, step 3). Rows that do not exist are never touched.
import { invert, mod } from '../kernels/field.ts'
import { type Kernels, SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars, readScalars } from '../kernels/scalars.ts'
import { eqTable } from '../relation/index-space.ts'
import type { Relation } from '../relation/relation.ts'
import type { CellWitness } from '../witness/cells.ts'

/** Pairs of rows that differ in the most significant remaining bit: (low row, high row, weight index), rows counted from 1. */
type Pairs = { readonly triples: Uint32Array; readonly count: number; readonly indices: Uint32Array }

/** State between rounds. */
export class SumCheck {
  readonly #kernels: Kernels
  readonly #relation: Relation
  readonly #witness: CellWitness
  readonly #tau: readonly bigint[]
  readonly #tauAt: number
  readonly #buffers: readonly [number, number]
  readonly #out: number
  #indices: Uint32Array
  #rows = 0
  #round = 0
  #pairs: Pairs | undefined

  constructor(kernels: Kernels, relation: Relation, witness: CellWitness, tau: readonly bigint[]) {
    this.#kernels = kernels
    this.#relation = relation
    this.#witness = witness
    this.#tau = tau
    this.#tauAt = placeScalars(kernels, tau)
    this.#indices = relation.space.rows
    const { space, gate } = relation
    const rowBytes = SCALAR_BYTES * space.slots * (gate.cells + gate.columns.length)
    const half = Math.min(space.rows.length, 2 ** Math.max(0, space.rowBits - 1))
    this.#buffers = [
      kernels.allocate(rowBytes * (half + 1)),
      kernels.allocate(rowBytes * (Math.min(half, 2 ** Math.max(0, space.rowBits - 2)) + 1)),
    ]
    this.#out = kernels.allocate(2 * SCALAR_BYTES)
  }

  /** sum of eq(tau, row) Q(row) over all rows: the claim, for true cells. */
  claim(): bigint {
    const { space } = this.#relation
    const kernels = this.#kernels
    return kernels.scoped(() => {
      const weights = eqTable(kernels, this.#tauAt, space.rowBits)
      const pairs = kernels.allocate(12 * space.rows.length)
      const view = kernels.uint32(pairs, 3 * space.rows.length)
      space.rows.forEach((row, k) => {
        view.set([k + 1, 0, row], 3 * k)
      })
      kernels.x.firstRound(this.#out, this.#witness.cells, this.#witness.columns, pairs, space.rows.length, weights)
      return readScalars(kernels, this.#out, 1)[0] ?? 0n
    })
  }

  /** Coefficients c_1, c_2 of this round's polynomial, given the running claim. */
  coefficients(claim: bigint): readonly [bigint, bigint] {
    const kernels = this.#kernels
    const { rowBits } = this.#relation.space
    const mark = kernels.mark()
    const pairs = this.#makePairs(rowBits - this.#round - 1)
    this.#pairs = pairs
    const at = this.#placePairs(pairs)
    const weights = eqTable(kernels, this.#tauAt + SCALAR_BYTES * (this.#round + 1), rowBits - this.#round - 1)
    if (this.#round === 0) kernels.x.firstRound(this.#out, this.#witness.cells, this.#witness.columns, at, pairs.count, weights)
    else kernels.x.nextRound(this.#out, this.#rows, at, pairs.count, weights)
    const [atZero = 0n, square = 0n] = readScalars(kernels, this.#out, 2)
    kernels.release(mark)
    const tau = this.#tau[this.#round] ?? 0n
    return [mod(mod(claim - atZero) * invert(tau) - square), square]
  }

  /** Binds this round's variable. */
  bind(challenge: bigint): void {
    const kernels = this.#kernels
    kernels.scoped(() => {
      const pairs = this.#pairs ?? this.#makePairs(this.#relation.space.rowBits - this.#round - 1)
      this.#pairs = undefined
      const at = this.#placePairs(pairs)
      const r = placeScalars(kernels, [challenge])
      const target = this.#buffers[this.#round % 2] ?? 0
      if (this.#round === 0) kernels.x.firstFold(target, this.#witness.cells, this.#witness.columns, at, pairs.count, r)
      else kernels.x.nextFold(target, this.#rows, at, pairs.count, r)
      this.#rows = target
      this.#indices = pairs.indices
    })
    this.#round++
  }

  /** The cells of the one row that is left, without their linear columns. */
  finalCells(): number {
    const { space, gate } = this.#relation
    const kernels = this.#kernels
    const stride = gate.cells + gate.columns.length
    if (this.#round === 0) this.#foldSingleRow()
    const row = this.#rows + SCALAR_BYTES * space.slots * stride
    const at = kernels.allocate(SCALAR_BYTES * space.slots * gate.cells)
    const bytes = SCALAR_BYTES * gate.cells
    for (let slot = 0; slot < space.slots; slot++)
      kernels.bytes(at + bytes * slot, bytes).set(kernels.bytes(row + SCALAR_BYTES * stride * slot, bytes))
    return at
  }

  // A layer with one cell row has no rounds: fold it with a missing partner at 0.
  #foldSingleRow(): void {
    const kernels = this.#kernels
    kernels.scoped(() => {
      const pairs = kernels.allocate(12)
      kernels.uint32(pairs, 3).set([1, 0, 0])
      kernels.x.firstFold(this.#buffers[0], this.#witness.cells, this.#witness.columns, pairs, 1, placeScalars(kernels, [0n]))
    })
    this.#rows = this.#buffers[0]
  }

  #makePairs(bit: number): Pairs {
    const half = 2 ** bit
    const rows = this.#indices
    const split = rows.findIndex((row) => row >= half)
    const lows = split < 0 ? rows.length : split
    // at most one pair per remaining row
    const triples = new Uint32Array(3 * rows.length)
    const indices = new Uint32Array(rows.length)
    let count = 0
    for (let low = 0, high = lows; low < lows || high < rows.length; count++) {
      const a = low < lows ? (rows[low] ?? 0) : Number.POSITIVE_INFINITY
      const b = high < rows.length ? (rows[high] ?? 0) - half : Number.POSITIVE_INFINITY
      const index = Math.min(a, b)
      triples[3 * count] = a === index ? ++low : 0
      triples[3 * count + 1] = b === index ? ++high : 0
      triples[3 * count + 2] = index
      indices[count] = index
    }
    return { triples: triples.subarray(0, 3 * count), count, indices: indices.subarray(0, count) }
  }

  #placePairs(pairs: Pairs): number {
    const at = this.#kernels.allocate(4 * pairs.triples.length)
    this.#kernels.uint32(at, pairs.triples.length).set(pairs.triples)
    return at
  }
}
