// Sections 4 and 5 of docs/spec/proofs.md in the plainest form: weights of outputs, gates, and what each layer kind wires together.
import { isDense, type LayerRequantisation, type LayerSpec, type LayerWindow } from '@tacit/protocol'
import { mod, power } from './arithmetic.ts'
import { layerNormParts, layerNormShape, softmaxParts, softmaxShape } from './rows.ts'

/** Everything drawn before the responses. */
export type Challenges = {
  readonly tau: readonly bigint[]
  readonly alpha: bigint
  readonly lambda: readonly bigint[]
  readonly mu: readonly bigint[]
  readonly nu: bigint
  readonly omega: bigint
  readonly psi: bigint
}

/** Sizes that follow from a spec. */
export type Shape = {
  readonly groups: number
  readonly length: number
  readonly chunk: number
  readonly axes: readonly number[]
  readonly slots: number
  readonly cells: number
  readonly constraints: number
  readonly columns: number
  readonly target: number
  readonly vectors: readonly number[]
  readonly forms: readonly number[]
  readonly product: boolean
  readonly weightRows: number
  readonly link: number
  /** Points of every auxiliary tensor. */
  readonly auxiliary: readonly number[]
}

/** One committed vector: c^exponent * sum of scalars_i * points_i. */
export type Term = {
  readonly exponent: number
  readonly source: 'weights' | 'input0' | 'input1' | 'output' | 'link' | 'auxiliary' | 'auxiliary1'
  readonly scalars: ReadonlyMap<number, bigint>
}

/** The public side of one proof. */
export type Wires = {
  readonly terms: readonly Term[]
  readonly offsets: ReadonlyMap<number, readonly bigint[]>
  readonly forms: ReadonlyMap<number, readonly bigint[]>
  readonly quadratic: bigint
  readonly constant: bigint
}

const bits = (n: number): number => Math.ceil(Math.log2(n))
const times = (n: number, f: (i: number) => bigint): bigint[] => Array.from({ length: n }, (_, i) => mod(f(i)))
const sum = (values: readonly bigint[]): bigint => mod(values.reduce((a, b) => a + b, 0n))

/** Output size of one window axis. */
export function outputSize(window: LayerWindow, axis: 0 | 1): number {
  const size = axis === 0 ? window.height : window.width
  const span = (window.dilations[axis] ?? 1) * ((window.kernel[axis] ?? 1) - 1) + 1
  return Math.floor((size + (window.pads[axis] ?? 0) + (window.pads[axis + 2] ?? 0) - span) / (window.strides[axis] ?? 1)) + 1
}

const requantisedCells = (q: LayerRequantisation): number => q.shift + (32 - Math.clz32(q.high - q.low)) + q.excessBits + 1

/** Section 5: the sizes of every layer kind. */
export function shapeOf(spec: LayerSpec): Shape {
  const plain = {
    groups: 1,
    product: false,
    weightRows: 0,
    link: 0,
    auxiliary: [],
    target: 0,
    vectors: [0, 1, 2],
    forms: [-2, -1],
    slots: spec.slots,
  }
  if (spec.kind === 'softmax') return { ...plain, ...softmaxShape(spec) }
  if (spec.kind === 'layerNorm') return { ...plain, ...layerNormShape(spec) }
  if (isDense(spec)) {
    const [groups, length] = spec.kind === 'dense' ? [spec.rows, spec.outputSize] : [spec.outputSize, spec.rows]
    const chunks = Math.ceil(spec.inputSize / spec.inputChunk)
    const powers = Array.from({ length: 2 * chunks }, (_, k) => k + 1)
    return {
      ...plain,
      groups,
      length,
      chunk: spec.outputChunk,
      axes: [spec.outputChunk],
      cells: requantisedCells(spec.requantisation),
      constraints: 3,
      columns: Math.max(spec.inputChunk + 1, spec.outputChunk),
      target: 2 * chunks + 1,
      vectors: [0, ...powers, 2 * chunks + 2],
      forms: [-1, ...powers.slice(0, chunks)],
      product: true,
      weightRows: chunks * spec.outputSize,
    }
  }
  if (spec.kind === 'argmax') {
    const columns = Math.max(spec.chunk, spec.size + 1)
    const layout = { length: spec.size, chunk: spec.chunk, axes: [spec.chunk] }
    return { ...plain, ...layout, cells: 9, constraints: 5, columns, vectors: [0, 1, 2, 3], forms: [-3, -2, -1], auxiliary: [1] }
  }
  if (spec.kind === 'matmul') {
    const chunks = spec.heads * Math.ceil(spec.inner / spec.innerChunk)
    const powers = Array.from({ length: 2 * chunks }, (_, k) => k + 1)
    return {
      ...plain,
      groups: spec.rows,
      length: spec.heads * spec.outputs,
      chunk: spec.outputChunk,
      axes: [spec.outputChunk],
      cells: requantisedCells(spec.requantisation),
      constraints: 3,
      columns: Math.max(spec.innerChunk, spec.outputChunk),
      target: 2 * chunks + 1,
      vectors: [0, ...powers, 2 * chunks + 2],
      forms: [-1, ...powers],
      product: true,
    }
  }
  if (spec.kind === 'table') {
    return { ...plain, length: spec.size, chunk: spec.chunk, axes: [spec.chunk], columns: spec.chunk, cells: 32, constraints: 4 }
  }
  if (!('window' in spec)) {
    const cells = requantisedCells(spec.requantisation) + (spec.kind === 'square' ? 8 : 0)
    const layout = { length: spec.size, chunk: spec.chunk, axes: [spec.chunk], columns: spec.chunk }
    const two = spec.kind === 'add' ? { vectors: [0, 1, 2, 3], forms: [-1, -2, -3] } : {}
    return { ...plain, ...layout, ...two, cells, constraints: spec.kind === 'square' ? 4 : 3 }
  }
  const { window } = spec
  const taps = (window.kernel[0] ?? 1) * (window.kernel[1] ?? 1)
  const [oh, ow] = [outputSize(window, 0), outputSize(window, 1)]
  const channels = spec.kind === 'conv' ? spec.outputChannels : window.channels
  const [inPlanes, outPlanes] = spec.kind === 'conv' ? [spec.inputPlanes, spec.outputPlanes] : [spec.planes, spec.planes]
  const layout = { length: channels * oh * ow, chunk: outPlanes * oh * ow, axes: [outPlanes, oh, ow] }
  const inputChunk = inPlanes * window.height * window.width
  const columns = Math.max(inputChunk, layout.chunk)
  if (spec.kind === 'maxPool') return { ...plain, ...layout, columns, cells: 9 * taps, constraints: taps + 2 }
  const cells = requantisedCells(spec.requantisation)
  if (spec.kind === 'averagePool') return { ...plain, ...layout, columns, cells, constraints: 3 }
  const link = window.channels * taps
  return {
    ...plain,
    ...layout,
    cells,
    constraints: 3,
    columns: Math.max(link + 1, columns),
    target: 3,
    vectors: [0, 1, 2, 4, 5],
    forms: [-2, -1, 1],
    product: true,
    weightRows: spec.outputChannels,
    link,
  }
}

/** The axes of the output numbering: sizes of group, chunk, outer axes, blocks of the last axis; then the slot. */
export function digitSizes(shape: Shape): readonly number[] {
  const last = shape.axes.at(-1) ?? 1
  return [shape.groups, Math.ceil(shape.length / shape.chunk), ...shape.axes.slice(0, -1), Math.ceil(last / shape.slots), shape.slots]
}

/** eq(tau restricted to one digit, index). */
function digitWeights(shape: Shape, tau: readonly bigint[]): readonly (readonly bigint[])[] {
  let from = 0
  return digitSizes(shape).map((size) => {
    const slice = tau.slice(from, from + bits(size))
    from += bits(size)
    return times(size, (index) => slice.reduce((product, t, k) => mod(product * ((index >> (slice.length - 1 - k)) & 1 ? t : 1n - t)), 1n))
  })
}

/** Weights along each axis of the outputs. */
export type Weights = {
  readonly groups: readonly bigint[]
  readonly chunks: readonly bigint[]
  readonly axes: readonly (readonly bigint[])[]
  readonly columns: readonly bigint[]
  readonly slots: readonly bigint[]
  /** Over the outputs that exist. */
  readonly total: bigint
}

/** e of Section 4. */
export function weightsOf(shape: Shape, tau: readonly bigint[]): Weights {
  const digits = digitWeights(shape, tau)
  const [groups = [], chunks = []] = digits
  const slots = digits.at(-1) ?? []
  const blocks = digits.at(-2) ?? []
  const last = times(shape.axes.at(-1) ?? 1, (x) => (blocks[Math.floor(x / shape.slots)] ?? 0n) * (slots[x % shape.slots] ?? 0n))
  const axes = [...digits.slice(2, -2), last]
  const columns = axes.reduce<readonly bigint[]>((left, right) => left.flatMap((a) => right.map((b) => mod(a * b))), [1n])
  const inGroup = sum(times(shape.length, (i) => (chunks[Math.floor(i / shape.chunk)] ?? 0n) * (columns[i % shape.chunk] ?? 0n)))
  return { groups, chunks, axes, columns, slots, total: mod(sum(groups) * inGroup) }
}

/** Rows of cells that exist, as indices of the hypercube. */
export function existingRows(shape: Shape): readonly number[] {
  const sizes = digitSizes(shape).slice(0, -1)
  const last = shape.axes.at(-1) ?? 1
  const rows: number[] = []
  const visit = (k: number, digits: readonly number[], index: number): void => {
    if (k < sizes.length) {
      for (let d = 0; d < (sizes[k] ?? 0); d++) visit(k + 1, [...digits, d], index * 2 ** bits(sizes[k] ?? 1) + d)
      return
    }
    const [, chunk = 0, ...inside] = digits
    const block = inside.at(-1) ?? 0
    const outer = inside.slice(0, -1).reduce((at, d, a) => at * (shape.axes[a] ?? 1) + d, 0)
    const first = chunk * shape.chunk + outer * last + block * shape.slots
    if (first < shape.length) rows.push(index)
  }
  visit(0, [], 0)
  return rows
}

/** Q2 and Q1 of one slot (Section 4): quadratic and linear part of the gate. */
export function gateParts(spec: LayerSpec, b: readonly bigint[], challenges: Challenges): readonly [bigint, bigint] {
  const { alpha, lambda } = challenges
  const l = (k: number): bigint => lambda[k] ?? 0n
  const number = (from: number, weights: readonly bigint[]): bigint => inner(b.slice(from, from + weights.length), weights)
  const binary = (n: number): bigint[] => Array.from({ length: n }, (_, k) => 1n << BigInt(k))
  let quadratic = b.reduce((value, cell, k) => value + power(alpha, k) * mod(cell * cell), 0n)
  let linear = -b.reduce((value, cell, k) => value + power(alpha, k) * cell, 0n)
  if (spec.kind === 'softmax' || spec.kind === 'layerNorm') {
    const [q, l] = spec.kind === 'softmax' ? softmaxParts(spec, b, lambda) : layerNormParts(spec, b, lambda)
    quadratic += q
    linear += l
  } else if (spec.kind === 'maxPool') {
    const taps = b.length / 9
    for (let k = 0; k < taps; k++) {
      const [difference, selector] = [number(8 * k, binary(8)), b[8 * taps + k] ?? 0n]
      quadratic += l(taps + 1) * mod(difference * selector)
      linear += l(k) * difference + l(taps) * selector
    }
  } else if (spec.kind === 'table') {
    const [high, low] = [b.slice(0, 16), b.slice(16)]
    high.forEach((u, a) => {
      quadratic += l(3) * mod(u * low.reduce((sum, v, k) => sum + BigInt(spec.table[16 * a + k] ?? 0) * v, 0n))
      linear += (l(0) + 16n * BigInt(a) * l(2)) * u
    })
    low.forEach((v, k) => {
      linear += (l(1) + BigInt(k) * l(2)) * v
    })
  } else if (spec.kind === 'argmax') {
    const [selector, distance] = [b[0] ?? 0n, number(1, binary(8))]
    quadratic += l(2) * mod(distance * selector)
    linear += l(0) * selector + l(1) * distance
  } else {
    const { shift, low, high, excessBits } = spec.requantisation
    const R = high - low
    const width = 32 - Math.clz32(R)
    const range = [...binary(width - 1), BigInt(R - 2 ** (width - 1) + 1)]
    const [remainder, Y, E] = [number(0, binary(shift)), number(shift, range), number(shift + width, binary(excessBits))]
    const sigma = b[shift + width + excessBits] ?? 0n
    const scale = 1n << BigInt(shift)
    // rounding: 2^s (Y + (1 - 2 sigma) E) + r; clamp: E (Y - R (1 - sigma)); output: Y
    linear += l(0) * (scale * (Y + E) + remainder) - l(1) * BigInt(R) * E + l(2) * Y
    quadratic += -l(0) * 2n * scale * mod(sigma * E) + l(1) * mod(E * (Y + BigInt(R) * sigma))
    if (spec.kind === 'square') {
      const U = number(shift + width + excessBits + 1, binary(8))
      const offset = BigInt(-128 - spec.inputZeroPoint)
      quadratic -= l(0) * BigInt(spec.multiplier) * mod(U * U)
      linear += (l(3) - 2n * l(0) * BigInt(spec.multiplier) * offset) * U
    }
  }
  return [mod(quadratic), mod(linear)]
}

function inner(a: readonly bigint[], b: readonly bigint[]): bigint {
  return mod(a.reduce((total, value, i) => total + value * (b[i] ?? 0n), 0n))
}
