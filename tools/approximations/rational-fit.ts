import { leastSquares } from './least-squares.ts'

export type Fit = { readonly numerator: readonly number[]; readonly denominator: readonly number[]; readonly maxError: number }

/**
 * P(t)/Q(t) close to f(t) on [low, high] in relative error, Q(0) = 1, coefficients ascending.
 *
 * Linearised least squares, reweighted: the denominator of the previous round turns P - f Q into an error of the quotient
 * (Sanathanan-Koerner iteration), and points with a large error gain weight, which moves the solution towards the
 * minimax one (Lawson's method). Good to a small factor of the best possible error, which is all that float32 needs.
 */
export function fitRational(f: (t: number) => number, range: readonly [number, number], degrees: readonly [number, number]): Fit {
  const [low, high] = range
  const [p, q] = degrees
  const count = 1200
  const points = Array.from({ length: count }, (_, i) => (low + high) / 2 - ((high - low) / 2) * Math.cos((Math.PI * (i + 0.5)) / count))
  const unit = Math.max(Math.abs(low), Math.abs(high))
  const weights = new Float64Array(count).fill(1)
  let denominators = new Float64Array(count).fill(1)
  let best: Fit = { numerator: [], denominator: [], maxError: Number.POSITIVE_INFINITY }
  for (let round = 0; round < 60; round++) {
    const rows = points.map((t, i) => row(t / unit, f(t), p, q, Math.sqrt(weights[i] ?? 0) / (f(t) * (denominators[i] ?? 1))))
    const target = Float64Array.from(points, (_, i) => Math.sqrt(weights[i] ?? 0) / (denominators[i] ?? 1))
    const solution = leastSquares(rows, target)
    const numerator = Array.from(solution.subarray(0, p + 1), (c, k) => c / unit ** k)
    const denominator = [1, ...Array.from(solution.subarray(p + 1), (c, k) => c / unit ** (k + 1))]
    denominators = Float64Array.from(points, (t) => evaluate(denominator, t))
    const errors = points.map((t, i) => Math.abs(evaluate(numerator, t) / (denominators[i] ?? 1) / f(t) - 1))
    const maxError = Math.max(...errors)
    if (maxError < best.maxError) best = { numerator, denominator, maxError }
    const mean = errors.reduce((sum, error, i) => sum + error * (weights[i] ?? 0), 0) / weights.reduce((sum, w) => sum + w, 0)
    for (const [i, error] of errors.entries()) weights[i] = (weights[i] ?? 0) * (0.3 + 0.7 * (error / mean))
  }
  return best
}

/** Horner's rule, coefficients ascending. */
export function evaluate(coefficients: readonly number[], t: number): number {
  return coefficients.reduceRight((sum, c) => sum * t + c, 0)
}

function row(t: number, value: number, p: number, q: number, weight: number): Float64Array {
  const entries = new Float64Array(p + 1 + q)
  for (let k = 0; k <= p; k++) entries[k] = weight * t ** k
  for (let k = 1; k <= q; k++) entries[p + k] = -weight * value * t ** k
  return entries
}
