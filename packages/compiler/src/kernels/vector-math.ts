// The elementwise functions of docs/spec/f32.md, four at a time: every operation in the order and with the rounding that
// page gives. Where an instruction is shorter than the definition, the comment says why the bits are the same.
import { erfDenominator, erfNumerator, logPolynomial, tanhDenominator, tanhNumerator } from '@tacit/model'
import type { FunctionBuilder, Local, Opcode } from '@tacit/wasm'
import { splatI32 } from './post-operation.ts'
import { constant, each, emitExp, emitExps, emitRationals, f32, horner, keep, ln2High, ln2Low, type Several } from './stepwise-math.ts'

/** A function of vectors: pushes its result. */
export type VectorFunction = {
  readonly key: string
  emit(f: FunctionBuilder, inputs: readonly Local[]): void
  /** The same on several vectors at once, step by step, so that a constant is fetched once for all; of functions of one input. */
  emitSeveral?(f: FunctionBuilder, inputs: readonly Local[]): readonly Local[]
}

const emitErfs: Several = (f, inputs) => emitRationals(f, { limit: 4, numerator: erfNumerator, denominator: erfDenominator }, inputs)
const emitTanhs: Several = (f, inputs) => emitRationals(f, { limit: 9, numerator: tanhNumerator, denominator: tanhDenominator }, inputs)

/** ln x of the value on the stack. */
function emitLog(f: FunctionBuilder): void {
  const x = keep(f)
  const smallest = 1.1754943508222875e-38
  f.get(x)
  constant(f, smallest).op('f32x4.lt')
  const subnormal = keep(f)
  f.get(x)
  constant(f, 16777216).op('f32x4.mul').get(x).get(subnormal).op('v128.bitselect')
  const normal = keep(f)
  f.get(normal)
    .hoisted(splatI32(0x007fffff))
    .op('v128.and')
    .hoisted(splatI32(126 << 23))
    .op('v128.or')
  const mantissa = keep(f)
  f.get(mantissa)
  constant(f, f32(Math.SQRT1_2)).op('f32x4.lt')
  const low = keep(f)
  // e = (word >> 23) - 126, less 24 for scaled subnormals, less 1 where the mantissa doubles (true is -1).
  f.get(normal).i32(23).op('i32x4.shr_u').hoisted(splatI32(126)).op('i32x4.sub')
  f.get(subnormal).hoisted(splatI32(24)).op('v128.and', 'i32x4.sub').get(low).op('i32x4.add', 'f32x4.convert_i32x4_s')
  const exponent = keep(f)
  f.get(mantissa).get(mantissa).op('f32x4.add').get(mantissa).get(low).op('v128.bitselect')
  constant(f, 1).op('f32x4.sub')
  const m = keep(f)
  f.get(m).get(m).op('f32x4.mul')
  const square = keep(f)
  horner(f, logPolynomial, m)
  f.get(m).op('f32x4.mul').get(square).op('f32x4.mul').get(exponent)
  constant(f, ln2Low).op('f32x4.mul', 'f32x4.add')
  constant(f, 0.5).get(square).op('f32x4.mul', 'f32x4.sub')
  const y = keep(f)
  f.get(m).get(y).op('f32x4.add').get(exponent)
  constant(f, ln2High).op('f32x4.mul', 'f32x4.add')
  emitLogEdges(f, x)
}

// x = 0 gives -Infinity, Infinity itself, anything not >= 0 NaN.
function emitLogEdges(f: FunctionBuilder, x: Local): void {
  const result = keep(f)
  constant(f, Number.NEGATIVE_INFINITY).get(result).get(x)
  constant(f, 0).op('f32x4.eq', 'v128.bitselect')
  const zero = keep(f)
  f.get(x).get(zero).get(x)
  constant(f, Number.POSITIVE_INFINITY).op('f32x4.eq', 'v128.bitselect')
  const infinite = keep(f)
  f.get(infinite)
  constant(f, Number.NaN).get(x)
  constant(f, 0).op('f32x4.ge', 'v128.bitselect')
}

function unary(key: string, emit: (f: FunctionBuilder) => void): VectorFunction {
  return {
    key,
    emit: (f, [x]) => {
      f.get(x ?? 0)
      emit(f)
    },
  }
}

function several(key: string, emitSeveral: Several): VectorFunction {
  return {
    key,
    emit: (f, inputs) => {
      const [y = 0] = emitSeveral(f, inputs.slice(0, 1))
      f.get(y)
    },
    emitSeveral,
  }
}

function single(name: Opcode): VectorFunction {
  return unary(name, (f) => void f.op(name))
}

const sign: VectorFunction = {
  key: 'sign',
  emit: (f, [x = 0]) => {
    // (x > 0) - (x < 0) as 1 and -1; zeros and NaN come out as x + 0 would not: zero keeps its value, NaN stays.
    constant(f, 1).get(x).get(x)
    constant(f, 0).op('f32x4.gt', 'v128.bitselect')
    const positive = keep(f)
    constant(f, -1).get(positive).get(x)
    constant(f, 0).op('f32x4.lt', 'v128.bitselect')
  },
}

/** Elementwise functions of one input without parameters. */
export const unaryFunctions: Readonly<Record<string, VectorFunction>> = {
  Abs: single('f32x4.abs'),
  Neg: single('f32x4.neg'),
  Sign: sign,
  Floor: single('f32x4.floor'),
  Ceil: single('f32x4.ceil'),
  Round: single('f32x4.nearest'),
  Sqrt: single('f32x4.sqrt'),
  Reciprocal: {
    key: 'reciprocal',
    emit: (f, [x = 0]) => void constant(f, 1).get(x).op('f32x4.div'),
  },
  Exp: several('exp', emitExps),
  Log: unary('log', emitLog),
  Erf: several('erf', emitErfs),
  Tanh: several('tanh', emitTanhs),
  Relu: unary('relu', (f) => void constant(f, 0).op('f32x4.max')),
  Sigmoid: several('sigmoid', (f, inputs) => {
    const negated = each(f, inputs, (x) => void f.get(x).op('f32x4.neg'))
    return each(f, emitExps(f, negated), (e) => {
      constant(f, 1)
      constant(f, 1).get(e).op('f32x4.add', 'f32x4.div')
    })
  }),
  Softplus: {
    key: 'softplus',
    emit: (f, [x = 0]) => {
      f.get(x).op('f32x4.abs', 'f32x4.neg')
      emitExp(f)
      const e = keep(f)
      constant(f, 1).get(e).op('f32x4.add')
      emitLog(f)
      const tail = keep(f)
      f.get(x)
      constant(f, 0).op('f32x4.max').get(tail).op('f32x4.add')
    },
  },
  HardSwish: {
    key: 'hard-swish',
    emit: (f, [x = 0]) => {
      f.get(x)
      hardSigmoid(1 / 6, 0.5).emit(f, [x])
      f.op('f32x4.mul')
    },
  },
}

/** min(max(alpha x + beta, 0), 1) */
export function hardSigmoid(alpha: number, beta: number): VectorFunction {
  return {
    key: `hard-sigmoid ${alpha} ${beta}`,
    emit: (f, [x = 0]) => {
      constant(f, alpha).get(x).op('f32x4.mul')
      constant(f, beta).op('f32x4.add')
      constant(f, 0).op('f32x4.max')
      constant(f, 1).op('f32x4.min')
    },
  }
}

/** x < 0 ? alpha x : x */
export function leakyRelu(alpha: number): VectorFunction {
  return {
    key: `leaky-relu ${alpha}`,
    emit: (f, [x = 0]) => {
      constant(f, alpha).get(x).op('f32x4.mul').get(x).get(x)
      constant(f, 0).op('f32x4.lt', 'v128.bitselect')
    },
  }
}

/** x < 0 ? alpha (exp(x) - 1) : x */
export function elu(alpha: number): VectorFunction {
  return {
    key: `elu ${alpha}`,
    emit: (f, [x = 0]) => {
      f.get(x)
      emitExp(f)
      constant(f, 1).op('f32x4.sub')
      const e = keep(f)
      constant(f, alpha).get(e).op('f32x4.mul').get(x).get(x)
      constant(f, 0).op('f32x4.lt', 'v128.bitselect')
    },
  }
}

/** (0.5 x) (1 + erf(x sqrt(1/2))), or with tanh: see the specification. */
export function gelu(approximate: 'none' | 'tanh'): VectorFunction {
  return several(`gelu ${approximate}`, (f, inputs) => {
    const inner = each(f, inputs, (x) => {
      if (approximate === 'none') {
        f.get(x)
        constant(f, f32(Math.SQRT1_2)).op('f32x4.mul')
        return
      }
      constant(f, f32(0.7978845608028654)).get(x)
      constant(f, f32(0.044715)).get(x).get(x).op('f32x4.mul').get(x).op('f32x4.mul', 'f32x4.mul', 'f32x4.add', 'f32x4.mul')
    })
    return each(f, approximate === 'none' ? emitErfs(f, inner) : emitTanhs(f, inner), (y, i) => {
      f.get(inputs[i] ?? 0)
      constant(f, 0.5).op('f32x4.mul')
      constant(f, 1).get(y).op('f32x4.add', 'f32x4.mul')
    })
  })
}

/** min(max(x, lo), hi) */
export function clip(lo: number, hi: number): VectorFunction {
  return {
    key: `clip ${lo} ${hi}`,
    emit: (f, [x = 0]) => {
      f.get(x)
      if (lo !== Number.NEGATIVE_INFINITY) constant(f, lo).op('f32x4.max')
      if (hi !== Number.POSITIVE_INFINITY) constant(f, hi).op('f32x4.min')
    },
  }
}

/** x^b for a constant b. */
export function powerBy(exponent: number): VectorFunction {
  return {
    key: `power ${exponent}`,
    emit: (f, [x = 0]) => {
      f.get(x)
      if (exponent === 0.5) f.op('f32x4.sqrt')
      else if (Number.isInteger(exponent) && Math.abs(exponent) <= 64) emitIntegerPower(f, exponent)
      else emitRealPower(f, exponent)
    },
  }
}

function emitIntegerPower(f: FunctionBuilder, exponent: number): void {
  let square = keep(f)
  constant(f, 1)
  let result = keep(f)
  for (let rest = Math.abs(exponent); rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) {
      f.get(result).get(square).op('f32x4.mul')
      result = keep(f)
    }
    if (rest === 1) break
    f.get(square).get(square).op('f32x4.mul')
    square = keep(f)
  }
  if (exponent < 0) constant(f, 1).get(result).op('f32x4.div')
  else f.get(result)
}

function emitRealPower(f: FunctionBuilder, exponent: number): void {
  const x = keep(f)
  constant(f, exponent > 0 ? 0 : Number.POSITIVE_INFINITY)
  constant(f, exponent).get(x)
  emitLog(f)
  f.op('f32x4.mul')
  emitExp(f)
  f.get(x)
  constant(f, 0).op('f32x4.eq', 'v128.bitselect')
}

function binary(name: Opcode): VectorFunction {
  return { key: name, emit: (f, [a = 0, b = 0]) => void f.get(a).get(b).op(name) }
}

/** Elementwise functions of two inputs. */
export const binaryFunctions: Readonly<Record<string, VectorFunction>> = {
  Add: binary('f32x4.add'),
  Sub: binary('f32x4.sub'),
  Mul: binary('f32x4.mul'),
  Div: binary('f32x4.div'),
  Min: binary('f32x4.min'),
  Max: binary('f32x4.max'),
}
