// The prover. Steps are numbered as in Section 6 of docs/spec/proofs.md.
import { concatBytes, type LayerStatement } from '@tacit/protocol'
import type { ActivationOpening } from '../commit/activation.ts'
import { affineOf, encodePoints } from '../commit/encoding.ts'
import { commitScalars, commitVector } from '../commit/points.ts'
import type { SecretWeights } from '../commit/weights.ts'
import type { ProofEngine, Tables } from '../engine.ts'
import { UnusableRandomnessError, WitnessMismatchError } from '../errors.ts'
import { HedgedRandom, type RandomSource } from '../hedged-random.ts'
import { mod, scalarBytes } from '../kernels/field.ts'
import { type Kernels, SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { placeScalars, readScalar } from '../kernels/scalars.ts'
import { drawGateChallenges, drawLinkChallenges, placeGate, startTranscript } from '../protocol/messages.ts'
import { powers } from '../protocol/powers.ts'
import { createRelation } from '../relation/create-relation.ts'
import { chunkCount, spaceWeights } from '../relation/index-space.ts'
import { phiExponents, type Relation, type Wiring } from '../relation/relation.ts'
import type { Transcript } from '../transcript.ts'
import { computeCells } from '../witness/cells.ts'
import { type AuxiliaryOpening, commitAuxiliary } from './auxiliary.ts'
import { SumCheck } from './sum-check.ts'
import { gatherInput, type HiddenVector, hiddenVectors, type Openings } from './vectors.ts'
import { yieldToOthers } from './yield.ts'

/** What the prover of one layer holds. */
export type LayerWitness = {
  readonly inputs: readonly ActivationOpening[]
  readonly output: ActivationOpening
  /** For dense and convolution layers. */
  readonly weights?: SecretWeights
}

/** Stages that `onProgress` reports, in order. */
export type ProvingStage = 'witness' | 'cells' | 'sum-check' | 'responses'

/** Where, with what randomness and how interruptible a proof is made. */
export type ProveOptions = {
  readonly engine: ProofEngine
  readonly random: RandomSource
  readonly signal?: AbortSignal
  readonly onProgress?: (stage: ProvingStage, fraction: number) => void
}

/**
 * Proves one layer. The proof reveals nothing but the statement; it is worth nothing for another request or payee.
 * @example
 * const proof = await proveLayer(statement, { inputs: [input], output, weights }, { engine, random })
 * @throws WitnessMismatchError when the openings do not belong to the statement, or the output is not what the layer computes.
 * @throws UnsupportedLayerError when no proof exists for the spec.
 */
export async function proveLayer(statement: LayerStatement, witness: LayerWitness, options: ProveOptions): Promise<Uint8Array> {
  const relation = createRelation(statement.spec)
  checkWitness(statement, witness)
  const cellColumns = relation.space.slots * relation.gate.cells
  return options.engine.exclusive(Math.max(relation.columns, cellColumns), async (tables) => {
    options.signal?.throwIfAborted()
    return await new LayerProver(statement, witness, relation, tables, options).run()
  })
}

function checkWitness(statement: LayerStatement, witness: LayerWitness): void {
  const { inputs, output, weights } = witness
  if (inputs.length !== statement.inputs.length || inputs.some((opening, k) => opening.commitment !== statement.inputs[k]))
    throw new WitnessMismatchError('An input opening is for another commitment.')
  if (output.commitment !== statement.output) throw new WitnessMismatchError('The output opening is for another commitment.')
  if ((weights?.registration.points ?? null) !== statement.weights)
    throw new WitnessMismatchError('The weights are registered under other commitments.')
}

class LayerProver {
  readonly #statement: LayerStatement
  readonly #witness: LayerWitness
  readonly #relation: Relation
  readonly #tables: Tables
  readonly #options: ProveOptions
  readonly #kernels: Kernels
  readonly #transcript: Transcript
  readonly #points: Uint8Array[] = []

  constructor(statement: LayerStatement, witness: LayerWitness, relation: Relation, tables: Tables, options: ProveOptions) {
    this.#statement = statement
    this.#witness = witness
    this.#relation = relation
    this.#tables = tables
    this.#options = options
    this.#kernels = options.engine.kernels
    this.#transcript = startTranscript(statement, witness.weights?.pointsDigest)
  }

  async run(): Promise<Uint8Array> {
    const { onProgress, signal } = this.#options
    const stage = async (name: ProvingStage, fraction: number): Promise<void> => {
      onProgress?.(name, fraction)
      await yieldToOthers(signal)
    }
    await stage('witness', 0)
    const relation = this.#relation
    const kernels = this.#kernels
    const { spec } = this.#statement
    const inputs = this.#witness.inputs.map((opening) => opening.values)
    const cells = computeCells(kernels, relation, { spec, inputs, weights: this.#witness.weights?.values })
    if (!sameValues(cells.output, this.#witness.output.values)) throw new WitnessMismatchError('The layer computes another output.')
    await stage('cells', 0.2)
    const random = this.#masks('blinders')
    // 1. auxiliary tensors and cell rows
    const auxiliaries = this.#commitAuxiliaries(cells.auxiliaries, random)
    const rowBlinders = this.#commitCells(cells.cells, random)
    const gate = drawGateChallenges(this.#transcript, relation)
    // 2. weights of the outputs, link vector, claim
    const weights = spaceWeights(kernels, relation.space, gate.tau)
    const link =
      spec.kind === 'conv' ? this.#commitLink(gatherInput(kernels, spec, inputs[0] ?? new Int8Array(0), weights), random) : undefined
    await stage('sum-check', 0.5)
    // Set after a pause, always: somebody else may have used the kernels meanwhile.
    placeGate(kernels, relation, gate, weights.slots)
    const sumCheck = new SumCheck(kernels, relation, cells, gate.tau)
    let claim = sumCheck.claim()
    const claimBlinder = random.scalar()
    this.#send('claim', this.#commitNumbers([claim], [claimBlinder]))
    const challenges = { ...gate, ...drawLinkChallenges(this.#transcript, relation) }
    // 3. sum-check
    let runningBlinder = claimBlinder
    const bound: bigint[] = []
    for (let j = 0; j < relation.space.rowBits; j++) {
      const tau = gate.tau[j] ?? 0n
      const [linear, square] = sumCheck.coefficients(claim)
      const [b1, b2] = [random.scalar(), random.scalar()]
      this.#send('round', this.#commitNumbers([linear, square], [b1, b2]))
      const r = this.#transcript.challenge('r')
      bound.push(r)
      sumCheck.bind(r)
      claim = mod(claim + linear * (r - tau) + square * (r * r - tau))
      runningBlinder = mod(runningBlinder + b1 * (r - tau) + b2 * (r * r - tau))
    }
    random.destroy()
    await stage('responses', 0.8)
    // 4. and 5. masked responses
    const openings: Openings = {
      spec,
      inputs: this.#witness.inputs,
      output: this.#witness.output,
      weights: this.#witness.weights,
      link,
      auxiliaries,
    }
    const columnWeights = placeGate(kernels, relation, gate, weights.slots)
    const wiring = relation.wire(kernels, weights, challenges)
    const vectors = hiddenVectors(kernels, relation, wiring, openings)
    return this.#respond({
      wiring,
      vectors,
      claim,
      claimBlinder,
      runningBlinder,
      bound,
      rowBlinders,
      columnWeights,
      beta: sumCheck.finalCells(),
    })
  }

  // 4. and 5.
  #respond(state: ResponseState): Uint8Array {
    const relation = this.#relation
    const kernels = this.#kernels
    const { wiring, vectors, claim, claimBlinder, runningBlinder, bound, rowBlinders, columnWeights, beta } = state
    const F = relation.columns
    const cellCount = relation.space.slots * relation.gate.cells
    // Masks are drawn here, after everything that the last challenge will depend on but themselves.
    const random = this.#masks('responses')
    const d1 = random.vector(kernels, F)
    const d2 = random.vector(kernels, cellCount)
    const [a1, a2] = [random.scalar(), random.scalar()]
    const A1 = this.#commit(d1, F, a1)
    const A2 = this.#commit(d2, cellCount, a2)
    const all: readonly HiddenVector[] = [{ exponent: 0, at: d1, blinder: a1 }, ...vectors]
    const phi = this.#phi(all, wiring)
    const exponents = phiExponents(relation)
    const phiBlinders = new Map(exponents.map((k) => [k, random.scalar()]))
    const [t0, t1] = this.#gateTerms(d2, beta, columnWeights, claim)
    const [b0, b1] = [random.scalar(), random.scalar()]
    random.destroy()
    this.#send('masks', concatBytes(A1, A2))
    this.#send(
      'phi',
      this.#commitNumbers([...exponents.map((k) => phi.get(k) ?? 0n), t0, t1], [...exponents.map((k) => phiBlinders.get(k) ?? 0n), b0, b1]),
    )
    const c = this.#transcript.challenge('c')
    if (c === 0n) throw new UnusableRandomnessError('The last challenge is zero; prove again.')
    const cPower = powers(c)
    // f1 = sum of c^k V_k over d1, f2 = d2 + c beta
    let pi1 = a1
    for (const { exponent, at, blinder } of vectors) {
      kernels.x.axpy(d1, placeScalars(kernels, [cPower(exponent)]), at, F)
      pi1 = mod(pi1 + cPower(exponent) * blinder)
    }
    kernels.x.axpy(d2, placeScalars(kernels, [c]), beta, cellCount)
    const pi2 = mod(a2 + c * this.#boundBlinder(bound, rowBlinders))
    let theta1 = 2n * cPower(relation.target) * claimBlinder
    for (const [k, blinder] of phiBlinders) theta1 += cPower(k) * blinder
    const theta2 = mod(b0 + c * b1 + mod(c * c) * runningBlinder)
    const responses = concatBytes(
      this.#encodeVector(d1, F),
      this.#encodeVector(d2, cellCount),
      ...[pi1, pi2, mod(theta1), theta2].map(scalarBytes),
    )
    return concatBytes(...this.#points, responses)
  }

  #masks(label: string): HedgedRandom {
    const secret = this.#witness.weights?.maskSecret ?? this.#witness.output.blinders
    return new HedgedRandom(this.#options.random, label, [secret, this.#witness.output.blinders, this.#transcript.state])
  }

  #send(tag: string, points: Uint8Array): void {
    this.#points.push(points)
    this.#transcript.absorb(tag, points)
  }

  #commitAuxiliaries(tensors: readonly Float64Array[], random: HedgedRandom): readonly AuxiliaryOpening[] {
    const { engine } = this.#options
    const openings = this.#relation.auxiliaries.map((layout, k): AuxiliaryOpening => {
      const blinders = random.vector(this.#kernels, chunkCount(layout))
      return { layout, values: tensors[k] ?? new Float64Array(0), blinders }
    })
    if (openings.length > 0)
      this.#send('auxiliary', concatBytes(...openings.map((opening) => commitAuxiliary(engine, this.#tables, opening))))
    return openings
  }

  #commitLink(vector: number, random: HedgedRandom): { readonly vector: number; readonly blinder: number } {
    const blinder = random.vector(this.#kernels, 1)
    this.#send('link', this.#commit(vector, this.#relation.linkColumns, readScalar(this.#kernels, blinder)))
    return { vector, blinder }
  }

  #commitCells(cells: number, random: HedgedRandom): number {
    const { space, gate } = this.#relation
    const kernels = this.#kernels
    const rows = space.rows.length
    const perRow = space.slots * gate.cells
    const blinders = random.vector(kernels, rows)
    const points = kernels.scoped(() => {
      const raw = kernels.allocate(SCALAR_BYTES * rows)
      kernels.x.scalarsRaw(raw, blinders, rows)
      const sums = kernels.allocate(SUM_BYTES * rows)
      const generators = this.#options.engine.placeGenerators(perRow)
      const batch = Math.max(1, Math.min(rows, Math.floor(32_768 / (perRow + 43))))
      const scratch = kernels.allocate(kernels.x.treeBytes(batch, batch * (perRow + 43)))
      for (let r = 0; r < rows; r += batch) {
        const n = Math.min(batch, rows - r)
        kernels.x.sumCells(
          sums + SUM_BYTES * r,
          generators,
          cells + (r + 1) * perRow,
          n,
          perRow,
          this.#tables.H,
          raw + SCALAR_BYTES * r,
          scratch,
        )
      }
      return encodePoints(kernels, affineOf(kernels, sums, rows), rows)
    })
    this.#send('cells', points)
    return blinders
  }

  #commit(vector: number, n: number, blinder: bigint): Uint8Array {
    const kernels = this.#kernels
    return kernels.scoped(() => {
      const sum = kernels.allocate(SUM_BYTES)
      commitVector(this.#options.engine, this.#tables, sum, { at: vector, n, blinder: placeScalars(kernels, [blinder]) })
      return encodePoints(kernels, affineOf(kernels, sum, 1), 1)
    })
  }

  #commitNumbers(values: readonly bigint[], blinders: readonly bigint[]): Uint8Array {
    const kernels = this.#kernels
    return kernels.scoped(() => {
      const [v, b] = [placeScalars(kernels, values), placeScalars(kernels, blinders)]
      return encodePoints(kernels, commitScalars(kernels, this.#tables, v, b, values.length), values.length)
    })
  }

  // Coefficients of quadratic <f1, f1> + 2 <f1, form(c)>, without the checked one.
  #phi(vectors: readonly HiddenVector[], wiring: Wiring): ReadonlyMap<number, bigint> {
    const kernels = this.#kernels
    const { target, hasProduct } = this.#relation
    const phi = new Map<number, bigint>()
    const out = kernels.allocate(SCALAR_BYTES)
    const add = (power: number, factor: bigint, a: number, b: number, n: number): void => {
      if (power === target) return
      kernels.x.dot(out, a, b, n)
      phi.set(power, mod((phi.get(power) ?? 0n) + factor * readScalar(kernels, out)))
    }
    vectors.forEach((a, i) => {
      if (hasProduct)
        vectors.slice(i).forEach((b, k) => {
          add(a.exponent + b.exponent, k === 0 ? wiring.quadratic : 2n * wiring.quadratic, a.at, b.at, this.#relation.columns)
        })
      for (const form of wiring.forms) add(a.exponent + form.exponent, 2n, a.at, form.at, form.count)
    })
    return phi
  }

  // T_0 = Q2(d), T_1 = Q2(d + beta) + Q1(d + beta) - Q2(d) - Q(beta)
  #gateTerms(d2: number, beta: number, columnWeights: number, gateClaim: bigint): readonly [bigint, bigint] {
    const { space, gate } = this.#relation
    const kernels = this.#kernels
    return kernels.scoped(() => {
      const row = kernels.allocate(SCALAR_BYTES * space.slots * (gate.cells + gate.columns.length))
      const out = kernels.allocate(SCALAR_BYTES)
      kernels.x.fillColumns(row, d2, columnWeights)
      kernels.x.gateValue(out, row, 0)
      const t0 = readScalar(kernels, out)
      const n = space.slots * gate.cells
      const sum = kernels.allocate(SCALAR_BYTES * n)
      kernels.bytes(sum, SCALAR_BYTES * n).set(kernels.bytes(d2, SCALAR_BYTES * n))
      kernels.x.axpy(sum, placeScalars(kernels, [1n]), beta, n)
      kernels.x.fillColumns(row, sum, columnWeights)
      kernels.x.gateValue(out, row, 1)
      return [t0, mod(readScalar(kernels, out) - t0 - gateClaim)]
    })
  }

  #boundBlinder(bound: readonly bigint[], rowBlinders: number): bigint {
    const { space } = this.#relation
    const kernels = this.#kernels
    return kernels.scoped(() => {
      const weights = kernels.allocate(SCALAR_BYTES * 2 ** space.rowBits)
      kernels.x.eqTable(weights, placeScalars(kernels, bound), space.rowBits)
      const existing = kernels.allocate(SCALAR_BYTES * space.rows.length)
      space.rows.forEach((row, k) => {
        kernels.bytes(existing + SCALAR_BYTES * k, SCALAR_BYTES).set(kernels.bytes(weights + SCALAR_BYTES * row, SCALAR_BYTES))
      })
      const out = kernels.allocate(SCALAR_BYTES)
      kernels.x.dot(out, existing, rowBlinders, space.rows.length)
      return readScalar(kernels, out)
    })
  }

  #encodeVector(at: number, n: number): Uint8Array {
    const kernels = this.#kernels
    return kernels.scoped(() => {
      const bytes = kernels.allocate(32 * n)
      kernels.x.scalarsToBE(bytes, at, n)
      return kernels.bytes(bytes, 32 * n).slice()
    })
  }
}

type ResponseState = {
  readonly wiring: Wiring
  readonly vectors: readonly HiddenVector[]
  readonly claim: bigint
  readonly claimBlinder: bigint
  readonly runningBlinder: bigint
  readonly bound: readonly bigint[]
  readonly rowBlinders: number
  readonly columnWeights: number
  readonly beta: number
}

function sameValues(a: Int8Array, b: Int8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
