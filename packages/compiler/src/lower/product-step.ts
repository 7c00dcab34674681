// One product of a program: constants packed into panels, the call, and in obfuscated builds a dummy now and then.
import { buildGemm, type GemmKernel, gemmKey, packedStepBytes } from '../kernels/gemm.ts'
import { packF32, packPairs, type PanelSource } from '../kernels/pack-panels.ts'
import { maskTable } from '../obfuscate/obfuscator.ts'
import type { Lowering } from './lowering.ts'
import { type ProductStep, productCall, type RightOperand, withScratch } from './product-call.ts'
import { productCuts } from './product-cuts.ts'

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

export function emitProduct(out: Lowering, product: ProductStep): void {
  const step = withScratch(product, (bytes) => out.region('transient', bytes))
  const { call, kernel } = productCall(step)
  out.call({ ...call, cuts: productCuts(step) })
  const { b } = step
  if (b.indirect && b.indirect.decoySlots.length > 0 && out.obfuscator?.wantsDummy()) emitDummy(out, step, kernel)
}

/** The same kernel on a decoy, into memory that nothing reads. */
function emitDummy(out: Lowering, { a, b, name, scratch }: ProductStep, real: GemmKernel): void {
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
      ...(scratch ? [{ region: scratch, offsetBytes: 0 }] : []),
    ],
    reads: [a.view],
    writes: [],
    readsRegions: [b.region, table],
    writesRegions: [junk, ...(scratch ? [scratch] : [])],
    // Nothing reads the result, so that two threads may read what they have.
    readExtents: () => [],
  })
}
