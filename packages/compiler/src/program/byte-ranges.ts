/** Bytes of a region: from, to, from, to, ...; ascending, disjoint, never touching. */
export type ByteRanges = readonly number[]

/** One loop of a walk through memory. */
export type Stride = { readonly count: number; readonly stepBytes: number }

/** Beyond this many pieces a set of bytes is not worth following. */
const maxPieces = 1 << 16

/**
 * The bytes that nested loops touch, `runBytes` at each place, or undefined where they are too many pieces to follow.
 */
export function walkedBytes(offsetBytes: number, strides: readonly Stride[], runBytes: number): ByteRanges | undefined {
  let start = offsetBytes
  let run = runBytes
  const forwards: Stride[] = []
  for (const { count, stepBytes } of strides) {
    if (count === 0) return []
    if (count === 1 || stepBytes === 0) continue
    if (stepBytes < 0) start += (count - 1) * stepBytes
    forwards.push({ count, stepBytes: Math.abs(stepBytes) })
  }
  forwards.sort((a, b) => a.stepBytes - b.stepBytes)
  const apart: Stride[] = []
  for (const stride of forwards)
    if (apart.length === 0 && stride.stepBytes <= run) run += (stride.count - 1) * stride.stepBytes
    else apart.push(stride)
  if (run === 0) return []
  if (apart.reduce((product, { count }) => product * count, 1) > maxPieces) return undefined
  let starts = [start]
  for (const { count, stepBytes } of apart.reverse())
    starts = starts.flatMap((from) => Array.from({ length: count }, (_, i) => from + i * stepBytes))
  return normalized(starts.sort((a, b) => a - b).flatMap((from) => [from, from + run]))
}

/** Pairs ascending by their start, overlaps and contacts merged. */
function normalized(pairs: readonly number[]): ByteRanges {
  const merged: number[] = []
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const [from, to] = [pairs[i] ?? 0, pairs[i + 1] ?? 0]
    const last = merged.at(-1)
    if (last !== undefined && from <= last) merged[merged.length - 1] = Math.max(last, to)
    else merged.push(from, to)
  }
  return merged
}

export function unionOf(a: ByteRanges, b: ByteRanges): ByteRanges {
  if (a.length === 0) return b
  if (b.length === 0) return a
  return combine(a, b, (inA, inB) => inA || inB)
}

export function intersectionOf(a: ByteRanges, b: ByteRanges): ByteRanges {
  return a.length === 0 || b.length === 0 ? [] : combine(a, b, (inA, inB) => inA && inB)
}

/** Bytes of `a` that are not in `b`. */
export function differenceOf(a: ByteRanges, b: ByteRanges): ByteRanges {
  return a.length === 0 || b.length === 0 ? a : combine(a, b, (inA, inB) => inA && !inB)
}

export function sizeOf(ranges: ByteRanges): number {
  let size = 0
  for (let i = 0; i + 1 < ranges.length; i += 2) size += (ranges[i + 1] ?? 0) - (ranges[i] ?? 0)
  return size
}

// One sweep over the boundaries of both: inside a set after an odd number of them.
function combine(a: ByteRanges, b: ByteRanges, keep: (inA: boolean, inB: boolean) => boolean): ByteRanges {
  const result: number[] = []
  let [i, j, inside] = [0, 0, false]
  while (i < a.length || j < b.length) {
    const at = Math.min(a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY)
    while (a[i] === at) i++
    while (b[j] === at) j++
    const now = keep(i % 2 === 1, j % 2 === 1)
    if (now !== inside) result.push(at)
    inside = now
  }
  return result
}
