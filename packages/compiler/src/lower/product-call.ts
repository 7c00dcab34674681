// The call of a product over views: which rows, how deep, which columns, and which bytes that reads.
import { buildGemm, type GemmKernel, gemmKey, type IndirectPanels, packedStepBytes } from '../kernels/gemm.ts'
import { mergeAxes } from '../kernels/loops.ts'
import { splitColumns } from '../kernels/pack-panels.ts'
import type { PostOperation } from '../kernels/post-operation.ts'
import { walkedBytes } from '../program/byte-ranges.ts'
import { type Extent, type Region, storageBytes, type View } from '../program/program.ts'
import { epilogueArguments, type PlacedOperand } from './epilogue.ts'
import type { Call } from './kernel-call.ts'

/** B of a product, ready to be read by the kernel. */
export type RightOperand = {
  readonly region: Region
  readonly offsetBytes: number
  readonly arithmetic: GemmKernel['arithmetic']
  readonly columns: number
  readonly vectors: number
  readonly layout: GemmKernel['b']
  readonly indirect?: IndirectPanels & { readonly table: Region; readonly tableOffset?: number; readonly decoySlots: readonly number[] }
}

export type ProductStep = {
  readonly name: string
  /** Row axes of A and C, in the same order and of the same sizes; strides in elements. */
  readonly rowShape: readonly number[]
  readonly a: { readonly view: View; readonly offsetBytes: number; readonly rowStrides: readonly number[] }
  readonly c: { readonly view: View; readonly offsetBytes: number; readonly rowStrides: readonly number[] }
  readonly b: RightOperand
  /** Depth in units of 4 bytes of A, split into segments where A is not consecutive. */
  readonly depth: GemmKernel['depth']
  readonly post: readonly PostOperation[]
  readonly operands: readonly PlacedOperand[]
  /** Where int8 weights are widened first, if they are. */
  readonly scratch?: Region
  /** Columns of the whole product where this is a piece of one: it keeps the whole one's tile. */
  readonly wholeColumns?: number
}

/**
 * Rows per tile and vectors per panel: MR * NV + NV + 2 <= 15. Two rows by four vectors load as much as four by two, but only a
 * load of A costs an instruction for its address. A single row keeps no B in registers: panels of up to 13 floats, as equal as
 * they get, or of 8 integers, since narrow loads like whole cache lines.
 */
export function chooseTile(
  rows: number,
  columns: number,
  arithmetic: GemmKernel['arithmetic'] = 'f32',
): { readonly tile: number; readonly vectors: number } {
  const needed = Math.ceil(columns / 4)
  if (rows === 1) return { tile: 1, vectors: arithmetic === 'f32' ? Math.ceil(needed / Math.ceil(needed / 13)) : Math.min(needed, 8) }
  if (rows === 2 || needed % 4 === 0 || needed >= 16) return { tile: 2, vectors: Math.min(needed, 4) }
  if (rows === 3 || (rows % 4 !== 0 && rows % 3 === 0 && needed % 3 === 0)) return { tile: 3, vectors: Math.min(needed, 3) }
  return { tile: needed === 1 ? Math.min(rows, 8) : 4, vectors: Math.min(needed, 2) }
}

/** The call of a product, or of a piece of one. */
export function productCall(step: ProductStep): { readonly call: Call; readonly kernel: GemmKernel } {
  const { a, b, c } = step
  const merged = mergeAxes(step.rowShape, [a.rowStrides, c.rowStrides])
  const rows = merged.shape.at(-1) ?? 1
  const [aBytes, cBytes] = [storageBytes[a.view.storage], storageBytes[c.view.storage]]
  const [aSteps = [], cSteps = []] = merged.strides
  const { tile } = chooseTile(rows, step.wholeColumns ?? b.columns)
  const kernel: GemmKernel = {
    arithmetic: b.arithmetic,
    rows: {
      tile,
      blocks: Math.floor(rows / tile),
      rest: rows % tile,
      aStep: (aSteps.at(-1) ?? 0) * aBytes,
      cStep: (cSteps.at(-1) ?? 0) * cBytes,
      outer: merged.shape
        .slice(0, -1)
        .map((count, axis) => ({ count, aStep: (aSteps[axis] ?? 0) * aBytes, cStep: (cSteps[axis] ?? 0) * cBytes })),
    },
    columns: splitColumns(b.columns, b.vectors),
    depth: step.depth,
    b: b.layout,
    order: panelsFirst(step) ? 'panels' : 'rows',
    post: step.post,
    result: c.view.storage === 'i16' ? 'i16' : c.view.storage === 'i32' ? 'i32' : 'f32',
    ...(b.indirect ? { indirect: { firstMask: b.indirect.firstMask, panelBytes: b.indirect.panelBytes } } : {}),
    ...(step.scratch ? { unpack: true } : {}),
  }
  const result = { region: c.view.region, offsetBytes: c.offsetBytes }
  const call: Call = {
    name: step.name,
    key: `product ${gemmKey(kernel)}`,
    build: () => buildGemm(kernel),
    arguments: [
      { region: a.view.region, offsetBytes: a.offsetBytes },
      b,
      result,
      ...(b.indirect ? [{ region: b.indirect.table, offsetBytes: b.indirect.tableOffset ?? 0 }] : []),
      ...(step.scratch ? [{ region: step.scratch, offsetBytes: 0 }] : []),
      ...epilogueArguments(step.operands, result),
    ],
    reads: [a.view],
    writes: [{ ...c.view, offsetBytes: c.offsetBytes, shape: [...step.rowShape, b.columns], strides: [...c.rowStrides, 1] }],
    readsRegions: [b.region, ...(b.indirect ? [b.indirect.table] : []), ...step.operands.map(({ region }) => region)],
    ...(step.scratch ? { writesRegions: [step.scratch] } : {}),
    readExtents: () => productReads(step),
    costNs: productCostNs(step),
  }
  return { call, kernel }
}

// All of B, as tiles read it, in the first-level cache: keep rows of A instead, so that an image is walked once.
function panelsFirst(step: ProductStep): boolean {
  const { b, scratch, wholeColumns = b.columns } = step
  return depthUnits(step) * packedStepBytes(scratch ? 'int16' : b.arithmetic, Math.ceil(wholeColumns / 4)) > firstLevelBytes
}

/** How much of B is kept in the first-level cache. */
const firstLevelBytes = 24 * 1024

/** The same product with memory for int8 weights to be widened in first, where enough rows read each panel for that to pay. */
export function withScratch(step: ProductStep, allocate: (bytes: number) => Region): ProductStep {
  const { b } = step
  if (b.arithmetic !== 'int8' || b.layout.layout !== 'packed' || rowCount(step) < 8) return step
  const bytes = depthUnits(step) * packedStepBytes('int16', 1)
  const wholeVectors = Math.ceil(b.columns / 4)
  return { ...step, scratch: allocate(bytes * (bytes * wholeVectors > firstLevelBytes ? b.vectors : wholeVectors)) }
}

// Nanoseconds per multiply-accumulate, as measured: the planner compares pieces with meetings, nothing more.
const macNs = { f32: 0.07, int8: 0.035, int16: 0.035 } as const

export function depthUnits({ depth }: ProductStep): number {
  return depth.segments.reduce((product, { count }) => product * count, depth.run)
}

function rowCount({ rowShape }: ProductStep): number {
  return rowShape.reduce((product, size) => product * size, 1)
}

function productCostNs(step: ProductStep): number {
  const { arithmetic, columns } = step.b
  return rowCount(step) * columns * depthUnits(step) * (arithmetic === 'f32' ? 1 : 2) * macNs[arithmetic]
}

/** The bytes that a product reads, constants aside. */
function productReads(step: ProductStep): readonly Extent[] {
  const { a, b, c, rowShape } = step
  const whole = (region: Extent['region']): Extent => ({ region, ranges: [0, region.sizeBytes] })
  const walk = (strides: readonly number[], bytes: number) =>
    rowShape.map((count, axis) => ({ count, stepBytes: (strides[axis] ?? 0) * bytes }))
  const depth = step.depth.segments.map(({ count, aStep }) => ({ count, stepBytes: aStep }))
  const left = walkedBytes(a.offsetBytes, [...walk(a.rowStrides, storageBytes[a.view.storage]), ...depth], 4 * step.depth.run)
  const right =
    b.layout.layout === 'rows'
      ? walkedBytes(b.offsetBytes, [{ count: depthUnits(step), stepBytes: b.layout.rowBytes }], 16 * Math.ceil(b.columns / 4))
      : walkedBytes(b.offsetBytes, [], depthUnits(step) * packedStepBytes(b.arithmetic, Math.ceil(b.columns / 4)))
  const operands = step.operands.map((operand): Extent => {
    if (operand.kind === 'pointer') return whole(operand.region)
    const ranges = walkedBytes(operand.offsetBytes, walk(c.rowStrides, storageBytes[c.view.storage]), 16 * Math.ceil(b.columns / 4))
    return ranges === undefined ? whole(operand.region) : { region: operand.region, ranges }
  })
  return [
    left === undefined ? whole(a.view.region) : { region: a.view.region, ranges: left },
    ...(b.region.kind === 'constant' ? [] : [right === undefined ? whole(b.region) : { region: b.region, ranges: right }]),
    ...operands.filter(({ region }) => region.kind !== 'constant'),
  ]
}
