// Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?" (DATE 2017, ePrint 2016/1123): times of one operation on a fixed secret and
// on random ones, drawn in random order, compared by Welch's t-test, also after cutting off the slow tail at several percentiles.
import { randomBytes } from 'node:crypto'
import { at, range } from '../src/internal/at.ts'

export type TimedOperation = {
  /** Makes ready what `run` will work on; not timed. Both classes do the same work here. */
  readonly prepare: (isFixed: boolean) => void
  readonly run: () => void
}

const percentiles = [1, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25] as const

/** The largest |t| over the percentiles: around 2 to 4 for equal distributions, above 10 for a leak. */
export function timingLeak({ prepare, run }: TimedOperation, measurements = 20_000): number {
  for (const i of range(500)) {
    prepare(i % 2 === 0)
    run()
  }
  const classes = randomBytes(measurements)
  const times: readonly [number[], number[]] = [[], []]
  for (const byte of classes) {
    const isFixed = (byte & 1) === 1
    prepare(isFixed)
    const start = process.hrtime.bigint()
    run()
    times[isFixed ? 1 : 0].push(Number(process.hrtime.bigint() - start))
  }
  const sorted = Float64Array.from(times.flat()).sort()
  return Math.max(
    ...percentiles.map((percentile) => {
      const limit = at(sorted, Math.ceil(percentile * sorted.length) - 1)
      const [a, b] = times.map((values) => values.filter((value) => value <= limit)) as [number[], number[]]
      return Math.abs(welch(a, b))
    }),
  )
}

/** The smallest of several attempts: a leak shows in each of them, a disturbance from outside in some. */
export function repeatedTimingLeak(operation: TimedOperation, measurements?: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3 && least >= leakThreshold / 2; i++) least = Math.min(least, timingLeak(operation, measurements))
  return least
}

/** Above this an operation leaks; the paper's tool speaks of a probable leak from there on. */
export const leakThreshold = 10

function welch(a: readonly number[], b: readonly number[]): number {
  // Nothing left of one class below the cut: the comparison without the cut shows that.
  if (a.length < 2 || b.length < 2) return 0
  const [first, second] = [moments(a), moments(b)]
  const spread = Math.sqrt(first.variance / a.length + second.variance / b.length)
  return spread === 0 ? 0 : (first.mean - second.mean) / spread
}

function moments(values: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1) }
}
