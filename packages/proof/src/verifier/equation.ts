// Turns one proof into one linear equation over points: (i) + gamma (ii) + gamma^2 (iii) + gamma^3 (iv) = 0, as in Section 7 of
// docs/spec/proofs.md. Generators and registered weights stay apart, so that several proofs can share them.
import type { LayerStatement } from '@tacit/protocol'
import { bytesOfPoints, decodePoints, ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import type { ProofEngine } from '../engine.ts'
import { UnsupportedLayerError } from '../errors.ts'
import { mod } from '../kernels/field.ts'
import { type Kernels, POINT_BYTES, SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars, readScalar, readScalars, writeScalars } from '../kernels/scalars.ts'
import { drawGateChallenges, drawLinkChallenges, type ProofLayout, placeGate, proofLayout, startTranscript } from '../protocol/messages.ts'
import { powers } from '../protocol/powers.ts'
import { createRelation, outputCountOf } from '../relation/create-relation.ts'
import { chunkCount, spaceWeights } from '../relation/index-space.ts'
import { phiExponents, type Relation, type Source, type Wiring } from '../relation/relation.ts'

/** Which check a proof failed first. */
export type FailedCheck = 'statement' | 'length' | 'point' | 'scalar' | 'challenge' | 'equation'

/** The equation of one proof; all addresses are in kernel memory. */
export type Equation = {
  /** Scalars of G_0 .. */
  readonly generators: { readonly scalars: number; readonly count: number }
  readonly U: bigint
  readonly H: bigint
  readonly weights: { readonly affine: Uint8Array; readonly scalars: number; readonly count: number }
  /** Points of the proof and of the activation commitments. */
  readonly own: { readonly points: number; readonly scalars: number; readonly count: number }
  /** Final state of the transcript: statement and proof. */
  readonly state: Uint8Array
}

/** The equation, or why there is none. */
export type Prepared = { readonly ok: true; readonly equation: Equation } | { readonly ok: false; readonly failedCheck: FailedCheck }

/** Decodes a proof and computes its equation. Everything it allocates belongs to the caller's scope. */
export function prepareEquation(engine: ProofEngine, statement: LayerStatement, proof: Uint8Array): Prepared {
  const { spec } = statement
  const relation = relationOrUndefined(statement)
  if (relation === undefined) return fail('statement')
  // Every cell row is a point of the proof: a short proof of a huge layer costs nothing to refuse.
  if (proof.length < ENCODED_POINT_BYTES * (outputCountOf(spec) / spec.slots)) return fail('length')
  const layout = proofLayout(relation)
  if (proof.length !== layout.bytes) return fail('length')
  const { kernels } = engine
  const given = decodeStatement(engine, relation, statement)
  if (given === undefined) return fail('statement')
  const split = ENCODED_POINT_BYTES * layout.points
  const points = decodePoints(kernels, proof.subarray(0, split))
  if (points === undefined) return fail('point')
  const scalars = decodeScalars(kernels, proof.subarray(split), layout.scalars)
  if (scalars === undefined) return fail('scalar')
  return new EquationBuilder(engine, relation, layout, { statement, proof, given, points, scalars }).build()
}

function fail(failedCheck: FailedCheck): { readonly ok: false; readonly failedCheck: FailedCheck } {
  return { ok: false, failedCheck }
}

function relationOrUndefined(statement: LayerStatement): Relation | undefined {
  try {
    return createRelation(statement.spec)
  } catch (error) {
    if (error instanceof UnsupportedLayerError) return undefined
    throw error
  }
}

type Given = {
  readonly inputs: readonly number[]
  readonly output: number
  readonly weights: Uint8Array
  readonly weightsDigest: Uint8Array | undefined
}

function decodeStatement(engine: ProofEngine, relation: Relation, statement: LayerStatement): Given | undefined {
  const { kernels } = engine
  if (statement.inputs.length !== relation.inputs.length) return undefined
  const inputs: number[] = []
  for (const [k, layout] of relation.inputs.entries()) {
    const at = decodeActivation(kernels, statement.inputs[k] ?? '0x', chunkCount(layout))
    if (at === undefined) return undefined
    inputs.push(at)
  }
  const output = decodeActivation(kernels, statement.output, chunkCount(relation.output))
  if (output === undefined) return undefined
  if (relation.weightRows === 0)
    return statement.weights === null ? { inputs, output, weights: new Uint8Array(0), weightsDigest: undefined } : undefined
  if (statement.weights === null || statement.weights.length !== 2 + 2 * ENCODED_POINT_BYTES * relation.weightRows) return undefined
  const decoded = engine.decodeWeights(statement.weights)
  return decoded === undefined ? undefined : { inputs, output, weights: decoded.affine, weightsDigest: decoded.digest }
}

function decodeActivation(kernels: Kernels, points: `0x${string}`, count: number): number | undefined {
  if (points.length !== 2 + 2 * ENCODED_POINT_BYTES * count) return undefined
  const bytes = bytesOfPoints(points)
  return bytes === undefined ? undefined : decodePoints(kernels, bytes)
}

function decodeScalars(kernels: Kernels, bytes: Uint8Array, n: number): number | undefined {
  const at = kernels.allocate(SCALAR_BYTES * n)
  return kernels.scoped(() => {
    const encoded = kernels.allocate(bytes.length)
    kernels.bytes(encoded, bytes.length).set(bytes)
    return kernels.x.scalarsFromBE(at, encoded, n) === n ? at : undefined
  })
}

type Received = {
  readonly statement: LayerStatement
  readonly proof: Uint8Array
  readonly given: Given
  readonly points: number
  readonly scalars: number
}

class EquationBuilder {
  readonly #kernels: Kernels
  readonly #relation: Relation
  readonly #layout: ProofLayout
  readonly #received: Received
  readonly #ownPoints: number
  readonly #ownScalars: number
  #own = 0

  constructor(engine: ProofEngine, relation: Relation, layout: ProofLayout, received: Received) {
    this.#kernels = engine.kernels
    this.#relation = relation
    this.#layout = layout
    this.#received = received
    const capacity = layout.points + chunkCount(relation.output) + relation.inputs.reduce((sum, input) => sum + chunkCount(input), 0)
    this.#ownPoints = this.#kernels.allocate(POINT_BYTES * capacity)
    this.#ownScalars = this.#kernels.zeros(capacity)
  }

  build(): Prepared {
    const relation = this.#relation
    const kernels = this.#kernels
    const { space } = relation
    const layout = this.#layout
    const { statement, proof, given, scalars } = this.#received
    const transcript = startTranscript(statement, given.weightsDigest)
    let taken = 0
    const absorb = (tag: string, count: number): void => {
      if (count === 0) return
      transcript.absorb(tag, proof.subarray(ENCODED_POINT_BYTES * taken, ENCODED_POINT_BYTES * (taken + count)))
      taken += count
    }
    absorb('auxiliary', layout.auxiliary)
    absorb('cells', layout.rows)
    const gate = drawGateChallenges(transcript, relation)
    absorb('link', layout.link)
    absorb('claim', 1)
    const challenges = { ...gate, ...drawLinkChallenges(transcript, relation) }
    const bound: bigint[] = []
    for (let j = 0; j < layout.rounds; j++) {
      absorb('round', 2)
      bound.push(transcript.challenge('r'))
    }
    absorb('masks', 2)
    absorb('phi', layout.phi + 2)
    const c = transcript.challenge('c')
    if (c === 0n) return fail('challenge')
    transcript.absorb('responses', proof.subarray(ENCODED_POINT_BYTES * layout.points))
    const gamma = transcript.challenge('gamma')
    const weights = spaceWeights(kernels, space, gate.tau)
    const wiring = relation.wire(kernels, weights, challenges)
    const columnWeights = placeGate(kernels, relation, gate, weights.slots)
    const cPower = powers(c)
    const f1 = scalars
    const f2 = scalars + SCALAR_BYTES * layout.f1
    const [pi1 = 0n, pi2 = 0n, theta1 = 0n, theta2 = 0n] = readScalars(kernels, f2 + SCALAR_BYTES * layout.f2, 4)
    const [g1, g2, g3] = [gamma, mod(gamma * gamma), mod(gamma * mod(gamma * gamma))]
    // own points of the statement, then those of the proof in their order
    const weightScalars = this.#addContributions(wiring, cPower)
    const generators = this.#generatorScalars(wiring, cPower, f1, f2, g1)
    const target = cPower(relation.target)
    const U = -g2 * (this.#phiValue(wiring, cPower, f1) + 2n * target * wiring.constant) - g3 * this.#gateValue(f2, columnWeights, c)
    const H = -(pi1 + g1 * pi2 + g2 * theta1 + g3 * theta2)
    this.#addProofPoints({ bound, tau: gate.tau, c, cPower, g1, g2, g3 })
    return {
      ok: true,
      equation: {
        generators,
        U: mod(U),
        H: mod(H),
        weights: { affine: given.weights, scalars: weightScalars, count: relation.weightRows },
        own: { points: this.#ownPoints, scalars: this.#ownScalars, count: this.#own },
        state: transcript.state,
      },
    }
  }

  // c^exponent * scalars for every committed vector of the statement; returns the scalars of the weight points.
  #addContributions(wiring: Wiring, cPower: (k: number) => bigint): number {
    const kernels = this.#kernels
    const { inputs, output } = this.#received.given
    const weightScalars = kernels.zeros(Math.max(1, this.#relation.weightRows))
    const place: Partial<Record<Source, number>> = {}
    const tensors = [
      ['output', output, this.#relation.output] as const,
      ...inputs.map((at, k) => [k === 0 ? 'input0' : 'input1', at, this.#relation.inputs[k]] as const),
    ]
    for (const [source, points, layout] of tensors) {
      if (layout === undefined) continue
      place[source] = this.#ownScalars + SCALAR_BYTES * this.#own
      this.#addPoints(points, chunkCount(layout))
    }
    place.weights = weightScalars
    // the first points of the proof follow those of the statement
    let auxiliary = this.#ownScalars + SCALAR_BYTES * this.#own
    for (const [k, layout] of this.#relation.auxiliaries.entries()) {
      place[k === 0 ? 'auxiliary' : 'auxiliary1'] = auxiliary
      auxiliary += SCALAR_BYTES * chunkCount(layout)
    }
    for (const contribution of wiring.contributions) {
      const base = place[contribution.source]
      if (base === undefined) continue // the link commitment is a point of the proof
      const factor = placeScalars(kernels, [cPower(contribution.exponent)])
      for (let k = 0; k < contribution.count; k++) {
        const at = base + SCALAR_BYTES * (contribution.start + contribution.stride * k)
        kernels.x.axpy(at, factor, contribution.scalars + SCALAR_BYTES * k, 1)
      }
    }
    return weightScalars
  }

  // -f1 - gamma f2 + what the offsets add to the hidden vectors
  #generatorScalars(wiring: Wiring, cPower: (k: number) => bigint, f1: number, f2: number, g1: bigint): Equation['generators'] {
    const kernels = this.#kernels
    const count = Math.max(this.#layout.f1, this.#layout.f2)
    const scalars = kernels.zeros(count)
    const [minusOne = 0, minusGamma = 0] = [mod(-1n), mod(-g1)].map((value) => placeScalars(kernels, [value]))
    kernels.x.axpy(scalars, minusOne, f1, this.#layout.f1)
    kernels.x.axpy(scalars, minusGamma, f2, this.#layout.f2)
    for (const offset of wiring.offsets)
      kernels.x.axpy(scalars + SCALAR_BYTES * offset.start, placeScalars(kernels, [cPower(offset.exponent)]), offset.at, offset.count)
    return { scalars, count }
  }

  // quadratic <f1, f1> + 2 <f1, sum of c^k form_k>
  #phiValue(wiring: Wiring, cPower: (k: number) => bigint, f1: number): bigint {
    const kernels = this.#kernels
    const out = kernels.allocate(SCALAR_BYTES)
    let value = 0n
    if (this.#relation.hasProduct) {
      kernels.x.dot(out, f1, f1, this.#layout.f1)
      value += wiring.quadratic * readScalar(kernels, out)
    }
    for (const form of wiring.forms) {
      kernels.x.dot(out, f1, form.at, form.count)
      value += 2n * cPower(form.exponent) * readScalar(kernels, out)
    }
    return mod(value)
  }

  // Q2(f2) + c Q1(f2)
  #gateValue(f2: number, columnWeights: number, c: bigint): bigint {
    const { space, gate } = this.#relation
    const kernels = this.#kernels
    const row = kernels.allocate(SCALAR_BYTES * space.slots * (gate.cells + gate.columns.length))
    const out = kernels.allocate(SCALAR_BYTES)
    kernels.x.fillColumns(row, f2, columnWeights)
    kernels.x.gateValue(out, row, 1)
    const all = readScalar(kernels, out)
    kernels.x.gateValue(out, row, 0)
    const square = readScalar(kernels, out)
    return mod(square + c * mod(all - square))
  }

  #addProofPoints(challenges: {
    readonly bound: readonly bigint[]
    readonly tau: readonly bigint[]
    readonly c: bigint
    readonly cPower: (k: number) => bigint
    readonly g1: bigint
    readonly g2: bigint
    readonly g3: bigint
  }): void {
    const { bound, tau, c, cPower, g1, g2, g3 } = challenges
    const relation = this.#relation
    const kernels = this.#kernels
    const scalars = this.#ownScalars + SCALAR_BYTES * this.#own
    this.#addPoints(this.#received.points, this.#layout.points)
    let at = scalars
    const put = (values: readonly bigint[]): void => {
      writeScalars(kernels, at, values)
      at += SCALAR_BYTES * values.length
    }
    at += SCALAR_BYTES * this.#layout.auxiliary // set by the contributions
    // (ii) c eq(r, row) for every row that exists
    const table = kernels.allocate(SCALAR_BYTES * 2 ** relation.space.rowBits)
    kernels.x.eqTable(table, placeScalars(kernels, bound), relation.space.rowBits)
    const factor = placeScalars(kernels, [mod(g1 * c)])
    for (const row of relation.space.rows) {
      kernels.x.scale(at, table + SCALAR_BYTES * row, factor, 1)
      at += SCALAR_BYTES
    }
    if (this.#layout.link > 0) put([cPower(2)])
    // Z_rho = Z_0 + sum of (r - tau) K_1 + (r^2 - tau) K_2 enters (iv) with c^2, Z_0 enters (iii) with 2 c^target
    const square = mod(g3 * mod(c * c))
    put([g2 * 2n * cPower(relation.target) + square])
    bound.forEach((r, j) => {
      put([square * (r - (tau[j] ?? 0n)), square * (r * r - (tau[j] ?? 0n))])
    })
    put([1n, g1])
    put(phiExponents(relation).map((k) => g2 * cPower(k)))
    put([g3, g3 * c])
  }

  #addPoints(points: number, count: number): void {
    const kernels = this.#kernels
    kernels.bytes(this.#ownPoints + POINT_BYTES * this.#own, POINT_BYTES * count).set(kernels.bytes(points, POINT_BYTES * count))
    this.#own += count
  }
}
