// How the outputs of a layer are numbered three ways at once: as int8 tensor elements, as (chunk, column) of their commitments,
// and as (cell row, slot) of the sum-check. Every axis gets its own bits of the challenge tau, so that the weight of an output,
//   e_i = eq(group) eq(chunk) eq(axis 1) .. eq(last axis),
// factors along each of them. Axes need not be powers of two: what does not exist is left out, and the remaining eq(tau, .) are
// still linearly independent. The last axis is split into (block, slot) with `slots` outputs per cell row.
import type { Kernels } from '../kernels/kernels.ts'
import { SCALAR_BYTES } from '../kernels/kernels.ts'
import { placeScalars, readScalar } from '../kernels/scalars.ts'

/** `groups` rows of `length` values, each row cut into commitments of `chunk` values (the last may hold fewer). */
export type ActivationLayout = { readonly groups: number; readonly length: number; readonly chunk: number }

/** Numbering of the outputs of one layer. */
export type IndexSpace = {
  readonly layout: ActivationLayout
  readonly chunksPerGroup: number
  /** Sizes of the axes inside a chunk; their product is the chunk. */
  readonly axes: readonly number[]
  readonly slots: number
  readonly slotBits: number
  readonly rowBits: number
  /** Bits of tau per digit: group, chunk, axes (the last without its slot). */
  readonly digitBits: readonly number[]
  /** Hypercube index of every existing cell row, ascending. */
  readonly rows: Uint32Array
  /** Tensor element of (row, slot), or -1. */
  readonly outputs: Int32Array
}

/** Commitments per activation. */
export function chunkCount(layout: ActivationLayout): number {
  return layout.groups * Math.ceil(layout.length / layout.chunk)
}

/** Values held by chunk `index` of an activation. */
export function chunkLength(layout: ActivationLayout, index: number): number {
  const perGroup = Math.ceil(layout.length / layout.chunk)
  return Math.min(layout.chunk, layout.length - (index % perGroup) * layout.chunk)
}

/** First tensor element of chunk `index`. */
export function chunkStart(layout: ActivationLayout, index: number): number {
  const perGroup = Math.ceil(layout.length / layout.chunk)
  return Math.floor(index / perGroup) * layout.length + (index % perGroup) * layout.chunk
}

/** Numbers the outputs of a layer. */
export function createIndexSpace(layout: ActivationLayout, axes: readonly number[], slots: number): IndexSpace {
  const chunksPerGroup = Math.ceil(layout.length / layout.chunk)
  const last = axes.at(-1) ?? 1
  const radices = [layout.groups, chunksPerGroup, ...axes.slice(0, -1), Math.ceil(last / slots)]
  const digitBits = radices.map(bitsFor)
  let known: Pick<IndexSpace, 'rows' | 'outputs'> | undefined
  // Numbering takes time in proportion to the outputs: done when somebody asks, not for every spec that somebody sends.
  const numbering = (): Pick<IndexSpace, 'rows' | 'outputs'> => {
    known ??= numberOutputs({ layout, axes, slots }, radices, digitBits)
    return known
  }
  return {
    layout,
    chunksPerGroup,
    axes,
    slots,
    slotBits: bitsFor(slots),
    rowBits: digitBits.reduce((sum, bits) => sum + bits, 0),
    digitBits,
    get rows() {
      return numbering().rows
    },
    get outputs() {
      return numbering().outputs
    },
  }
}

type Numbered = { readonly layout: ActivationLayout; readonly axes: readonly number[]; readonly slots: number }

function numberOutputs(shape: Numbered, radices: readonly number[], digitBits: readonly number[]): Pick<IndexSpace, 'rows' | 'outputs'> {
  const rows: number[] = []
  const outputs: number[] = []
  const digits = radices.map(() => 0)
  do {
    const row = rowOutputs(shape, digits)
    if (row === undefined) continue
    rows.push(digits.reduce((sum, digit, k) => sum * 2 ** (digitBits[k] ?? 0) + digit, 0))
    outputs.push(...row)
  } while (increment(digits, radices))
  return { rows: Uint32Array.from(rows), outputs: Int32Array.from(outputs) }
}

function rowOutputs(shape: Numbered, digits: readonly number[]): readonly number[] | undefined {
  const { layout, axes, slots } = shape
  const [group = 0, chunk = 0, ...inside] = digits
  const block = inside.pop() ?? 0
  const last = axes.at(-1) ?? 1
  const outer = inside.reduce((sum, digit, k) => sum * (axes[k] ?? 1) + digit, 0)
  const row = Array.from({ length: slots }, (_, slot) => {
    const x = block * slots + slot
    const element = chunk * layout.chunk + outer * last + x
    return x < last && element < layout.length ? group * layout.length + element : -1
  })
  return row.some((element) => element >= 0) ? row : undefined
}

function increment(digits: number[], radices: readonly number[]): boolean {
  for (let k = digits.length - 1; k >= 0; k--) {
    const next = (digits[k] ?? 0) + 1
    if (next < (radices[k] ?? 1)) {
      digits[k] = next
      return true
    }
    digits[k] = 0
  }
  return false
}

/** ceil(log2(n)). */
export function bitsFor(n: number): number {
  return n <= 1 ? 0 : 32 - Math.clz32(n - 1)
}

/** Weights of the outputs along each axis, in kernel memory, and their sum over the outputs that exist. */
export type SpaceWeights = {
  /** eq of the group digit, one per group. */
  readonly groups: number
  /** One per chunk of the activation: eq(group) eq(chunk). */
  readonly chunks: number
  /** One per chunk of a group. */
  readonly chunksOfGroup: number
  /** One vector per axis, as long as the axis. */
  readonly axes: readonly number[]
  /** One per column of a chunk: the product over the axes. */
  readonly columns: number
  /** One per slot. */
  readonly slots: number
  readonly groupSum: bigint
  readonly sum: bigint
}

/** Computes the weights for the challenge `tau` (row bits, then slot bits). */
export function spaceWeights(kernels: Kernels, space: IndexSpace, tau: readonly bigint[]): SpaceWeights {
  const at = placeScalars(kernels, tau)
  let used = 0
  const digits = space.digitBits.map((bits) => {
    const table = eqTable(kernels, at + SCALAR_BYTES * used, bits)
    used += bits
    return table
  })
  const slots = eqTable(kernels, at + SCALAR_BYTES * used, space.slotBits)
  const [groups = 0, chunksOfGroup = 0, ...inside] = digits
  const last = space.axes.at(-1) ?? 1
  const blocks = inside.pop() ?? 0
  const axes = [...inside, outer(kernels, blocks, Math.ceil(last / space.slots), slots, space.slots)]
  let columns = axes[0] ?? 0
  let size = space.axes[0] ?? 1
  axes.slice(1).forEach((axis, k) => {
    const length = space.axes[k + 1] ?? 1
    columns = outer(kernels, columns, size, axis, length)
    size *= length
  })
  const { layout, chunksPerGroup } = space
  const chunks = outer(kernels, groups, layout.groups, chunksOfGroup, chunksPerGroup)
  const groupSum = sumOf(kernels, groups, layout.groups)
  const tail = layout.length - (chunksPerGroup - 1) * layout.chunk
  const full = sumOf(kernels, chunksOfGroup, chunksPerGroup - 1) * sumOf(kernels, columns, layout.chunk)
  const partial = readScalar(kernels, chunksOfGroup + SCALAR_BYTES * (chunksPerGroup - 1)) * sumOf(kernels, columns, tail)
  return { groups, chunks, chunksOfGroup, axes, columns, slots, groupSum, sum: groupSum * (full + partial) }
}

/** eq(t, i) for i below 2^bits. */
export function eqTable(kernels: Kernels, tau: number, bits: number): number {
  const at = kernels.allocate(SCALAR_BYTES * 2 ** bits)
  kernels.x.eqTable(at, tau, bits)
  return at
}

/** a_i b_j at i nb + j. */
export function outer(kernels: Kernels, a: number, na: number, b: number, nb: number): number {
  const at = kernels.allocate(SCALAR_BYTES * na * nb)
  for (let i = 0; i < na; i++) kernels.x.scale(at + SCALAR_BYTES * i * nb, b, a + SCALAR_BYTES * i, nb)
  return at
}

/** The sum of n entries. */
export function sumOf(kernels: Kernels, at: number, n: number): bigint {
  return kernels.scoped(() => {
    const out = kernels.allocate(SCALAR_BYTES)
    kernels.x.sumVector(out, at, n)
    return readScalar(kernels, out)
  })
}
