// Cosines and sines of multiples of pi/N from integers alone. Engines may differ in the last bit of Math.sin; a publisher's
// encoded weights must not depend on the engine, so the table is computed in 128-bit fixed point and rounded once.

const bits = 128n
const one = 1n << bits

/** cos and sin of pi e / N for e in [0, 2N). */
export type UnitRoots = { readonly cosines: Float64Array; readonly sines: Float64Array }

const known = new Map<number, UnitRoots>()

/** The table for a ring degree; computed once per process. */
export function unitRoots(polyDegree: number): UnitRoots {
  const made = known.get(polyDegree) ?? computeRoots(polyDegree)
  known.set(polyDegree, made)
  return made
}

function computeRoots(n: number): UnitRoots {
  const cosines = new Float64Array(2 * n)
  const sines = new Float64Array(2 * n)
  const [stepCosine, stepSine] = angle(n)
  let [x, y] = [one, 0n]
  // The first eighth of the circle; the rest is symmetry, exact in floating point.
  for (let e = 0; e <= n / 4; e++) {
    place(cosines, sines, n, e, toDouble(x), toDouble(y))
    ;[x, y] = [(x * stepCosine - y * stepSine) >> bits, (x * stepSine + y * stepCosine) >> bits]
  }
  return { cosines, sines }
}

function place(cosines: Float64Array, sines: Float64Array, n: number, e: number, c: number, s: number): void {
  const images: readonly (readonly [number, number, number])[] = [
    [e, c, s],
    [n / 2 - e, s, c],
    [n / 2 + e, -s, c],
    [n - e, -c, s],
    [n + e, -c, -s],
    [(3 * n) / 2 - e, -s, -c],
    [(3 * n) / 2 + e, s, -c],
    [(2 * n - e) % (2 * n), c, -s],
  ]
  for (const [index, cosine, sine] of images) {
    cosines[index] = cosine + 0
    sines[index] = sine + 0
  }
}

/** cos and sin of pi / n in fixed point, by their Taylor series. */
function angle(n: number): readonly [bigint, bigint] {
  const theta = pi() / BigInt(n)
  let [cosine, sine, term] = [0n, 0n, one]
  for (let k = 0n; term !== 0n; k++) {
    const signed = k & 2n ? -term : term
    if (k & 1n) sine += signed
    else cosine += signed
    term = (term * theta) / (one * (k + 1n))
  }
  return [cosine, sine]
}

/** Machin: pi = 16 arctan(1/5) - 4 arctan(1/239). */
function pi(): bigint {
  return 16n * arctanInverse(5n) - 4n * arctanInverse(239n)
}

function arctanInverse(x: bigint): bigint {
  let [sum, power] = [0n, one / x]
  for (let k = 0n; power !== 0n; k++, power /= x * x) sum += (k & 1n ? -power : power) / (2n * k + 1n)
  return sum
}

/** Nearest double of a fixed-point number in [0, 1]; the integer conversion rounds correctly, the scaling is exact. */
function toDouble(value: bigint): number {
  return Number(value) / 2 ** 128
}
