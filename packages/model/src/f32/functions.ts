// The scalar functions of the f32 profile. docs/spec/f32.md is the definition; every step is one IEEE 754 float32
// operation, written as Math.fround over a double operation (exact for + - * / and sqrt: a double has more than
// 2 * 24 + 2 bits, Figueroa 1995, so the second rounding never changes the result).
// Math.exp and its siblings are not used: engines disagree about their last bits.
import { erfDenominator, erfNumerator, expPolynomial, logPolynomial, tanhDenominator, tanhNumerator } from './coefficients.generated.ts'

const f32 = Math.fround
const log2e = f32(Math.LOG2E)
/** ln 2 in two parts; the first has 10 significant bits, so n * ln2High is exact. */
const ln2High = 0.693359375
const ln2Low = f32(-2.1219444005469057e-4)
const sqrtHalf = f32(Math.SQRT1_2)
const bits = new DataView(new ArrayBuffer(4))

/** Nearest integer, ties to even, keeping the sign of zero (`f32.nearest`). */
export function nearest(x: number): number {
  const floor = Math.floor(x)
  const difference = x - floor
  const rounded = difference < 0.5 || (difference === 0.5 && floor % 2 === 0) ? floor : floor + 1
  return rounded === 0 && x < 0 ? -0 : rounded
}

/** e^x. Arguments are clamped to [-104, 89], where the result is already 0 or Infinity. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return Number.NaN
  const clamped = Math.min(Math.max(x, -104), 89)
  const n = nearest(f32(clamped * log2e))
  const r = f32(f32(clamped - f32(n * ln2High)) - f32(n * ln2Low))
  const p = horner(expPolynomial, r)
  const y = f32(f32(f32(f32(p * r) * r) + r) + 1)
  const half = Math.floor(n / 2)
  return f32(f32(y * powerOfTwo(half)) * powerOfTwo(n - half))
}

/** Natural logarithm; NaN below 0, -Infinity at 0. */
export function log(x: number): number {
  if (!(x >= 0)) return Number.NaN
  if (x === 0) return Number.NEGATIVE_INFINITY
  if (x === Number.POSITIVE_INFINITY) return x
  let [mantissa, exponent] = split(x)
  if (mantissa < sqrtHalf) {
    mantissa = f32(mantissa + mantissa)
    exponent -= 1
  }
  const f = f32(mantissa - 1)
  const square = f32(f * f)
  let y = f32(f32(f32(horner(logPolynomial, f) * f) * square) + f32(exponent * ln2Low))
  y = f32(y - f32(0.5 * square))
  return f32(f32(f + y) + f32(exponent * ln2High))
}

/** The error function. */
export function erf(x: number): number {
  const clamped = clampTo(x, 4)
  const t = f32(clamped * clamped)
  return clampTo(f32(f32(clamped * horner(erfNumerator, t)) / horner(erfDenominator, t)), 1)
}

/** Hyperbolic tangent. */
export function tanh(x: number): number {
  const clamped = clampTo(x, 9)
  const t = f32(clamped * clamped)
  return clampTo(f32(f32(clamped * horner(tanhNumerator, t)) / horner(tanhDenominator, t)), 1)
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  return f32(1 / f32(1 + exp(-x)))
}

/** max(x, 0) + ln(1 + e^-|x|). */
export function softplus(x: number): number {
  return f32(Math.max(x, 0) + log(f32(1 + exp(-Math.abs(x)))))
}

/** 0.5 x (1 + erf(x / sqrt 2)). */
export function gelu(x: number): number {
  return f32(f32(0.5 * x) * f32(1 + erf(f32(x * sqrtHalf))))
}

/** 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
export function geluTanh(x: number): number {
  const cube = f32(f32(x * x) * x)
  const inner = f32(f32(0.7978845608028654) * f32(x + f32(f32(0.044715) * cube)))
  return f32(f32(0.5 * x) * f32(1 + tanh(inner)))
}

/** a^b: by repeated squaring for integer |b| <= 64, sqrt for 1/2, e^(b ln a) otherwise. */
export function pow(a: number, b: number): number {
  if (b === 0.5) return f32(Math.sqrt(a))
  if (Number.isInteger(b) && Math.abs(b) <= 64) return b < 0 ? f32(1 / integerPower(a, -b)) : integerPower(a, b)
  if (a === 0) return b > 0 ? 0 : Number.POSITIVE_INFINITY
  return exp(f32(b * log(a)))
}

function integerPower(base: number, exponent: number): number {
  let result = 1
  let square = base
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = f32(result * square)
    if (rest > 1) square = f32(square * square)
  }
  return result
}

/** Horner's rule in float32, coefficients ascending: one multiplication and one addition per step. */
function horner(coefficients: readonly number[], t: number): number {
  let sum = coefficients[coefficients.length - 1] ?? 0
  for (let k = coefficients.length - 2; k >= 0; k--) sum = f32(f32(sum * t) + (coefficients[k] ?? 0))
  return sum
}

function clampTo(x: number, limit: number): number {
  return Math.min(Math.max(x, -limit), limit)
}

/** 2^n as a float32, |n| <= 126. */
function powerOfTwo(n: number): number {
  bits.setUint32(0, (n + 127) << 23)
  return bits.getFloat32(0)
}

/** x = mantissa * 2^exponent with mantissa in [1/2, 1). */
function split(x: number): [mantissa: number, exponent: number] {
  if (x < 1.1754943508222875e-38) {
    const [mantissa, exponent] = split(x * 16777216)
    return [mantissa, exponent - 24]
  }
  bits.setFloat32(0, x)
  const word = bits.getUint32(0)
  bits.setUint32(0, (word & 0x007fffff) | (126 << 23))
  return [bits.getFloat32(0), (word >>> 23) - 126]
}

/** x < 0 ? alpha (e^x - 1) : x. */
export function elu(x: number, alpha: number): number {
  return x < 0 ? f32(alpha * f32(exp(x) - 1)) : x
}

/** min(max(alpha x + beta, 0), 1). */
export function hardSigmoid(x: number, alpha: number, beta: number): number {
  return Math.min(Math.max(f32(f32(alpha * x) + beta), 0), 1)
}

/** x hardSigmoid(x, 1/6, 1/2). */
export function hardSwish(x: number): number {
  return f32(x * hardSigmoid(x, f32(1 / 6), 0.5))
}
