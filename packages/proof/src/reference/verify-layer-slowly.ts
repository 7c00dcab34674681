// The reference verifier: plain BigInt, four equations checked one by one, written to be read next to docs/spec/proofs.md. It takes
// seconds where the production verifier takes milliseconds; tests hold that both give the same verdict.
import { layerContextDigest, layerSpecDigest, type LayerStatement, parseHex } from '@tacit/protocol'
import {
  combine,
  digest,
  generator,
  inner,
  mod,
  type Point,
  Point as Group,
  power,
  ReferenceTranscript,
  r as order,
  toNumber,
  toPoint,
  word,
} from './arithmetic.ts'
import { type Challenges, digitSizes, existingRows, gateParts, shapeOf, type Term, weightsOf } from './layer.ts'
import { wiresOf } from './wires.ts'

/** Verdict of the reference verifier; names the equation that does not hold. */
export type ReferenceVerdict = { readonly ok: true } | { readonly ok: false; readonly failed: 'encoding' | 'i' | 'ii' | 'iii' | 'iv' }

/** Checks one proof as slowly and plainly as possible. The statement's spec is assumed to be one that `verifyLayer` supports. */
export function verifyLayerSlowly(statement: LayerStatement, proof: Uint8Array): ReferenceVerdict {
  try {
    return check(statement, proof)
  } catch {
    return { ok: false, failed: 'encoding' }
  }
}

function pointsOf(bytes: Uint8Array): readonly Point[] {
  if (bytes.length % 33 !== 0) throw new Error('not whole points')
  return Array.from({ length: bytes.length / 33 }, (_, k) => toPoint(bytes.subarray(33 * k, 33 * k + 33)))
}

function check(statement: LayerStatement, proof: Uint8Array): ReferenceVerdict {
  const { spec, context } = statement
  const shape = shapeOf(spec)
  const rows = existingRows(shape)
  const sizes = digitSizes(shape)
  const bits = (n: number): number => Math.ceil(Math.log2(n))
  const rowBits = sizes.slice(0, -1).reduce((total, size) => total + bits(size), 0)
  const phiPowers = [...new Set(shape.vectors.flatMap((a) => [...(shape.product ? shape.vectors : []), ...shape.forms].map((b) => a + b)))]
    .filter((k) => k !== shape.target)
    .sort((a, b) => a - b)

  // Messages, in order. Nothing may be left over.
  let at = 0
  const take = (n: number): Uint8Array => {
    const part = proof.subarray(at, at + n)
    if (part.length !== n) throw new Error('too short')
    at += n
    return part
  }
  const bytes = {
    auxiliary: take(33 * shape.auxiliary.reduce((a, b) => a + b, 0)),
    cells: take(33 * rows.length),
    link: take(shape.link > 0 ? 33 : 0),
    claim: take(33),
    rounds: Array.from({ length: rowBits }, () => take(66)),
    masks: take(66),
    phi: take(33 * (phiPowers.length + 2)),
  }
  const responses = take(32 * (shape.columns + shape.slots * shape.cells + 4))
  if (at !== proof.length) throw new Error('too long')
  const scalars = Array.from({ length: responses.length / 32 }, (_, k) => toNumber(responses.subarray(32 * k, 32 * k + 32)))
  if (scalars.some((scalar) => scalar >= order)) throw new Error('not canonical')

  // Transcript.
  const hexBytes = (text: `0x${string}`): Uint8Array => parseHex(text, 'Points')
  const weightBytes = statement.weights === null ? new Uint8Array(0) : hexBytes(statement.weights)
  const registration = new ReferenceTranscript('registration')
  registration.absorb('index', word(context.layerIndex))
  registration.absorb('spec', layerSpecDigest(spec))
  registration.absorb('points', digest(weightBytes))
  const transcript = new ReferenceTranscript('layer')
  transcript.absorb('context', layerContextDigest(context))
  transcript.absorb('layer', registration.state)
  for (const input of statement.inputs) transcript.absorb('input', digest(hexBytes(input)))
  transcript.absorb('output', digest(hexBytes(statement.output)))
  if (shape.auxiliary.length > 0) transcript.absorb('auxiliary', digest(bytes.auxiliary))
  transcript.absorb('cells', digest(bytes.cells))
  const draw = (tag: string, n: number): readonly bigint[] => Array.from({ length: n }, () => transcript.challenge(tag))
  const tau = draw('tau', rowBits + bits(shape.slots))
  const [alpha = 0n] = draw('alpha', 1)
  const lambda = draw('lambda', shape.constraints)
  if (shape.link > 0) transcript.absorb('link', digest(bytes.link))
  transcript.absorb('claim', digest(bytes.claim))
  const linked = shape.link > 0 ? 1 : 0
  const mu = draw('mu', 3 * linked)
  const [nu = 0n] = draw('nu', linked)
  const [omega = 0n] = draw('omega', linked)
  const [psi = 0n] = draw('psi', 1)
  const bound = bytes.rounds.map((round) => {
    transcript.absorb('round', digest(round))
    return transcript.challenge('r')
  })
  transcript.absorb('masks', digest(bytes.masks))
  transcript.absorb('phi', digest(bytes.phi))
  const c = transcript.challenge('c')
  if (c === 0n) throw new Error('c is zero')

  // Points.
  const challenges: Challenges = { tau, alpha, lambda, mu, nu, omega, psi }
  const sources: Record<Term['source'], readonly Point[]> = {
    weights: pointsOf(weightBytes),
    input0: pointsOf(hexBytes(statement.inputs[0] ?? '0x')),
    input1: pointsOf(hexBytes(statement.inputs[1] ?? '0x')),
    output: pointsOf(hexBytes(statement.output)),
    link: pointsOf(bytes.link),
    auxiliary: pointsOf(bytes.auxiliary).slice(0, shape.auxiliary[0]),
    auxiliary1: pointsOf(bytes.auxiliary).slice(shape.auxiliary[0]),
  }
  const [A1 = Group.ZERO, A2 = Group.ZERO] = pointsOf(bytes.masks)
  const [Z0 = Group.ZERO] = pointsOf(bytes.claim)
  const phi = pointsOf(bytes.phi)
  const [T0 = Group.ZERO, T1 = Group.ZERO] = phi.slice(phiPowers.length)
  const f1 = scalars.slice(0, shape.columns)
  const f2 = scalars.slice(shape.columns, -4)
  const [pi1 = 0n, pi2 = 0n, theta1 = 0n, theta2 = 0n] = scalars.slice(-4)
  const G = Array.from({ length: Math.max(f1.length, f2.length) }, (_, k) => generator(`G/${k}`))
  const [U, H] = [generator('U'), generator('H')]
  const commit = (vector: readonly bigint[], blinder: bigint): Point => combine(G, vector).add(combine([H], [blinder]))
  const number = (value: bigint, blinder: bigint): Point => combine([U, H], [value, blinder])
  const weights = weightsOf(shape, tau)
  const wires = wiresOf(spec, shape, weights, challenges)

  // One point per chunk and weight row of the statement, no more and no less: the wires use every one of them.
  const used = (source: Term['source']): number =>
    new Set(wires.terms.filter((term) => term.source === source).flatMap((term) => [...term.scalars.keys()])).size
  for (const source of Object.keys(sources) as Term['source'][])
    if (used(source) !== sources[source].length) throw new Error(`the statement has another number of points: ${source}`)
  if (statement.inputs.length !== (used('input1') > 0 ? 2 : 1)) throw new Error('the statement has another number of inputs')

  // (i) A_1 + sum of c^k (committed vector k + public offset k) opens to f1
  let left = A1
  for (const { exponent, source, scalars: s } of wires.terms) {
    const points = [...s.keys()].map((k) => {
      const point = sources[source][k]
      if (point === undefined) throw new Error('a commitment is missing')
      return point
    })
    left = left.add(combine([combine(points, [...s.values()])], [power(c, exponent)]))
  }
  for (const [exponent, offset] of wires.offsets) left = left.add(combine([combine(G, offset)], [power(c, exponent)]))
  if (!left.equals(commit(f1, pi1))) return { ok: false, failed: 'i' }

  // (ii) A_2 + c sum of eq(r, row) D_row opens to f2
  const eq = (index: number): bigint =>
    bound.reduce((product, r, k) => mod(product * ((index >> (bound.length - 1 - k)) & 1 ? r : 1n - r)), 1n)
  const D = combine(pointsOf(bytes.cells), rows.map(eq))
  if (!A2.add(combine([D], [c])).equals(commit(f2, pi2))) return { ok: false, failed: 'ii' }

  // (iii) Phi(c) = quadratic <f1, f1> + 2 <f1, form(c)>, whose coefficient at the target is twice the claim less the constant
  const form = f1.map((_, k) =>
    mod([...wires.forms].reduce((total, [exponent, vector]) => total + power(c, exponent) * (vector[k] ?? 0n), 0n)),
  )
  const checked = combine([Z0, U], [1n, -wires.constant])
  const sum = combine(
    phi.slice(0, phiPowers.length),
    phiPowers.map((k) => power(c, k)),
  ).add(combine([checked], [2n * power(c, shape.target)]))
  const value = wires.quadratic * inner(f1, f1) + 2n * inner(f1, form)
  if (!sum.equals(number(value, theta1))) return { ok: false, failed: 'iii' }

  // (iv) T_0 + c T_1 + c^2 Z_rho opens to Q2(f2) + c Q1(f2)
  let Z = Z0
  bound.forEach((r, j) => {
    const [K1 = Group.ZERO, K2 = Group.ZERO] = pointsOf(bytes.rounds[j] ?? new Uint8Array(0))
    Z = Z.add(combine([K1, K2], [r - (tau[j] ?? 0n), r * r - (tau[j] ?? 0n)]))
  })
  let gate = 0n
  weights.slots.forEach((weight, slot) => {
    const [quadratic, linear] = gateParts(spec, f2.slice(slot * shape.cells, (slot + 1) * shape.cells), challenges)
    gate += weight * (quadratic + c * linear)
  })
  if (!T0.add(combine([T1, Z], [c, c * c])).equals(number(gate, theta2))) return { ok: false, failed: 'iv' }
  return { ok: true }
}
