import type { ValueId } from '../../graph.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

type Function = (e: Expressions, x: ValueId) => ValueId

function reader(compute: Function): OperatorReader {
  return (node: NodeReader) => {
    const x = node.input(0)
    node.expectTypes([x], ['float32'])
    node.emitAlias(0, compute(new Expressions(node), x))
  }
}

/** Horner's rule, highest coefficient first. */
function polynomial(e: Expressions, t: ValueId, [highest = 0, ...rest]: readonly number[]): ValueId {
  const [next = 0, ...others] = rest
  return others.reduce((sum, coefficient) => e.add(e.multiply(sum, t), coefficient), e.add(e.multiply(t, highest), next))
}

// Taylor coefficients, enough on [-pi/4, pi/4] for the last bit of a float32: the first term left out is below 3e-9 there.
const sine: readonly number[] = [1 / 362880, -1 / 5040, 1 / 120, -1 / 6]
const cosine: readonly number[] = [-1 / 3628800, 1 / 40320, -1 / 720, 1 / 24, -1 / 2, 1]
// pi / 2 in three parts: the first two have few bits, so that n times them is exact for |n| < 2^13.
const halfPi: readonly [number, number, number] = [1.5703125, 4.837512969970703e-4, 7.54978995489188e-8]

/** x less the nearest multiple n of pi/2, and n modulo 4. */
function reduced(e: Expressions, x: ValueId): { readonly r: ValueId; readonly quadrant: ValueId } {
  const n = e.unary('Round', e.multiply(x, 2 / Math.PI))
  const r = halfPi.reduce((rest, part) => e.subtract(rest, e.multiply(n, part)), x)
  const quadrant = e.subtract(n, e.multiply(e.unary('Floor', e.multiply(n, 0.25)), 4))
  return { r, quadrant }
}

/** Sine for `shift` 0, cosine for 1: in quadrants 0 to 3 they are s, c, -s, -c of the reduced angle, from that start on. */
function circular(e: Expressions, x: ValueId, shift: 0 | 1): ValueId {
  const { r, quadrant } = reduced(e, x)
  const t = e.multiply(r, r)
  const s = e.add(e.multiply(e.multiply(polynomial(e, t, sine), t), r), r)
  const c = polynomial(e, t, cosine)
  const odd = e.subtract(quadrant, e.multiply(e.unary('Floor', e.multiply(quadrant, 0.5)), 2))
  const [even, uneven] = shift === 0 ? [s, c] : [c, s]
  const size = e.where(e.binary('Greater', odd, 0.5), uneven, even)
  // Sine is negative in quadrants 2 and 3, cosine in 1 and 2.
  const distance = shift === 0 ? quadrant : e.unary('Abs', e.subtract(quadrant, 1.5))
  const negative = shift === 0 ? e.binary('Greater', distance, 1.5) : e.binary('Less', distance, 1)
  return e.where(negative, e.unary('Neg', size), size)
}

const sin: Function = (e, x) => circular(e, x, 0)
/** The cosine of docs/spec/f32.md. */
export const cos: Function = (e, x) => circular(e, x, 1)

// atan on [0, tan(pi/8)] as an odd polynomial; larger arguments by atan x = pi/4 + atan((x - 1) / (x + 1)) and
// atan x = pi/2 - atan(1 / x).
const arcTangent: readonly number[] = [1 / 17, -1 / 15, 1 / 13, -1 / 11, 1 / 9, -1 / 7, 1 / 5, -1 / 3]

function atan(e: Expressions, x: ValueId): ValueId {
  const size = e.unary('Abs', x)
  const [far, middle] = [e.binary('Greater', size, 2.414213562373095), e.binary('Greater', size, 0.41421356237309503)]
  const inverse = e.unary('Neg', e.unary('Reciprocal', size))
  const turned = e.divide(e.subtract(size, 1), e.add(size, 1))
  const t = e.where(far, inverse, e.where(middle, turned, size))
  const offset = e.where(far, Math.PI / 2, e.where(middle, Math.PI / 4, e.filled('float32', [], 0)))
  const square = e.multiply(t, t)
  const small = e.add(e.multiply(e.multiply(polynomial(e, square, arcTangent), square), t), t)
  const value = e.add(offset, small)
  return e.where(e.binary('Less', x, 0), e.unary('Neg', value), value)
}

/** asin x = atan(x / sqrt((1 - x)(1 + x))). */
function asin(e: Expressions, x: ValueId): ValueId {
  const rest = e.unary('Sqrt', e.multiply(e.subtract(e.filled('float32', [], 1), x), e.add(x, 1)))
  return atan(e, e.divide(x, rest))
}

/** acos x = 2 atan(sqrt((1 - x) / (1 + x))), which keeps its digits near 1. */
function acos(e: Expressions, x: ValueId): ValueId {
  const ratio = e.divide(e.subtract(e.filled('float32', [], 1), x), e.add(x, 1))
  return e.multiply(atan(e, e.unary('Sqrt', ratio)), 2)
}

/** tanh x cosh x; near 0 the series, because e^x - e^-x loses digits there. */
function sinh(e: Expressions, x: ValueId): ValueId {
  const square = e.multiply(x, x)
  const series = e.add(e.multiply(e.multiply(polynomial(e, square, [1 / 5040, 1 / 120, 1 / 6]), square), x), x)
  const [up, down] = [e.unary('Exp', x), e.unary('Exp', e.unary('Neg', x))]
  const direct = e.multiply(e.subtract(up, down), 0.5)
  return e.where(e.binary('Less', e.unary('Abs', x), 0.5), series, direct)
}

function cosh(e: Expressions, x: ValueId): ValueId {
  return e.multiply(e.add(e.unary('Exp', x), e.unary('Exp', e.unary('Neg', x))), 0.5)
}

/** sign(x) ln(|x| + sqrt(x^2 + 1)); near 0 the series. */
function asinh(e: Expressions, x: ValueId): ValueId {
  const size = e.unary('Abs', x)
  const square = e.multiply(x, x)
  const series = e.add(e.multiply(e.multiply(polynomial(e, square, [-15 / 336, 3 / 40, -1 / 6]), square), x), x)
  const direct = e.unary('Log', e.add(size, e.unary('Sqrt', e.add(square, 1))))
  const signed = e.where(e.binary('Less', x, 0), e.unary('Neg', direct), direct)
  return e.where(e.binary('Less', size, 0.25), series, signed)
}

/** ln(x + sqrt(x^2 - 1)). */
function acosh(e: Expressions, x: ValueId): ValueId {
  return e.unary('Log', e.add(x, e.unary('Sqrt', e.subtract(e.multiply(x, x), 1))))
}

/** ln((1 + x) / (1 - x)) / 2; near 0 the series. */
function atanh(e: Expressions, x: ValueId): ValueId {
  const square = e.multiply(x, x)
  const series = e.add(e.multiply(e.multiply(polynomial(e, square, [1 / 9, 1 / 7, 1 / 5, 1 / 3]), square), x), x)
  const ratio = e.divide(e.add(x, 1), e.subtract(e.filled('float32', [], 1), x))
  return e.where(e.binary('Less', e.unary('Abs', x), 0.25), series, e.multiply(e.unary('Log', ratio), 0.5))
}

/** Circular and hyperbolic functions, as the arithmetic that defines their bits. */
export const trigonometryReaders: Readonly<Record<string, OperatorReader>> = {
  Sin: reader(sin),
  Cos: reader(cos),
  Tan: reader((e, x) => e.divide(sin(e, x), cos(e, x))),
  Atan: reader(atan),
  Asin: reader(asin),
  Acos: reader(acos),
  Sinh: reader(sinh),
  Cosh: reader(cosh),
  Asinh: reader(asinh),
  Acosh: reader(acosh),
  Atanh: reader(atanh),
}
