// The linear Sigma protocol that ties registered rows to range-checked weights, multipliers and biases: an opening of a public linear
// map (Maurer, "Unifying Zero-Knowledge Proofs of Knowledge"). Equations (L), (M), (B), (P), (S) of docs/spec/proofs.md, section 14.
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import { msmWindow, type ProofEngine } from '../engine.ts'
import { mod } from '../kernels/field.ts'
import { type Kernels, POINT_BYTES, SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { placeScalars } from '../kernels/scalars.ts'
import type { RangePlan } from './plan.ts'

/** All points that equations name, in kernel memory: generators, H, registered rows, committed rows, bytes, moved rows. */
export type PointTable = {
  readonly at: number
  readonly H: number
  readonly registered: number
  readonly rows: number
  readonly multiplierBytes: number
  readonly biasBytes: number
  readonly shifted: number
}

/** sum of coefficient * secret * point = sum of coefficient * point. */
export type LinkEquation = {
  readonly secrets: readonly (readonly [point: number, secret: number, coefficient: bigint])[]
  readonly image: readonly (readonly [point: number, coefficient: bigint])[]
}

/** Where each secret stands among the responses. */
export type SecretOrder = {
  readonly multipliers: number
  readonly biases: number
  readonly combined: number
  readonly t: number
  readonly mu: number
  readonly beta: number
  readonly pi: number
  readonly sigma: number
}

/** M, B, v, t, mu, beta, pi, sigma. */
export function secretOrder(plan: RangePlan): SecretOrder {
  const { outputs, byteChunk, groups, groupColumns } = plan
  const combined = 2 * outputs
  const t = combined + (groups > 1 ? groups * groupColumns : 0)
  const mu = t + 1
  const beta = mu + outputs / byteChunk
  const pi = beta + outputs / byteChunk
  return { multipliers: 0, biases: outputs, combined, t, mu, beta, pi, sigma: pi + groups }
}

/** e_(a,o) = epsilon^(a m + o). */
export function rowWeights(plan: RangePlan, epsilon: bigint): readonly bigint[] {
  const weights: bigint[] = []
  for (let k = 0, power = 1n; k < plan.chunks * plan.outputs; k++, power = mod(power * epsilon)) weights.push(power)
  return weights
}

/** Places generators and the points of registration and proof, each list as 33-byte encodings; undefined if one is not a point. */
export function placePoints(
  engine: ProofEngine,
  plan: RangePlan,
  lists: {
    readonly registered: Uint8Array
    readonly rows: Uint8Array
    readonly multiplierBytes: Uint8Array
    readonly biasBytes: Uint8Array
    readonly shifted: Uint8Array
  },
): PointTable | undefined {
  const { kernels } = engine
  const generators = Math.max(plan.biasColumn + 1, plan.byteChunk)
  const encoded = [lists.registered, lists.rows, lists.multiplierBytes, lists.biasBytes, lists.shifted]
  const counts = encoded.map((list) => list.length / ENCODED_POINT_BYTES)
  const total = generators + 1 + counts.reduce((sum, n) => sum + n, 0)
  const at = kernels.allocate(POINT_BYTES * total)
  const copied = kernels.scoped(() => {
    const copy = (to: number, from: number, n: number): void =>
      kernels.bytes(at + POINT_BYTES * to, POINT_BYTES * n).set(kernels.bytes(from, POINT_BYTES * n))
    copy(0, engine.placeGenerators(generators), generators)
    copy(generators, engine.placeBases() + POINT_BYTES, 1)
    let next = generators + 1
    for (const [k, list] of encoded.entries()) {
      const n = counts[k] ?? 0
      const bytes = kernels.allocate(Math.max(1, list.length))
      kernels.bytes(bytes, list.length).set(list)
      if (n > 0 && kernels.x.decodePoints(at + POINT_BYTES * next, bytes, n) !== n) return false
      next += n
    }
    return true
  })
  if (!copied) return undefined
  const [registered = 0, rows = 0, multiplierBytes = 0, biasBytes = 0] = counts
  const first = generators + 1
  return {
    at,
    H: generators,
    registered: first,
    rows: first + registered,
    multiplierBytes: first + registered + rows,
    biasBytes: first + registered + rows + multiplierBytes,
    shifted: first + registered + rows + multiplierBytes + biasBytes,
  }
}

/** The equations in the order of their announcements. */
export function linkEquations(plan: RangePlan, table: PointTable, epsilon: bigint, biasBits: number): readonly LinkEquation[] {
  const { outputs, chunks, groups, groupColumns, byteChunk, biasColumn } = plan
  const order = secretOrder(plan)
  const weights = rowWeights(plan, epsilon)
  const weight = (row: number): bigint => weights[row] ?? 0n
  const last = (chunks - 1) * outputs
  const each = <T>(n: number, f: (k: number) => T): T[] => Array.from({ length: n }, (_, k) => f(k))
  const bound = groups > 1 ? table.shifted : table.rows
  const main: LinkEquation = {
    secrets: [
      ...each(chunks * outputs, (row) => [bound + row, order.multipliers + (row % outputs), weight(row)] as const),
      ...each(outputs, (o) => [biasColumn, order.biases + o, weight(last + o)] as const),
      [table.H, order.t, 1n],
    ],
    image: each(chunks * outputs, (row) => [table.registered + row, weight(row)] as const),
  }
  const byteChunks = outputs / byteChunk
  const number = (firstPoint: number, bytes: number, offset: bigint, secrets: { readonly first: number; readonly blinder: number }) =>
    each(byteChunks, (k): LinkEquation => {
      const powers = each(bytes, (j) => 1n << BigInt(8 * j))
      const constant = 128n * powers.reduce((sum, power) => sum + power, 0n) - offset
      return {
        secrets: [...each(byteChunk, (i) => [i, secrets.first + k * byteChunk + i, 1n] as const), [table.H, secrets.blinder + k, 1n]],
        image: [
          ...powers.map((power, j) => [firstPoint + j * byteChunks + k, power] as const),
          ...each(byteChunk, (i) => [i, constant] as const),
        ],
      }
    })
  const equations = [
    main,
    ...number(table.multiplierBytes, plan.bytesOfMultiplier, 0n, { first: order.multipliers, blinder: order.mu }),
    ...number(table.biasBytes, plan.bytesOfBias, 1n << BigInt(biasBits), { first: order.biases, blinder: order.beta }),
  ]
  if (groups === 1) return equations
  const perGroup = outputs / groups
  return [
    ...equations,
    ...each(
      groups,
      (g): LinkEquation => ({
        secrets: [...each(groupColumns, (i) => [i, order.combined + g * groupColumns + i, 1n] as const), [table.H, order.pi + g, 1n]],
        image: each(perGroup, (i) => [table.rows + g * perGroup + i, weight(g * perGroup + i)] as const),
      }),
    ),
    {
      secrets: [...each(groups * groupColumns, (i) => [i, order.combined + i, 1n] as const), [table.H, order.sigma, 1n]],
      image: each(outputs, (o) => [table.shifted + o, weight(o)] as const),
    },
  ]
}

/** A sum of multiples of points of one table. */
export class TableSum {
  readonly #kernels: Kernels
  readonly #table: PointTable
  readonly #scalars = new Map<number, bigint>()

  constructor(kernels: Kernels, table: PointTable) {
    this.#kernels = kernels
    this.#table = table
  }

  /** Adds scalar * point. */
  add(point: number, scalar: bigint): void {
    this.#scalars.set(point, (this.#scalars.get(point) ?? 0n) + scalar)
  }

  /** The sum, with further points given as an address; belongs to the caller's scope. */
  evaluate(more: { readonly points: number; readonly scalars: readonly bigint[] } = { points: 0, scalars: [] }): number {
    const kernels = this.#kernels
    const out = kernels.allocate(SUM_BYTES)
    kernels.scoped(() => {
      const own = this.#scalars.size
      const n = own + more.scalars.length
      const points = kernels.allocate(POINT_BYTES * n)
      const copy = (to: number, from: number, count: number): void =>
        kernels.bytes(points + POINT_BYTES * to, POINT_BYTES * count).set(kernels.bytes(from, POINT_BYTES * count))
      let next = 0
      for (const point of this.#scalars.keys()) copy(next++, this.#table.at + POINT_BYTES * point, 1)
      copy(own, more.points, more.scalars.length)
      const scalars = placeScalars(kernels, [...this.#scalars.values(), ...more.scalars])
      const raw = kernels.allocate(SCALAR_BYTES * n)
      kernels.x.scalarsRaw(raw, scalars, n)
      const window = msmWindow(n)
      kernels.x.msm(out, points, raw, n, window, kernels.allocate(kernels.x.msmBytes(n, window)))
    })
    return out
  }
}
