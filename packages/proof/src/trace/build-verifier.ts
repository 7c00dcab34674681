// The verifier of docs/spec/proofs.md, section 7, written down as a program: lengths, transcript, encodings, scalars, and one chain of
// additions whose end must be the identity. Control flow depends on the spec alone.
import type { LayerSpec } from '@tacit/protocol'
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import type { ProofEngine } from '../engine.ts'
import { type ProofLayout, proofLayout } from '../protocol/messages.ts'
import { UnsupportedLayerError } from '../errors.ts'
import { createRelation } from '../relation/create-relation.ts'
import { chunkCount } from '../relation/index-space.ts'
import { phiExponents, type Relation, type Source } from '../relation/relation.ts'
import { generatorPoints } from './generator-points.ts'
import type { Program } from './program.ts'
import { type Node, Recorder } from './recorder.ts'
import { traceGate } from './gate.ts'
import { FIRST_SOURCE_WORD, INPUT_0, INPUT_1, OUTPUT, PROOF, SOURCES, WEIGHTS } from './source.ts'
import { absorbProof, drawChallenges, type Drawn, startTraceTranscript } from './transcript.ts'
import { type TraceWeights, traceWeights } from './weights.ts'
import { wireLayer } from './wires/wire-layer.ts'
import { TraceForms, type TraceWiring } from './wires/wiring.ts'

const SCALAR = 32
/** Points of a proof and its statement together: what fits no transaction needs no program. */
const MAX_POINTS = 1 << 18

/**
 * The verifier of one layer spec as a program: a function of the spec alone.
 * @example
 * const { count, root } = buildVerifier(spec, { engine }) // what a model's owner registers
 * @throws UnsupportedLayerError when no proof exists for the spec.
 */
export function buildVerifier(spec: LayerSpec, options: { readonly engine: ProofEngine }): Program {
  return new VerifierBuilder(spec, createRelation(spec), options.engine).build()
}

class VerifierBuilder {
  readonly #m = new Recorder()
  readonly #spec: LayerSpec
  readonly #relation: Relation
  readonly #layout: ProofLayout
  readonly #engine: ProofEngine
  #verdict: Node

  constructor(spec: LayerSpec, relation: Relation, engine: ProofEngine) {
    this.#engine = engine
    this.#spec = spec
    this.#relation = relation
    this.#layout = proofLayout(relation)
    this.#verdict = this.#m.one
  }

  build(): Program {
    const m = this.#m
    this.#checkSize()
    this.#checkLengths()
    const drawn = this.#transcript()
    this.#verdict = m.emit('NONZERO', this.#verdict, drawn.c)
    const scalars = this.#scalars()
    const points = this.#points()
    const weights = traceWeights(m, this.#relation.space, drawn.tau)
    const columns = this.#relation.columns
    const lambda = (constraint: number): Node => drawn.lambda[constraint] ?? m.zero
    const forms = new TraceForms(m, columns, drawn.psi)
    const wiring = wireLayer(this.#spec, { m, weights, challenges: drawn, columns, lambda, forms })
    const end = this.#equation({ drawn, scalars, points, weights, wiring })
    m.emit('IDENTITY', this.#verdict, end)
    return m.finish()
  }

  // Points that a source holds.
  #pointCount(source: number): number {
    const { weightRows, inputs, output } = this.#relation
    if (source === PROOF) return this.#layout.points
    if (source === WEIGHTS) return weightRows
    if (source === OUTPUT) return chunkCount(output)
    const layout = inputs[source - INPUT_0]
    return layout === undefined ? 0 : chunkCount(layout)
  }

  #checkSize(): void {
    let points = 0
    for (let source = 0; source < SOURCES; source++) points += this.#pointCount(source)
    if (points > MAX_POINTS) throw new UnsupportedLayerError(`A verifier program reads at most ${MAX_POINTS} points.`)
  }

  #checkLengths(): void {
    for (let source = 0; source < SOURCES; source++) {
      const length = source === PROOF ? this.#layout.bytes : ENCODED_POINT_BYTES * this.#pointCount(source)
      this.#verdict = this.#m.emit('EQ', this.#verdict, this.#m.emit('LENGTH', source), this.#m.constant(BigInt(length)))
    }
  }

  #transcript(): Drawn {
    const m = this.#m
    const transcript = startTraceTranscript(m)
    this.#relation.inputs.forEach((_, k) => {
      transcript.absorb('input', m.emit('PUBLIC', FIRST_SOURCE_WORD + INPUT_0 + k))
    })
    transcript.absorb('output', m.emit('PUBLIC', FIRST_SOURCE_WORD + OUTPUT))
    return drawChallenges(m, transcript, this.#relation, absorbProof(m, transcript, this.#layout))
  }

  #scalars(): readonly Node[] {
    const m = this.#m
    const first = ENCODED_POINT_BYTES * this.#layout.points
    return Array.from({ length: this.#layout.scalars }, (_, k) => {
      const scalar = m.emit('WORD', PROOF, first + SCALAR * k)
      this.#verdict = m.emit('CANONICAL', this.#verdict, scalar)
      return scalar
    })
  }

  // The points of every source.
  #points(): readonly (readonly Node[])[] {
    const m = this.#m
    return Array.from({ length: SOURCES }, (_, source) =>
      Array.from({ length: this.#pointCount(source) }, (_, k) => {
        const point = m.emit('POINT', source, ENCODED_POINT_BYTES * k)
        this.#verdict = m.emit('VALID', this.#verdict, point)
        return point
      }),
    )
  }

  // (i) + gamma (ii) + gamma^2 (iii) + gamma^3 (iv)
  #equation(parts: {
    readonly drawn: Drawn
    readonly scalars: readonly Node[]
    readonly points: readonly (readonly Node[])[]
    readonly weights: TraceWeights
    readonly wiring: TraceWiring
  }): Node {
    const m = this.#m
    const { drawn, scalars, points, weights, wiring } = parts
    const layout = this.#layout
    const f1 = scalars.slice(0, layout.f1)
    const f2 = scalars.slice(layout.f1, layout.f1 + layout.f2)
    const [pi1 = 0, pi2 = 0, theta1 = 0, theta2 = 0] = scalars.slice(-4)
    const power = powersOf(m, drawn.c)
    const g1 = drawn.gamma
    const g2 = m.mul(g1, g1)
    const g3 = m.mul(g1, g2)
    const two = m.scalar(2)
    const target = m.mul(two, power(this.#relation.target))
    const phi = m.fma(target, wiring.constant, this.#phiValue(wiring, f1, power))
    const gate = traceGate(m, this.#relation.gate, { f2, slots: weights.slots, alpha: drawn.alpha, lambda: drawn.lambda, c: drawn.c })
    const U = m.negate(m.fma(g2, phi, m.mul(g3, gate)))
    const H = m.negate(m.fma(g1, pi2, m.fma(g2, theta1, m.fma(g3, theta2, pi1))))
    const generators = this.#generatorScalars(wiring, { f1, f2, g1, power })
    const own = this.#contributions(wiring, power)
    const constants = generatorPoints(this.#engine, generators.length)
    let sum: Node = m.point(new Uint8Array(64))
    const add = (scalar: Node, point: Node): void => {
      sum = m.emit('MULADD', sum, scalar, point)
    }
    generators.forEach((scalar, k) => {
      add(scalar, m.point(constants.generators[k] ?? constants.U))
    })
    add(U, m.point(constants.U))
    add(H, m.point(constants.H))
    for (const source of [WEIGHTS, INPUT_0, INPUT_1, OUTPUT])
      points[source]?.forEach((point, k) => {
        add(own[source]?.[k] ?? m.zero, point)
      })
    const ofProof = [...(own[PROOF] ?? []), ...this.#proofScalars(drawn, { g1, g2, g3, target, power })]
    points[PROOF]?.forEach((point, k) => {
      add(ofProof[k] ?? m.zero, point)
    })
    return sum
  }

  // quadratic <f1, f1> + 2 <f1, sum of c^k form_k>
  #phiValue(wiring: TraceWiring, f1: readonly Node[], power: (k: number) => Node): Node {
    const m = this.#m
    let value = this.#relation.hasProduct ? m.mul(wiring.quadratic, m.dot(f1, f1)) : m.zero
    for (const { exponent, scalar, entries, surplus } of wiring.forms) {
      const inside = scalar === m.zero ? m.zero : m.mul(scalar, m.dot(entries, f1))
      const all = m.add(inside, m.dot(surplus, f1.slice(entries.length)))
      value = m.fma(m.mul(m.scalar(2), power(exponent)), all, value)
    }
    return value
  }

  // -f1 - gamma f2 + what the offsets add to the hidden vectors
  #generatorScalars(
    wiring: TraceWiring,
    {
      f1,
      f2,
      g1,
      power,
    }: { readonly f1: readonly Node[]; readonly f2: readonly Node[]; readonly g1: Node; readonly power: (k: number) => Node },
  ): readonly Node[] {
    const m = this.#m
    const ranges = new Map<string, { readonly start: number; readonly end: number; value: Node }>()
    for (const { exponent, start, count, value } of wiring.offsets) {
      const key = `${start}/${count}`
      const range = ranges.get(key) ?? { start, end: start + count, value: m.zero }
      range.value = m.fma(power(exponent), value, range.value)
      ranges.set(key, range)
    }
    const minusGamma = m.negate(g1)
    return Array.from({ length: Math.max(f1.length, f2.length) }, (_, k) => {
      const offset = m.sum([...ranges.values()].filter(({ start, end }) => start <= k && k < end).map(({ value }) => value))
      return m.fma(minusGamma, f2[k] ?? m.zero, m.sub(offset, f1[k] ?? m.zero))
    })
  }

  // c^exponent scalars for every committed vector of the statement and the auxiliary ones of the proof, by source.
  #contributions(wiring: TraceWiring, power: (k: number) => Node): readonly (readonly Node[])[] {
    const m = this.#m
    const own = Array.from({ length: SOURCES }, (_, source) => {
      const count = source === PROOF ? this.#layout.auxiliary : this.#pointCount(source)
      return new Array<Node>(count).fill(m.zero)
    })
    const [first] = this.#relation.auxiliaries
    const place: Readonly<Record<Exclude<Source, 'link'>, readonly [number, number]>> = {
      weights: [WEIGHTS, 0],
      input0: [INPUT_0, 0],
      input1: [INPUT_1, 0],
      output: [OUTPUT, 0],
      auxiliary: [PROOF, 0],
      auxiliary1: [PROOF, first === undefined ? 0 : chunkCount(first)],
    }
    for (const { exponent, source, start, stride, scalars } of wiring.contributions) {
      if (source === 'link') continue // among the points of the proof
      const [list, base] = place[source]
      const into = own[list] ?? []
      scalars.forEach((scalar, k) => {
        const at = base + start + stride * k
        into[at] = m.fma(power(exponent), scalar, into[at] ?? m.zero)
      })
    }
    return own
  }

  // Scalars of the points of the proof behind the auxiliary ones.
  #proofScalars(
    { tau, bound, c }: Drawn,
    {
      g1,
      g2,
      g3,
      target,
      power,
    }: { readonly g1: Node; readonly g2: Node; readonly g3: Node; readonly target: Node; readonly power: (k: number) => Node },
  ): readonly Node[] {
    const m = this.#m
    const { space } = this.#relation
    const table = eqRows(m, bound, space.rows, m.mul(g1, c))
    const square = m.mul(g3, m.mul(c, c))
    return [
      ...table,
      ...(this.#layout.link > 0 ? [power(2)] : []),
      m.fma(g2, target, square),
      ...bound.flatMap((r, j) => {
        const t = tau[j] ?? m.zero
        return [m.mul(square, m.sub(r, t)), m.mul(square, m.sub(m.mul(r, r), t))]
      }),
      m.one,
      g1,
      ...phiExponents(this.#relation).map((k) => m.mul(g2, power(k))),
      g3,
      m.mul(g3, c),
    ]
  }
}

// scale eq(r, row) for the rows that exist: corners of the hypercube that no row needs are not visited.
function eqRows(m: Recorder, bound: readonly Node[], rows: Uint32Array, scale: Node): readonly Node[] {
  let level = new Map<number, Node>([[0, scale]])
  bound.forEach((r, j) => {
    const below = new Map<number, Node>()
    for (const row of rows) {
      const prefix = row >>> (bound.length - 1 - j)
      if (below.has(prefix)) continue
      const parent = level.get(prefix >>> 1) ?? m.zero
      const one = m.mul(parent, r)
      below.set(prefix, prefix & 1 ? one : m.sub(parent, one))
    }
    level = below
  })
  return Array.from(rows, (row) => level.get(row) ?? m.zero)
}

// c^k for positive and negative k, each made from the one before.
function powersOf(m: Recorder, c: Node): (exponent: number) => Node {
  let inverse: Node | undefined
  const up = [m.one, c]
  const down = [m.one]
  const grow = (list: Node[], base: Node, n: number): Node => {
    while (list.length <= n) list.push(m.mul(list.at(-1) ?? m.one, base))
    return list[n] ?? m.one
  }
  return (exponent) => {
    if (exponent >= 0) return grow(up, c, exponent)
    inverse ??= m.emit('INV', c)
    return grow(down, inverse, -exponent)
  }
}
