// The ways in which kernels of different kinds can be done in pieces.
import { storageBytes, type View } from '../program/program.ts'
import type { Call, Cut } from './kernel-call.ts'
import { denseView, sliced } from './views.ts'

/** A stretch of one axis. */
export function stretch(view: View, axis: number, [from, to]: readonly [number, number]): View {
  const starts = view.shape.map((_, other) => (other === axis ? from : 0))
  const shape = view.shape.map((size, other) => (other === axis ? to - from : size))
  return sliced(view, { starts, steps: shape.map(() => 1), shape })
}

/** Kernels that walk a shape in any strides: along every axis that has two places. */
export function walkCuts(shape: readonly number[], call: (axis: number, range: readonly [number, number]) => Call): readonly Cut[] {
  return [...shape.entries()]
    .filter(([, size]) => size > 1)
    .map(([axis, size]) => ({ size, unit: unitOf(axis, shape), piece: (from: number, to: number) => [call(axis, [from, to])] }))
}

/** Whole vectors along the last axis. */
function unitOf(axis: number, shape: readonly number[]): number {
  return axis === shape.length - 1 ? 16 : 1
}

/** At most so many calls per piece. */
const maxStretches = 16

/**
 * Kernels over consecutive rows: along every axis of `lead`, the axes before a row. A stretch of an inner axis is one call for each
 * place of the axes outside it.
 */
export function rowCuts(lead: readonly number[], call: (firstRow: number, rows: number) => Call): readonly Cut[] {
  return [...lead.entries()].flatMap(([axis, size]) => {
    const outer = lead.slice(0, axis).reduce((product, count) => product * count, 1)
    const inner = lead.slice(axis + 1).reduce((product, count) => product * count, 1)
    if (size < 2 || outer > maxStretches) return []
    const piece = (from: number, to: number): readonly Call[] =>
      Array.from({ length: outer }, (_, place) => call((place * size + from) * inner, (to - from) * inner))
    return [{ size, piece }]
  })
}

/** Rows of `size` elements of a dense view, whatever its shape. */
export function denseRows(view: View, { firstRow, rows, size }: { firstRow: number; rows: number; size: number }): View {
  const start = view.offsetBytes + firstRow * size * storageBytes[view.storage]
  return { ...denseView(view.region, view.storage, [rows, size], view.zeroPoint), offsetBytes: start }
}
