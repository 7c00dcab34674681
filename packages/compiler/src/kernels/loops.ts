import type { FunctionBuilder, Local } from '@tacit/wasm'

/** A pointer that walks an iteration space: bytes per step of each dimension. */
export type Walker = { readonly pointer: Local; readonly steps: readonly number[] }

/**
 * Nested counted loops over `shape`, outermost first; every pointer stands on its element when `body` runs, and is back
 * where it began when the loops are done.
 */
export function emitLoops(f: FunctionBuilder, shape: readonly number[], walkers: readonly Walker[], body: () => void): void {
  const nest = (axis: number): void => {
    const count = shape[axis]
    if (count === undefined) {
      body()
      return
    }
    f.repeat(count, () => {
      nest(axis + 1)
      if (count > 1) for (const { pointer, steps } of walkers) f.advance(pointer, steps[axis] ?? 0)
    })
    if (count > 1) for (const { pointer, steps } of walkers) f.advance(pointer, -count * (steps[axis] ?? 0))
  }
  nest(0)
}

/** Drops axes of size one and merges neighbours that every operand walks as one. */
export function mergeAxes(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): { readonly shape: readonly number[]; readonly strides: readonly (readonly number[])[] } {
  const axes: { size: number; steps: number[] }[] = []
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue
    const steps = strides.map((list) => list[axis] ?? 0)
    const last = axes.at(-1)
    if (last?.steps.every((step, i) => step === (steps[i] ?? 0) * size)) {
      last.size *= size
      last.steps = steps
    } else axes.push({ size, steps })
  }
  return { shape: axes.map(({ size }) => size), strides: strides.map((_, i) => axes.map(({ steps }) => steps[i] ?? 0)) }
}
