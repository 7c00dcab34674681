// The production verifier: one multi-scalar multiplication per proof, or one for many proofs.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, type LayerStatement, utf8 } from '@tacit/protocol'
import { msmWindow, type ProofEngine } from '../engine.ts'
import { bytesToNumber, mod } from '../kernels/field.ts'
import { type Kernels, POINT_BYTES, SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { placeScalars, writeScalars } from '../kernels/scalars.ts'
import { SUITE } from '../transcript.ts'
import { type Equation, type FailedCheck, prepareEquation } from './equation.ts'

/** The verdict on one proof. */
export type LayerVerdict = { readonly ok: true } | { readonly ok: false; readonly failedCheck: FailedCheck }

/** A proof with what it claims. */
export type ProvedLayer = { readonly statement: LayerStatement; readonly proof: Uint8Array }

/** Checks one proof. Whatever the bytes are, the answer is a verdict in bounded time and memory. */
export function verifyLayer(statement: LayerStatement, proof: Uint8Array, options: { readonly engine: ProofEngine }): LayerVerdict {
  const { engine } = options
  return engine.kernels.scoped(() => {
    const prepared = prepareEquation(engine, statement, proof)
    if (!prepared.ok) return prepared
    return holds(engine, [{ equation: prepared.equation, weight: 1n }]) ? { ok: true } : { ok: false, failedCheck: 'equation' }
  })
}

/** The verdict on several proofs; `index` is the first that is wrong by itself, if one was found. */
export type BatchVerdict = { readonly ok: true } | { readonly ok: false; readonly index: number; readonly failedCheck: FailedCheck }

/**
 * Checks several proofs with one multiplication that shares generators and registered weights: cheaper for many proofs of one
 * model. Each equation is multiplied by a random weight derived from all statements and proofs.
 */
export function verifyLayers(layers: readonly ProvedLayer[], options: { readonly engine: ProofEngine }): BatchVerdict {
  const { engine } = options
  // No proofs prove nothing.
  if (layers.length === 0) return { ok: false, index: 0, failedCheck: 'statement' }
  const verdict = engine.kernels.scoped((): BatchVerdict | undefined => {
    const equations: Equation[] = []
    for (const [index, { statement, proof }] of layers.entries()) {
      const prepared = prepareEquation(engine, statement, proof)
      if (!prepared.ok) return { ok: false, index, failedCheck: prepared.failedCheck }
      equations.push(prepared.equation)
    }
    const seed = keccak_256(concatBytes(utf8(`${SUITE}/batch`), ...equations.map((equation) => equation.state)))
    const weighted = equations.map((equation, k) => ({ equation, weight: batchWeight(seed, k) }))
    return holds(engine, weighted) ? { ok: true } : undefined
  })
  if (verdict !== undefined) return verdict
  const index = layers.findIndex(({ statement, proof }) => !verifyLayer(statement, proof, options).ok)
  return { ok: false, index, failedCheck: 'equation' }
}

function batchWeight(seed: Uint8Array, index: number): bigint {
  const position = new Uint8Array(4)
  new DataView(position.buffer).setUint32(0, index)
  return mod(
    bytesToNumber(
      concatBytes(keccak_256(concatBytes(seed, position, Uint8Array.of(0))), keccak_256(concatBytes(seed, position, Uint8Array.of(1)))),
    ),
  )
}

function holds(engine: ProofEngine, terms: readonly { readonly equation: Equation; readonly weight: bigint }[]): boolean {
  const { kernels } = engine
  const generators = Math.max(...terms.map(({ equation }) => equation.generators.count))
  const shared = new Map<Uint8Array, { readonly count: number; readonly scalars: number }>()
  const generatorScalars = kernels.zeros(generators)
  let own = 0
  let U = 0n
  let H = 0n
  for (const { equation, weight } of terms) {
    const factor = placeScalars(kernels, [weight])
    kernels.x.axpy(generatorScalars, factor, equation.generators.scalars, equation.generators.count)
    if (equation.weights.count > 0) {
      const known = shared.get(equation.weights.affine) ?? { count: equation.weights.count, scalars: kernels.zeros(equation.weights.count) }
      shared.set(equation.weights.affine, known)
      kernels.x.axpy(known.scalars, factor, equation.weights.scalars, equation.weights.count)
    }
    own += equation.own.count
    U += weight * equation.U
    H += weight * equation.H
  }
  const total = generators + 2 + own + [...shared.values()].reduce((sum, { count }) => sum + count, 0)
  const assembly = new TermList(kernels, total)
  assembly.add(engine.placeGenerators(generators), generatorScalars, generators)
  const bases = kernels.allocate(2 * SCALAR_BYTES)
  writeScalars(kernels, bases, [mod(U), mod(H)])
  assembly.add(engine.placeBases(), bases, 2)
  for (const [affine, { count, scalars }] of shared) assembly.addBytes(affine, scalars, count)
  for (const { equation, weight } of terms) {
    kernels.x.scale(equation.own.scalars, equation.own.scalars, placeScalars(kernels, [weight]), equation.own.count)
    assembly.add(equation.own.points, equation.own.scalars, equation.own.count)
  }
  return assembly.isZero()
}

class TermList {
  readonly #kernels: Kernels
  readonly #points: number
  readonly #scalars: number
  readonly #total: number
  #count = 0

  constructor(kernels: Kernels, total: number) {
    this.#kernels = kernels
    this.#total = total
    this.#points = kernels.allocate(POINT_BYTES * total)
    this.#scalars = kernels.allocate(SCALAR_BYTES * total)
  }

  add(points: number, scalars: number, count: number): void {
    this.addBytes(this.#kernels.bytes(points, POINT_BYTES * count), scalars, count)
  }

  addBytes(points: Uint8Array, scalars: number, count: number): void {
    this.#kernels.bytes(this.#points + POINT_BYTES * this.#count, POINT_BYTES * count).set(points.subarray(0, POINT_BYTES * count))
    this.#kernels.x.scalarsRaw(this.#scalars + SCALAR_BYTES * this.#count, scalars, count)
    this.#count += count
  }

  isZero(): boolean {
    const kernels = this.#kernels
    const out = kernels.allocate(SUM_BYTES)
    const window = msmWindow(this.#total)
    const scratch = kernels.allocate(kernels.x.msmBytes(this.#total, window))
    kernels.x.msm(out, this.#points, this.#scalars, this.#total, window, scratch)
    return kernels.x.isZeroXyzz(out) !== 0
  }
}
