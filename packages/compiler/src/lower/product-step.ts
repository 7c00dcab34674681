// One call of the product kernel over views: which rows, how deep, which columns.
import { buildGemm, type GemmKernel, gemmKey, type IndirectPanels, packedStepBytes } from '../kernels/gemm.ts'
import { mergeAxes } from '../kernels/loops.ts'
import { packF32, packPairs, type PanelSource, splitColumns } from '../kernels/pack-panels.ts'
import { maskTable } from '../obfuscate/obfuscator.ts'
import type { PostOperation } from '../kernels/post-operation.ts'
import { type Region, storageBytes, type View } from '../program/program.ts'
import { epilogueArguments, type PlacedOperand } from './epilogue.ts'
import type { Lowering } from './lowering.ts'

/** B of a product, ready to be read by the kernel. */
export type RightOperand = {
  readonly region: Region
  readonly offsetBytes: number
  readonly arithmetic: GemmKernel['arithmetic']
  readonly columns: number
  readonly vectors: number
  readonly layout: GemmKernel['b']
  readonly indirect?: IndirectPanels & { readonly table: Region; readonly decoySlots: readonly number[] }
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
}

/** Rows per tile and vectors per panel: MR * NV + NV + 2 <= 15, and 8 for a single row, whose B is not kept in registers. */
export function chooseTile(rows: number, columns: number): { readonly tile: number; readonly vectors: number } {
  const needed = Math.ceil(columns / 4)
  if (rows === 1) return { tile: 1, vectors: Math.min(needed, needed % 8 === 0 ? 8 : needed % 12 === 0 ? 12 : Math.min(needed, 8)) }
  if (rows === 2) return { tile: 2, vectors: Math.min(needed, 4) }
  if (rows === 3 || (rows % 4 !== 0 && rows % 3 === 0 && needed % 3 === 0)) return { tile: 3, vectors: Math.min(needed, 3) }
  return { tile: needed === 1 ? Math.min(rows, 8) : 4, vectors: Math.min(needed, 2) }
}

/** Packs a constant matrix into panels. */
export function packConstant(out: Lowering, arithmetic: GemmKernel['arithmetic'], source: PanelSource, vectors: number): RightOperand {
  const packed = arithmetic === 'f32' ? packF32(source, vectors) : packPairs(arithmetic, source, vectors)
  const units = arithmetic === 'f32' ? source.depth : Math.ceil(source.depth / 2)
  const panelBytes = units * packedStepBytes(arithmetic, vectors)
  const pool = out.obfuscator?.pool(new Uint8Array(packed.buffer), panelBytes)
  if (pool !== undefined) {
    const { firstMask, table, decoySlots } = pool
    const indirect = { firstMask, panelBytes, table: out.constant(table), decoySlots }
    return {
      region: out.constant(pool.bytes),
      offsetBytes: 0,
      arithmetic,
      columns: source.columns,
      vectors,
      layout: { layout: 'packed' },
      indirect,
    }
  }
  return { region: out.constant(packed), offsetBytes: 0, arithmetic, columns: source.columns, vectors, layout: { layout: 'packed' } }
}

export function emitProduct(out: Lowering, step: ProductStep): void {
  const { a, b, c } = step
  const merged = mergeAxes(step.rowShape, [a.rowStrides, c.rowStrides])
  const rows = merged.shape.at(-1) ?? 1
  const [aBytes, cBytes] = [storageBytes[a.view.storage], storageBytes[c.view.storage]]
  const [aSteps = [], cSteps = []] = merged.strides
  const { tile } = chooseTile(rows, b.columns)
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
  }
  const result = { region: c.view.region, offsetBytes: c.offsetBytes }
  out.call({
    name: step.name,
    key: `product ${gemmKey(kernel)}`,
    build: () => buildGemm(kernel),
    arguments: [
      { region: a.view.region, offsetBytes: a.offsetBytes },
      b,
      result,
      ...(b.indirect ? [{ region: b.indirect.table, offsetBytes: 0 }] : []),
      ...epilogueArguments(step.operands, result),
    ],
    reads: [a.view],
    writes: [c.view],
    readsRegions: [b.region, ...(b.indirect ? [b.indirect.table] : []), ...step.operands.map(({ region }) => region)],
  })
  if (b.indirect && b.indirect.decoySlots.length > 0 && out.obfuscator?.wantsDummy()) emitDummy(out, step, kernel)
}

/** The same kernel on a decoy, into memory that nothing reads. */
function emitDummy(out: Lowering, { a, b, name }: ProductStep, real: GemmKernel): void {
  const { indirect } = b
  const slot = indirect?.decoySlots[out.obfuscator?.random.below(indirect.decoySlots.length) ?? 0]
  if (indirect === undefined || slot === undefined || out.obfuscator === undefined) return
  const firstMask = out.obfuscator.random.u32() | 0
  const table = out.constant(maskTable([slot], firstMask))
  const kernel: GemmKernel = {
    ...real,
    rows: { ...real.rows, outer: [] },
    columns: { panels: 1, vectors: b.vectors, restVectors: 0 },
    post: [],
    result: b.arithmetic === 'f32' ? 'f32' : 'i32',
    indirect: { firstMask, panelBytes: indirect.panelBytes },
  }
  const rows = real.rows.blocks * real.rows.tile + real.rows.rest
  const junk = out.region('transient', rows * real.rows.cStep + 16 * b.vectors + 64)
  out.call({
    name,
    key: `product ${gemmKey(kernel)}`,
    build: () => buildGemm(kernel),
    arguments: [
      { region: a.view.region, offsetBytes: a.offsetBytes },
      b,
      { region: junk, offsetBytes: 0 },
      { region: table, offsetBytes: 0 },
    ],
    reads: [a.view],
    writes: [],
    readsRegions: [b.region, table],
    writesRegions: [junk],
  })
}

// All of B in the first-level cache: keep rows of A instead, so that an image is walked once.
function panelsFirst({ b, depth }: ProductStep): boolean {
  const units = depth.segments.reduce((product, { count }) => product * count, depth.run)
  return units * packedStepBytes(b.arithmetic, Math.ceil(b.columns / 4)) > 24 * 1024
}
