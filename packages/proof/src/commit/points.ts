// Pedersen commitments in kernel memory.
import { affineOf } from './encoding.ts'
import { msmWindow, type ProofEngine, type Tables } from '../engine.ts'
import { type Kernels, SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'

/** <v, G> + blinder H for a vector of n field elements (one blinder element). */
export function commitVector(
  engine: ProofEngine,
  tables: Tables,
  out: number,
  vector: { readonly at: number; readonly n: number; readonly blinder: number },
): void {
  const { kernels } = engine
  kernels.scoped(() => {
    const raw = kernels.allocate(SCALAR_BYTES * (vector.n + 1))
    kernels.x.scalarsRaw(raw, vector.at, vector.n)
    if (vector.n <= tables.columns) {
      const scratch = kernels.allocate(kernels.x.fixedMsmBytes(vector.n, tables.window))
      kernels.x.fixedMsm(out, tables.powers, raw, vector.n, tables.window, tables.columns, scratch)
    } else {
      const points = engine.placeGenerators(vector.n)
      const window = msmWindow(vector.n)
      kernels.x.msm(out, points, raw, vector.n, window, kernels.allocate(kernels.x.msmBytes(vector.n, window)))
    }
    addBlinder(kernels, tables, out, vector.blinder)
  })
}

/** out += blinder H. */
export function addBlinder(kernels: Kernels, tables: Tables, out: number, blinder: number): void {
  kernels.scoped(() => {
    const raw = kernels.allocate(SCALAR_BYTES)
    kernels.x.scalarsRaw(raw, blinder, 1)
    kernels.x.addMultiple(out, tables.H, raw)
  })
}

/** value_k U + blinder_k H for n pairs: affine points. */
export function commitScalars(kernels: Kernels, tables: Tables, values: number, blinders: number, n: number): number {
  const sums = kernels.allocate(SUM_BYTES * n)
  kernels.scoped(() => {
    const raw = kernels.allocate(SCALAR_BYTES * 2 * n)
    kernels.x.scalarsRaw(raw, values, n)
    kernels.x.scalarsRaw(raw + SCALAR_BYTES * n, blinders, n)
    for (let k = 0; k < n; k++) {
      kernels.x.xyzzZero(sums + SUM_BYTES * k)
      kernels.x.addMultiple(sums + SUM_BYTES * k, tables.U, raw + SCALAR_BYTES * k)
      kernels.x.addMultiple(sums + SUM_BYTES * k, tables.H, raw + SCALAR_BYTES * (n + k))
    }
  })
  return affineOf(kernels, sums, n)
}

const MAX_TREE_ENTRIES = 1 << 15

/** Sums of rows of small signed integers (|v| <= 128), a bounded number of rows at a time. */
export function sumSmallRows(
  engine: ProofEngine,
  sums: number,
  rows: { readonly count: number; readonly columns: number; readonly fill: (row: number, into: Int16Array) => void },
): void {
  const { kernels } = engine
  const { count, columns, fill } = rows
  const batch = Math.max(1, Math.min(count, Math.floor(MAX_TREE_ENTRIES / columns)))
  kernels.scoped(() => {
    const points = engine.placeGenerators(columns)
    const values = kernels.allocate(2 * columns * batch)
    const scratch = kernels.allocate(kernels.x.treeBytes(128 * batch, columns * batch))
    for (let r = 0; r < count; r += batch) {
      const n = Math.min(batch, count - r)
      const view = kernels.int16(values, columns * n).fill(0)
      for (let k = 0; k < n; k++) fill(r + k, view.subarray(columns * k, columns * (k + 1)))
      kernels.x.sumRows(sums + SUM_BYTES * r, points, values, n, columns, 128, scratch)
    }
  })
}
