import { InvalidGraphError } from '../errors.ts'
import { elu, erf, exp, gelu, geluTanh, hardSigmoid, hardSwish, log, nearest, pow, sigmoid, softplus, tanh } from '../f32/functions.ts'
import type { BinaryOperator, Operation, UnaryOperator } from '../graph.ts'
import { allocate, type ElementType, elementCount, getNumber, setElement, type Tensor, type TensorType } from '../tensor.ts'
import { broadcastIndices, gatherElements, numberData } from './arrays.ts'

const f32 = Math.fround

const floatUnary: Readonly<Record<Exclude<UnaryOperator, 'Not'>, (x: number) => number>> = {
  Abs: Math.abs,
  Neg: (x) => -x,
  Sign: Math.sign,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Round: nearest,
  Reciprocal: (x) => f32(1 / x),
  Sqrt: (x) => f32(Math.sqrt(x)),
  Exp: exp,
  Log: log,
  Erf: erf,
  Relu: (x) => Math.max(x, 0),
  Sigmoid: sigmoid,
  Tanh: tanh,
  HardSwish: hardSwish,
  Softplus: softplus,
}

const bigintUnary: Readonly<Partial<Record<UnaryOperator, (x: bigint) => bigint>>> = {
  Abs: (x) => (x < 0n ? -x : x),
  Neg: (x) => -x,
  Sign: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
  Relu: (x) => (x > 0n ? x : 0n),
}

/** Operators of one input and no parameter. Integers take Abs, Neg, Sign and Relu only. */
export function unary(operator: UnaryOperator, x: Tensor, type: TensorType): Tensor {
  const data = allocate(type.elementType, x.data.length)
  if (operator === 'Not') {
    for (let i = 0; i < data.length; i++) data[i] = getNumber(x.data, i) === 0 ? 1 : 0
  } else if (x.data instanceof BigInt64Array || x.data instanceof BigUint64Array) {
    const apply = bigintUnary[operator] ?? unsupported(operator, x.elementType)
    for (let i = 0; i < data.length; i++) setElement(data, i, apply(x.data[i] ?? 0n))
  } else {
    if (x.elementType !== 'float32' && bigintUnary[operator] === undefined) unsupported(operator, x.elementType)
    const apply = floatUnary[operator]
    for (let i = 0; i < data.length; i++) data[i] = apply(x.data[i] ?? 0)
  }
  return { ...type, data }
}

type Activation = Extract<Operation, { operator: 'LeakyRelu' | 'Elu' | 'HardSigmoid' | 'Gelu' | 'Clip' }>

/** Operators of one float input and constant parameters (Clip takes integers too). */
export function activation(operation: Activation, x: Tensor, type: TensorType): Tensor {
  const apply = activationFunction(operation)
  const data = allocate(type.elementType, x.data.length)
  for (let i = 0; i < data.length; i++) setElement(data, i, apply(getNumber(x.data, i)))
  return { ...type, data }
}

function activationFunction(operation: Activation): (x: number) => number {
  switch (operation.operator) {
    case 'LeakyRelu': {
      const alpha = f32(operation.alpha)
      return (x) => (x < 0 ? f32(alpha * x) : x)
    }
    case 'Elu': {
      const alpha = f32(operation.alpha)
      return (x) => elu(x, alpha)
    }
    case 'HardSigmoid': {
      const [alpha, beta] = [f32(operation.alpha), f32(operation.beta)]
      return (x) => hardSigmoid(x, alpha, beta)
    }
    case 'Gelu':
      return operation.approximate === 'tanh' ? geluTanh : gelu
    case 'Clip':
      return (x) => Math.min(Math.max(x, operation.min), operation.max)
  }
}

const floatBinary: Readonly<Partial<Record<BinaryOperator, (a: number, b: number) => number>>> = {
  Add: (a, b) => f32(a + b),
  Sub: (a, b) => f32(a - b),
  Mul: (a, b) => f32(a * b),
  Div: (a, b) => f32(a / b),
  Pow: pow,
  Min: Math.min,
  Max: Math.max,
}

/** On integers of any width; storage wraps the result. */
const integerBinary: Readonly<Partial<Record<BinaryOperator, (a: bigint, b: bigint) => bigint>>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => (b === 0n ? 0n : a / b),
  Pow: (a, b) => (b < 0n ? 0n : BigInt.asIntN(64, b > 4096n ? 0n : a ** b)),
  Min: (a, b) => (a < b ? a : b),
  Max: (a, b) => (a > b ? a : b),
  BitwiseAnd: (a, b) => a & b,
  BitwiseOr: (a, b) => a | b,
  BitwiseXor: (a, b) => a ^ b,
  // A shift by a negative count, or by the width and more, moves every bit out.
  ShiftLeft: (a, b) => (b < 0n || b > 63n ? 0n : a << b),
  ShiftRight: (a, b) => (b < 0n || b > 63n ? (a < 0n ? -1n : 0n) : a >> b),
}

const comparisons: Readonly<Partial<Record<BinaryOperator, (a: number | bigint, b: number | bigint) => boolean>>> = {
  Equal: (a, b) => a === b,
  Less: (a, b) => a < b,
  LessOrEqual: (a, b) => a <= b,
  Greater: (a, b) => a > b,
  GreaterOrEqual: (a, b) => a >= b,
  And: (a, b) => Boolean(a) && Boolean(b),
  Or: (a, b) => Boolean(a) || Boolean(b),
  Xor: (a, b) => Boolean(a) !== Boolean(b),
}

/** Operators of two broadcast inputs. */
export function binary(operator: BinaryOperator, a: Tensor, b: Tensor, type: TensorType): Tensor {
  const indexA = broadcastIndices(type.shape, a.shape)
  const indexB = broadcastIndices(type.shape, b.shape)
  const data = allocate(type.elementType, indexA.length)
  const compare = comparisons[operator]
  if (compare !== undefined) {
    for (let i = 0; i < data.length; i++) data[i] = compare(a.data[indexA[i] ?? 0] ?? 0, b.data[indexB[i] ?? 0] ?? 0) ? 1 : 0
  } else if (a.elementType === 'float32') {
    const apply = floatBinary[operator] ?? unsupported(operator, a.elementType)
    const [x, y] = [numberData(a), b.elementType === 'float32' ? numberData(b) : Float64Array.from(b.data, Number)]
    for (let i = 0; i < data.length; i++) data[i] = apply(x[indexA[i] ?? 0] ?? 0, y[indexB[i] ?? 0] ?? 0)
  } else {
    const apply = integerBinary[operator] ?? unsupported(operator, a.elementType)
    if (a.elementType === 'float64') unsupported(operator, a.elementType)
    for (let i = 0; i < data.length; i++)
      setInteger(data, type.elementType, i, apply(BigInt(a.data[indexA[i] ?? 0] ?? 0), BigInt(b.data[indexB[i] ?? 0] ?? 0)))
  }
  return { ...type, data }
}

function setInteger(data: Tensor['data'], elementType: ElementType, index: number, value: bigint): void {
  if (elementType === 'int64' || elementType === 'uint64') setElement(data, index, value)
  else setElement(data, index, Number(BigInt.asIntN(32, value)))
}

/** condition ? then : otherwise, broadcast. */
export function where(condition: Tensor, then: Tensor, otherwise: Tensor, type: TensorType): Tensor {
  const data = allocate(type.elementType, elementCount(type.shape))
  const chosen = broadcastIndices(type.shape, condition.shape)
  const fromThen = broadcastIndices(type.shape, then.shape)
  const fromOtherwise = broadcastIndices(type.shape, otherwise.shape)
  for (let i = 0; i < chosen.length; i++) {
    if (getNumber(condition.data, chosen[i] ?? 0) !== 0) fromOtherwise[i] = -1
    else fromThen[i] = -1
  }
  gatherElements(data, then.data, fromThen)
  gatherElements(data, otherwise.data, fromOtherwise)
  return { ...type, data }
}

const integerRanges: Readonly<Partial<Record<ElementType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
}

/** Conversion between element types (docs/spec/f32.md, Integers, comparisons, casts). */
export function cast(x: Tensor, type: TensorType): Tensor {
  const data = allocate(type.elementType, x.data.length)
  const fromFloat = x.elementType === 'float32' || x.elementType === 'float64'
  for (let i = 0; i < data.length; i++) {
    const value = x.data[i] ?? 0
    if (type.elementType === 'bool') data[i] = Number(value) !== 0 ? 1 : 0
    else if (fromFloat) setElement(data, i, floatTo(Number(value), type.elementType))
    else if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(value)
    else if (data instanceof Float32Array || data instanceof Float64Array) data[i] = Number(value)
    else data[i] = typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value
  }
  return { ...type, data }
}

function floatTo(value: number, elementType: ElementType): number | bigint {
  if (elementType === 'float32' || elementType === 'float64') return value
  const whole = Number.isNaN(value) ? 0 : Math.trunc(value)
  if (elementType === 'int64') return clampBigInt(whole, -(2n ** 63n), 2n ** 63n - 1n)
  if (elementType === 'uint64') return clampBigInt(whole, 0n, 2n ** 64n - 1n)
  const [low, high] = integerRanges[elementType] ?? [0, 1]
  return Math.min(Math.max(whole, low), high)
}

function clampBigInt(value: number, low: bigint, high: bigint): bigint {
  if (value <= Number(low)) return low
  return value >= Number(high) ? high : BigInt(value)
}

function unsupported(operator: string, elementType: ElementType): never {
  throw new InvalidGraphError(`an operator ${operator}`, `it does not take ${elementType}`)
}
