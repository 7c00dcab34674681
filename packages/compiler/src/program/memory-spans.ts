import type { EmitContext, Extent } from './program.ts'

/** `count` stretches of memory, `stepBytes` from one to the next. */
export type MemorySpan = { readonly offset: number; readonly sizeBytes: number; readonly stepBytes: number; readonly count: number }

/** Where extents lie, evenly spaced stretches of one size as one span. */
export function spansOf(extents: readonly Extent[], context: Pick<EmitContext, 'address'>): readonly MemorySpan[] {
  return extents.flatMap(({ region, ranges }) => {
    const spans: { offset: number; sizeBytes: number; stepBytes: number; count: number }[] = []
    for (let i = 0; i + 1 < ranges.length; i += 2) {
      const offset = context.address(region) + (ranges[i] ?? 0)
      const sizeBytes = (ranges[i + 1] ?? 0) - (ranges[i] ?? 0)
      const last = spans.at(-1)
      const stepBytes = last === undefined ? 0 : offset - (last.offset + (last.count - 1) * last.stepBytes)
      if (last?.sizeBytes === sizeBytes && (last.count === 1 || last.stepBytes === stepBytes)) {
        last.stepBytes = stepBytes
        last.count++
      } else spans.push({ offset, sizeBytes, stepBytes: 0, count: 1 })
    }
    return spans
  })
}
