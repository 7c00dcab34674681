// Polynomials and exponentials on several vectors at once, step by step: every operation in the order and with the rounding of
// docs/spec/f32.md. An engine with 16 registers fetches a constant for each use; four vectors that use it together share that.
import { expPolynomial } from '@tacit/model'
import type { FunctionBuilder, Local } from '@tacit/wasm'
import { roundingMagic, splatF32, splatI32 } from './post-operation.ts'

/** Steps of several vectors; the results are in locals. */
export type Several = (f: FunctionBuilder, inputs: readonly Local[]) => readonly Local[]

export const f32 = Math.fround
export const ln2High = 0.693359375
export const ln2Low = f32(-2.121944400546906e-4)

// Zero is made in one instruction where it stands.
export function constant(f: FunctionBuilder, value: number): FunctionBuilder {
  return value === 0 ? f.v128(splatF32(value)) : f.hoisted(splatF32(value))
}

export function keep(f: FunctionBuilder): Local {
  const local = f.local('v128')
  f.set(local)
  return local
}

/** One step on each of several vectors. */
export function each(f: FunctionBuilder, vectors: readonly Local[], step: (vector: Local, i: number) => void): readonly Local[] {
  return vectors.map((vector, i) => {
    step(vector, i)
    return keep(f)
  })
}

/** Horner's rule, coefficients ascending; pushes the sum. */
export function horner(f: FunctionBuilder, coefficients: readonly number[], t: Local): void {
  const [sum = 0] = horners(f, coefficients, [t])
  f.get(sum)
}

function horners(f: FunctionBuilder, coefficients: readonly number[], ts: readonly Local[]): readonly Local[] {
  let sums = each(f, ts, () => void constant(f, coefficients[coefficients.length - 1] ?? 0))
  for (let k = coefficients.length - 2; k >= 0; k--)
    sums = each(f, sums, (sum, i) => {
      f.get(sum)
        .get(ts[i] ?? 0)
        .op('f32x4.mul')
      constant(f, coefficients[k] ?? 0).op('f32x4.add')
    })
  return sums
}

/** min(max(x, lo), hi) for bounds other than zero: with x first, pmax and pmin keep NaN, and no zeros meet. */
function clamp(f: FunctionBuilder, lo: number, hi: number): void {
  constant(f, lo).op('f32x4.pmax')
  constant(f, hi).op('f32x4.pmin')
}

/** e^x of the value on the stack. */
export function emitExp(f: FunctionBuilder): void {
  const [e = 0] = emitExps(f, [keep(f)])
  f.get(e)
}

/** e^x of several vectors, step by step. */
export function emitExps(f: FunctionBuilder, inputs: readonly Local[]): readonly Local[] {
  const x = each(f, inputs, (input) => {
    f.get(input)
    clamp(f, -104, 89)
  })
  // nearest(x log2 e) by the rounding constant: its bits give the integer n as well.
  const shifted = each(f, x, (vector) => {
    f.get(vector)
    constant(f, f32(Math.LOG2E)).op('f32x4.mul')
    constant(f, roundingMagic).op('f32x4.add')
  })
  const n = each(f, shifted, (vector) => {
    f.get(vector)
    constant(f, roundingMagic).op('f32x4.sub')
  })
  const r = each(f, x, (vector, i) => {
    f.get(vector).get(n[i] ?? 0)
    constant(f, ln2High)
      .op('f32x4.mul', 'f32x4.sub')
      .get(n[i] ?? 0)
    constant(f, ln2Low).op('f32x4.mul', 'f32x4.sub')
  })
  const sums = horners(f, expPolynomial, r)
  const powers = each(f, sums, (sum, i) => {
    const rest = r[i] ?? 0
    f.get(sum).get(rest).op('f32x4.mul').get(rest).op('f32x4.mul').get(rest).op('f32x4.add')
    constant(f, 1).op('f32x4.add')
  })
  return each(f, powers, (power, i) => {
    f.get(shifted[i] ?? 0)
      .hoisted(splatF32(roundingMagic))
      .op('i32x4.sub')
    const whole = keep(f)
    f.get(whole).i32(1).op('i32x4.shr_s')
    const half = keep(f)
    f.get(power).get(half).hoisted(splatI32(127)).op('i32x4.add').i32(23).op('i32x4.shl', 'f32x4.mul')
    f.get(whole).get(half).op('i32x4.sub').hoisted(splatI32(127)).op('i32x4.add').i32(23).op('i32x4.shl', 'f32x4.mul')
  })
}

/** (x P(x^2)) / Q(x^2) with x clamped to the limit, clamped to 1. */
export function emitRationals(f: FunctionBuilder, { limit, numerator, denominator }: Rational, inputs: readonly Local[]): readonly Local[] {
  const x = each(f, inputs, (input) => {
    f.get(input)
    clamp(f, -limit, limit)
  })
  const t = each(f, x, (vector) => void f.get(vector).get(vector).op('f32x4.mul'))
  const products = each(
    f,
    horners(f, numerator, t),
    (p, i) =>
      void f
        .get(x[i] ?? 0)
        .get(p)
        .op('f32x4.mul'),
  )
  return each(f, horners(f, denominator, t), (q, i) => {
    f.get(products[i] ?? 0)
      .get(q)
      .op('f32x4.div')
    clamp(f, -1, 1)
  })
}
type Rational = { readonly limit: number; readonly numerator: readonly number[]; readonly denominator: readonly number[] }
