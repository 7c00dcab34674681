// Weights of the outputs along every axis, as nodes: e of section 4 of docs/spec/proofs.md.
import { bitsFor, type IndexSpace } from '../relation/index-space.ts'
import type { Node, Recorder } from './recorder.ts'

/** The weights that wirings read. */
export type TraceWeights = {
  /** One per group. */
  readonly groups: readonly Node[]
  /** One per chunk of a group. */
  readonly chunksOfGroup: readonly Node[]
  /** One per chunk: eq(group) eq(chunk). */
  readonly chunks: readonly Node[]
  /** One vector per axis, as long as the axis. */
  readonly axes: readonly (readonly Node[])[]
  /** One per column of a chunk: the product over the axes. */
  readonly columns: readonly Node[]
  /** One per slot. */
  readonly slots: readonly Node[]
  readonly groupSum: Node
  /** Over the outputs that exist. */
  readonly sum: Node
}

/** scale eq(t, i) for i below n, most significant bit first; corners that nobody needs are left out. */
export function eqTable(m: Recorder, t: readonly Node[], n: number, scale: Node): readonly Node[] {
  let level: readonly Node[] = [scale]
  t.forEach((coordinate, k) => {
    const size = Math.ceil(n / 2 ** (t.length - 1 - k))
    level = Array.from({ length: size }, (_, i) => eqStep(m, level[i >> 1] ?? m.zero, coordinate, i & 1))
  })
  return level.slice(0, n)
}

/** parent t for a one, parent (1 - t) for a zero. */
export function eqStep(m: Recorder, parent: Node, t: Node, bit: number): Node {
  const one = m.mul(parent, t)
  return bit === 1 ? one : m.sub(parent, one)
}

/** The weights for the challenge `tau` (row bits, then slot bits). */
export function traceWeights(m: Recorder, space: IndexSpace, tau: readonly Node[]): TraceWeights {
  const { layout, chunksPerGroup } = space
  const last = space.axes.at(-1) ?? 1
  const sizes = [layout.groups, chunksPerGroup, ...space.axes.slice(0, -1), Math.ceil(last / space.slots), space.slots]
  let used = 0
  const tables = sizes.map((size) => {
    const bits = bitsFor(size)
    used += bits
    return eqTable(m, tau.slice(used - bits, used), size, m.one)
  })
  const [groups = [], chunksOfGroup = [], ...inside] = tables
  const slots = inside.pop() ?? []
  const blocks = inside.pop() ?? []
  const axes = [...inside, m.outer(blocks, slots).slice(0, last)]
  const columns = axes.reduce<readonly Node[]>((left, axis) => m.outer(left, axis), [m.one])
  const tail = layout.length - (chunksPerGroup - 1) * layout.chunk
  const full = m.mul(m.sum(chunksOfGroup.slice(0, -1)), m.sum(columns))
  const inGroup = m.fma(chunksOfGroup.at(-1) ?? m.zero, m.sum(columns.slice(0, tail)), full)
  const groupSum = m.sum(groups)
  return {
    groups,
    chunksOfGroup,
    chunks: m.outer(groups, chunksOfGroup),
    axes,
    columns,
    slots,
    groupSum,
    sum: m.mul(groupSum, inGroup),
  }
}
