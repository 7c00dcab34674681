// A prover that follows the protocol with whatever witness it is given: written in BigInt from the reference modules, so that tests
// can lie about any cell, any column of any commitment and any message. Slow; never used outside tests.
import {
  concatBytes,
  isDense,
  type LayerContext,
  type LayerSpec,
  type LayerStatement,
  layerContextDigest,
  layerSpecDigest,
  parseHex,
  toHex,
} from '@tacit/protocol'
import type { LayerWeights } from '../../src/commit/weights.ts'
import type { ProofEngine } from '../../src/engine.ts'
import { scalarBytes } from '../../src/kernels/field.ts'
import {
  combine,
  digest,
  generator,
  inner,
  mod,
  type Point,
  power,
  ReferenceTranscript,
  toNumber,
  word,
} from '../../src/reference/arithmetic.ts'
import {
  type Challenges,
  existingRows,
  gateParts,
  outputSize,
  type Shape,
  shapeOf,
  type Weights,
  weightsOf,
  digitSizes,
} from '../../src/reference/layer.ts'
import { wiresOf } from '../../src/reference/wires.ts'
import { createRelation } from '../../src/relation/create-relation.ts'
import { chunkCount, chunkLength, chunkStart } from '../../src/relation/index-space.ts'
import { computeCells } from '../../src/witness/cells.ts'
import { context } from './layers.ts'

/** A committed vector and its blinder. */
export type Opened = { vector: bigint[]; blinder: bigint }
/** Everything a prover can lie about. */
export type Instance = {
  spec: LayerSpec
  context: LayerContext
  weights: Opened[]
  inputs: Opened[][]
  output: Opened[]
  /** The chunks of every auxiliary tensor. */
  auxiliary: Opened[][]
  /** One array of slots * cells field elements per existing row. */
  cells: bigint[][]
}
/** How to lie in the messages. */
export type Lies = {
  /** Where the claim comes from; both are tried, because a cheat is inconsistent with one of them. */
  readonly claim?: 'cells' | 'vectors'
  readonly link?: (vector: bigint[]) => bigint[]
  readonly shiftClaimAfterwards?: bigint
  readonly wrongRound?: number
  readonly challengeless?: { readonly drop: string }
}

const points = new Map<string, Point>()
const base = (label: string): Point => {
  const known = points.get(label) ?? generator(label)
  points.set(label, known)
  return known
}
const G = (n: number): Point[] => Array.from({ length: n }, (_, k) => base(`G/${k}`))
export const fresh = (): bigint => mod(toNumber(crypto.getRandomValues(new Uint8Array(40))))
export const opened = (vector: readonly bigint[]): Opened => ({ vector: [...vector], blinder: fresh() })
const commit = ({ vector, blinder }: Opened): Point => combine([...G(vector.length), base('H')], [...vector, blinder])
const number = (value: bigint, blinder: bigint): Point => combine([base('U'), base('H')], [value, blinder])
const encode = (list: readonly Point[]): Uint8Array => concatBytes(...list.map((point) => point.toBytes(true)))
const bits = (n: number): number => Math.ceil(Math.log2(n))

/** An honest instance from integers. */
export function honestInstance(engine: ProofEngine, spec: LayerSpec, tensors: readonly Int8Array[], weights?: LayerWeights): Instance {
  const relation = createRelation(spec)
  const { cells, output, auxiliaries } = engine.kernels.scoped(() => {
    const witness = computeCells(engine.kernels, relation, { spec, inputs: tensors, weights })
    const perRow = relation.space.slots * relation.gate.cells
    const rows = Array.from({ length: relation.space.rows.length }, (_, k) =>
      [...engine.kernels.bytes(witness.cells + (k + 1) * perRow, perRow)].map(BigInt),
    )
    return { cells: rows, output: witness.output, auxiliaries: witness.auxiliaries }
  })
  const cut = (values: Int8Array | Float64Array, layout: (typeof relation.inputs)[number]): Opened[] =>
    Array.from({ length: chunkCount(layout) }, (_, k) =>
      opened(Array.from(values.subarray(chunkStart(layout, k), chunkStart(layout, k) + chunkLength(layout, k)), BigInt)),
    )
  return {
    spec,
    context: context(),
    weights: weightRows(spec, weights),
    inputs: relation.inputs.map((layout, k) => cut(tensors[k] ?? new Int8Array(0), layout)),
    output: cut(output, relation.output),
    auxiliary: relation.auxiliaries.map((layout, k) => cut(auxiliaries[k] ?? new Float64Array(0), layout)),
    cells,
  }
}

function weightRows(spec: LayerSpec, weights: LayerWeights | undefined): Opened[] {
  if (weights === undefined) return []
  const { multipliers, biases } = weights
  const scaled = (o: number, row: Int8Array): bigint[] => [...row].map((w) => BigInt(w) * BigInt(multipliers[o] ?? 0))
  if (isDense(spec)) {
    const rows: Opened[] = []
    for (let from = 0; from < spec.inputSize; from += spec.inputChunk) {
      for (let o = 0; o < spec.outputSize; o++) {
        const end = Math.min(from + spec.inputChunk, spec.inputSize)
        const row = scaled(o, weights.weights.subarray(o * spec.inputSize + from, o * spec.inputSize + end))
        while (row.length <= spec.inputChunk) row.push(0n)
        if (end === spec.inputSize) row[spec.inputChunk] = biases[o] ?? 0n
        rows.push(opened(row))
      }
    }
    return rows
  }
  if (spec.kind !== 'conv') return []
  const taps = spec.window.channels * (spec.window.kernel[0] ?? 1) * (spec.window.kernel[1] ?? 1)
  const length = taps / spec.group
  return Array.from({ length: spec.outputChannels }, (_, o) => {
    const row = new Array<bigint>(taps + 1).fill(0n)
    const start = Math.floor(o / (spec.outputChannels / spec.group)) * length
    scaled(o, weights.weights.subarray(o * length, (o + 1) * length)).forEach((w, k) => {
      row[start + k] = w
    })
    row[taps] = biases[o] ?? 0n
    return opened(row)
  })
}

/** The statement that an instance's commitments make. */
export function statementOf(instance: Instance): LayerStatement {
  const points = (list: readonly Opened[]): `0x${string}` => toHex(encode(list.map(commit)))
  return {
    spec: instance.spec,
    weights: instance.weights.length > 0 ? points(instance.weights) : null,
    inputs: instance.inputs.map(points),
    output: points(instance.output),
    context: instance.context,
  }
}

/** Proves an instance, true or not. */
export function proveAnything(instance: Instance, statement: LayerStatement, lies: Lies = {}): Uint8Array {
  const { spec } = instance
  const shape = shapeOf(spec)
  const rowIndices = existingRows(shape)
  const rowBits = digitSizes(shape)
    .slice(0, -1)
    .reduce((total, size) => total + bits(size), 0)
  const sent: Uint8Array[] = []
  const transcript = begin(statement)
  const send = (tag: string, list: readonly Point[]): void => {
    const bytes = encode(list)
    sent.push(bytes)
    transcript.absorb(tag, digest(bytes))
  }
  const draw = (tag: string, n = 1): bigint[] => Array.from({ length: n }, () => transcript.challenge(tag))
  if (instance.auxiliary.length > 0) send('auxiliary', instance.auxiliary.flat().map(commit))
  const rows = instance.cells.map(opened)
  send('cells', rows.map(commit))
  const tau = draw('tau', rowBits + bits(shape.slots))
  const [alpha = 0n] = draw('alpha')
  const lambda = draw('lambda', shape.constraints)
  const weights = weightsOf(shape, tau)
  const link = spec.kind === 'conv' ? opened((lies.link ?? ((v) => v))(gather(instance, weights))) : undefined
  if (link !== undefined) send('link', [commit(link)])
  const early: Challenges = { tau, alpha, lambda, mu: [1n, 1n, 1n], nu: 0n, omega: 0n, psi: 0n }
  const total = (challenges: Challenges): bigint => {
    const wires = wiresOf(spec, shape, weights, challenges)
    const vectors = combineVectors(instance, shape, wires, link)
    let coefficient = 0n
    for (const [a, x] of vectors) {
      const other = vectors.get(shape.target - a)
      if (shape.product && other !== undefined) coefficient += wires.quadratic * inner(x.vector, other.vector)
      const form = wires.forms.get(shape.target - a)
      if (form !== undefined) coefficient += 2n * inner(x.vector, form)
    }
    return mod(coefficient * power(2n, -1) + wires.constant)
  }
  const rowWeights = eqTable(tau.slice(0, rowBits))
  const Q = (row: readonly bigint[]): bigint => {
    let sum = 0n
    weights.slots.forEach((weight, slot) => {
      const [q, l] = gateParts(spec, row.slice(slot * shape.cells, (slot + 1) * shape.cells), early)
      sum += weight * (q + l)
    })
    return mod(sum)
  }
  let claim =
    lies.claim === 'cells'
      ? mod(rows.reduce((sum, row, k) => sum + (rowWeights[rowIndices[k] ?? 0] ?? 0n) * Q(row.vector), 0n))
      : total(early)
  const zeta = fresh()
  send('claim', [number(claim, zeta)])
  const linked = shape.link > 0 ? 1 : 0
  const mu = draw('mu', 3 * linked)
  const [nu = 0n] = draw('nu', linked)
  const [omega = 0n] = draw('omega', linked)
  const [psi = 0n] = draw('psi')
  const challenges: Challenges = { tau, alpha, lambda, mu, nu, omega, psi }
  claim = mod(claim + (lies.shiftClaimAfterwards ?? 0n))
  let running = zeta
  const width = shape.slots * shape.cells
  let table = Array.from({ length: 2 ** rowBits }, () => new Array<bigint>(width).fill(0n))
  rowIndices.forEach((index, k) => {
    table[index] = rows[k]?.vector ?? []
  })
  const bound: bigint[] = []
  for (let j = 0; j < rowBits; j++) {
    const half = table.length / 2
    const eq = eqTable(tau.slice(j + 1, rowBits))
    const at = (x: bigint): bigint =>
      mod(eq.reduce((sum, weight, i) => sum + weight * Q(mix(table[i] ?? [], table[i + half] ?? [], x)), 0n))
    const [t0, t1, t2] = [at(0n), at(1n), at(2n)]
    const square = mod((t2 - 2n * t1 + t0) * power(2n, -1))
    // the honest relation c1 = (claim - t0) / tau - c2 keeps a false claim alive until the end
    const linear = mod((claim - t0) * power(tau[j] ?? 0n, -1) - square + (lies.wrongRound === j ? 1n : 0n))
    const [b1, b2] = [fresh(), fresh()]
    send('round', [number(linear, b1), number(square, b2)])
    const [r = 0n] = draw('r')
    bound.push(r)
    const [l, s] = [r - (tau[j] ?? 0n), r * r - (tau[j] ?? 0n)]
    claim = mod(claim + l * linear + s * square)
    running = mod(running + l * b1 + s * b2)
    table = Array.from({ length: half }, (_, i) => mix(table[i] ?? [], table[i + half] ?? [], r))
  }
  const beta = table[0] ?? []
  const eqBound = eqTable(bound)
  const betaBlinder = mod(rows.reduce((sum, row, k) => sum + (eqBound[rowIndices[k] ?? 0] ?? 0n) * row.blinder, 0n))
  const wires = wiresOf(spec, shape, weights, challenges)
  const vectors = combineVectors(instance, shape, wires, link)
  const d1 = opened(Array.from({ length: shape.columns }, fresh))
  const d2 = opened(Array.from({ length: width }, fresh))
  const parts = (row: readonly bigint[]): readonly [bigint, bigint] => {
    let [quadratic, linear] = [0n, 0n]
    weights.slots.forEach((weight, slot) => {
      const [q, l] = gateParts(spec, row.slice(slot * shape.cells, (slot + 1) * shape.cells), challenges)
      quadratic += weight * q
      linear += weight * l
    })
    return [mod(quadratic), mod(linear)]
  }
  const all = new Map([[0, d1], ...vectors])
  const phi = new Map<number, bigint>()
  for (const [a, x] of all) {
    if (shape.product) for (const [b, y] of all) phi.set(a + b, mod((phi.get(a + b) ?? 0n) + wires.quadratic * inner(x.vector, y.vector)))
    for (const [f, form] of wires.forms) phi.set(a + f, mod((phi.get(a + f) ?? 0n) + 2n * inner(x.vector, form)))
  }
  phi.delete(shape.target)
  const exponents = [...phi.keys()].sort((a, b) => a - b)
  const blinders = exponents.map(fresh)
  const [q0, q1] = parts(d2.vector)
  const [s0] = parts(
    mix(
      d2.vector,
      beta.map((b, k) => b + (d2.vector[k] ?? 0n)),
      1n,
    ),
  )
  const [p0] = parts(beta)
  const [u0, u1] = [fresh(), fresh()]
  send('masks', [commit(d1), commit(d2)])
  send('phi', [...exponents.map((k, i) => number(phi.get(k) ?? 0n, blinders[i] ?? 0n)), number(q0, u0), number(mod(s0 - q0 - p0 + q1), u1)])
  const [c = 0n] = draw('c')
  const f1 = Array.from({ length: shape.columns }, (_, k) =>
    mod([...all].reduce((sum, [e, v]) => sum + power(c, e) * (v.vector[k] ?? 0n), 0n)),
  )
  const f2 = d2.vector.map((d, k) => mod(d + c * (beta[k] ?? 0n)))
  const pi1 = mod([...all].reduce((sum, [e, v]) => sum + power(c, e) * v.blinder, 0n))
  const theta1 = mod(exponents.reduce((sum, k, i) => sum + power(c, k) * (blinders[i] ?? 0n), 2n * power(c, shape.target) * zeta))
  const theta2 = mod(u0 + c * u1 + c * c * running)
  return concatBytes(...sent, ...[...f1, ...f2, pi1, mod(d2.blinder + c * betaBlinder), theta1, theta2].map(scalarBytes))
}

function begin(statement: LayerStatement): ReferenceTranscript {
  const { spec, context } = statement
  const hex = (text: `0x${string}` | null): Uint8Array => (text === null ? new Uint8Array(0) : parseHex(text, 'Points'))
  const registration = new ReferenceTranscript('registration')
  registration.absorb('index', word(context.layerIndex))
  registration.absorb('spec', layerSpecDigest(spec))
  registration.absorb('points', digest(hex(statement.weights)))
  const transcript = new ReferenceTranscript('layer')
  transcript.absorb('context', layerContextDigest(context))
  transcript.absorb('layer', registration.state)
  for (const input of statement.inputs) transcript.absorb('input', digest(hex(input)))
  transcript.absorb('output', digest(hex(statement.output)))
  return transcript
}

function eqTable(t: readonly bigint[]): bigint[] {
  return t.reduce<bigint[]>((table, x) => table.flatMap((value) => [mod(value * (1n - x)), mod(value * x)]), [1n])
}

function mix(low: readonly bigint[], high: readonly bigint[], x: bigint): bigint[] {
  return low.map((value, k) => mod(value + x * ((high[k] ?? 0n) - value)))
}

function combineVectors(
  instance: Instance,
  shape: Shape,
  wires: ReturnType<typeof wiresOf>,
  link: Opened | undefined,
): Map<number, Opened> {
  const sources = {
    weights: instance.weights,
    input0: instance.inputs[0] ?? [],
    input1: instance.inputs[1] ?? [],
    output: instance.output,
    link: link === undefined ? [] : [link],
    auxiliary: instance.auxiliary[0] ?? [],
    auxiliary1: instance.auxiliary[1] ?? [],
  }
  const vectors = new Map<number, Opened>()
  for (const exponent of shape.vectors.filter((e) => e !== 0)) {
    const vector = Array.from({ length: shape.columns }, (_, k) => wires.offsets.get(exponent)?.[k] ?? 0n)
    let blinder = 0n
    for (const term of wires.terms.filter((t) => t.exponent === exponent)) {
      for (const [index, scalar] of term.scalars) {
        sources[term.source][index]?.vector.forEach((value, k) => {
          vector[k] = (vector[k] ?? 0n) + scalar * value
        })
        blinder += scalar * (sources[term.source][index]?.blinder ?? 0n)
      }
    }
    vectors.set(exponent, { vector: vector.map(mod), blinder: mod(blinder) })
  }
  return vectors
}

// x* of a convolution, straight from its definition.
function gather(instance: Instance, weights: Weights): bigint[] {
  const { spec } = instance
  if (spec.kind !== 'conv') return []
  const { window } = spec
  const plane = window.height * window.width
  const flat = (instance.inputs[0] ?? []).flatMap((chunk) => chunk.vector.slice(0, spec.inputPlanes * plane))
  const [, rows = [], cols = []] = weights.axes
  const [kh = 1, kw = 1] = window.kernel
  const out: bigint[] = []
  for (let c = 0; c < window.channels; c++)
    for (let ky = 0; ky < kh; ky++)
      for (let kx = 0; kx < kw; kx++) {
        let sum = 0n
        for (let py = 0; py < outputSize(window, 0); py++)
          for (let px = 0; px < outputSize(window, 1); px++) {
            const y = (window.strides[0] ?? 1) * py + (window.dilations[0] ?? 1) * ky - (window.pads[0] ?? 0)
            const x = (window.strides[1] ?? 1) * px + (window.dilations[1] ?? 1) * kx - (window.pads[1] ?? 0)
            if (y < 0 || y >= window.height || x < 0 || x >= window.width) continue
            sum += (rows[py] ?? 0n) * (cols[px] ?? 0n) * ((flat[c * plane + y * window.width + x] ?? 0n) - BigInt(spec.inputZeroPoint))
          }
        out.push(mod(sum))
      }
  return out
}
