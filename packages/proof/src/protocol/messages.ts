// What prover and verifier share: the order of the messages, the transcript, and the challenges. Section 6 of docs/spec/proofs.md.
import { layerContextDigest, type LayerStatement, parseHex } from '@tacit/protocol'
import { registrationDigest } from '../commit/weights.ts'
import { dataDigest } from '../digest.ts'
import type { Kernels } from '../kernels/kernels.ts'
import { placeScalars } from '../kernels/scalars.ts'
import { powersOf } from '../relation/forms.ts'
import { weigh } from '../relation/gate.ts'
import { chunkCount } from '../relation/index-space.ts'
import { type GateChallenges, type LinkChallenges, phiExponents, type Relation } from '../relation/relation.ts'
import { Transcript } from '../transcript.ts'

/** Numbers of points and scalars of a proof, in wire order. */
export type ProofLayout = {
  readonly auxiliary: number
  readonly rows: number
  readonly link: number
  readonly rounds: number
  readonly phi: number
  readonly points: number
  readonly f1: number
  readonly f2: number
  readonly scalars: number
  readonly bytes: number
}

/** The layout that a relation's proofs have: there is exactly one length. */
export function proofLayout(relation: Relation): ProofLayout {
  const auxiliary = relation.auxiliaries.reduce((sum, layout) => sum + chunkCount(layout), 0)
  const link = relation.linkColumns > 0 ? 1 : 0
  const rows = relation.space.rows.length
  const rounds = relation.space.rowBits
  const phi = phiExponents(relation).length
  const points = auxiliary + rows + link + 1 + 2 * rounds + 2 + phi + 2
  const f2 = relation.space.slots * relation.gate.cells
  const scalars = relation.columns + f2 + 4
  return { auxiliary, rows, link, rounds, phi, points, f1: relation.columns, f2, scalars, bytes: 33 * points + 32 * scalars }
}

/** A transcript that has taken in everything that is fixed before the proof starts; `points` is the digest of the weight points, if known. */
export function startTranscript(statement: LayerStatement, points?: Uint8Array): Transcript {
  const { context, spec, inputs, output } = statement
  const digest =
    points ?? dataDigest(statement.weights === null ? new Uint8Array(0) : parseHex(statement.weights, 'The weight commitments'))
  const transcript = new Transcript('layer')
  transcript.absorbWord('context', layerContextDigest(context))
  transcript.absorbWord('layer', parseHex(registrationDigest(spec, digest, context), 'A digest', 32))
  for (const input of inputs) transcript.absorb('input', parseHex(input, 'An input commitment'))
  transcript.absorb('output', parseHex(output, 'The output commitment'))
  return transcript
}

/** tau, alpha, lambda: after the cell commitments. */
export function drawGateChallenges(transcript: Transcript, relation: Relation): GateChallenges {
  const { space, gate } = relation
  const tau = Array.from({ length: space.rowBits + space.slotBits }, () => transcript.challenge('tau'))
  const alpha = transcript.challenge('alpha')
  const lambda = Array.from({ length: gate.constraints }, () => transcript.challenge('lambda'))
  return { tau, alpha, lambda }
}

/** mu, nu, omega (where there is a link commitment) and psi: after the claim. */
export function drawLinkChallenges(transcript: Transcript, relation: Relation): LinkChallenges {
  const linked = relation.linkColumns > 0
  const draw = (tag: string): bigint => (linked ? transcript.challenge(tag) : 0n)
  const mu = [draw('mu'), draw('mu'), draw('mu')] as const
  const nu = draw('nu')
  const omega = draw('omega')
  return { mu, nu, omega, psi: transcript.challenge('psi') }
}

/** Gives the gate with these challenges to the kernels. Returns the column weights (V vectors of B entries). */
export function placeGate(kernels: Kernels, relation: Relation, challenges: GateChallenges, slotWeights: number): number {
  const { gate, space } = relation
  const { alpha, lambda } = challenges
  const quadratic = kernels.allocate(8 * Math.max(1, gate.quadratic.length))
  kernels.uint32(quadratic, 2 * gate.quadratic.length).set(gate.quadratic.flatMap((term) => [term.a, term.b]))
  const linear = kernels.allocate(4 * Math.max(1, gate.linear.length))
  kernels.uint32(linear, gate.linear.length).set(gate.linear.map((term) => term.a))
  const place = (values: readonly bigint[]): number => placeScalars(kernels, values)
  const quadraticCoefficients = place(gate.quadratic.map((term) => weigh(term.coefficients, lambda)))
  const linearCoefficients = place(gate.linear.map((term) => weigh(term.coefficients, lambda)))
  kernels.x.setGate(
    space.slots,
    gate.cells,
    gate.columns.length,
    place([...powersOf(alpha, gate.cells), 0n]),
    gate.quadratic.length,
    quadratic,
    quadraticCoefficients,
    gate.linear.length,
    linear,
    linearCoefficients,
    slotWeights,
  )
  return place(gate.columns.flat())
}
