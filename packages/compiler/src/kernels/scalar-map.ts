// Elementwise kernels that are not float arithmetic: comparisons, logic, selection, casts, integer sums and products. One
// element at a time; these are masks and indices, never the bulk of a network.
import { FunctionBuilder, type Local, type Opcode } from '@tacit/wasm'
import type { Storage } from '../program/program.ts'
import { emitLoops, mergeAxes } from './loops.ts'

/** The WebAssembly type that holds an element of each storage while it is computed with. */
export type ScalarType = 'i32' | 'i64' | 'f32'

/** A function of scalars: pushes its result. */
export type ScalarFunction = { readonly key: string; readonly result: ScalarType; emit(f: FunctionBuilder, inputs: readonly Local[]): void }

export type ScalarMap = {
  readonly function: ScalarFunction
  readonly inputs: readonly Storage[]
  readonly output: Storage
  readonly shape: readonly number[]
  /** In elements: of each input, then of the output. */
  readonly strides: readonly (readonly number[])[]
}

/** How an element of each storage is computed with, loaded and stored, and its bytes. */
export const access: Readonly<Record<Storage, readonly [type: ScalarType, load: Opcode, store: Opcode, bytes: number]>> = {
  f32: ['f32', 'f32.load', 'f32.store', 4],
  i32: ['i32', 'i32.load', 'i32.store', 4],
  i64: ['i64', 'i64.load', 'i64.store', 8],
  u8: ['i32', 'i32.load8_u', 'i32.store8', 1],
  i8: ['i32', 'i32.load8_s', 'i32.store8', 1],
  i16: ['i32', 'i32.load16_s', 'i32.store16', 2],
}

export function scalarTypeOf(storage: Storage): ScalarType {
  return access[storage][0]
}

export function scalarMapKey(map: ScalarMap): string {
  return `scalar ${map.function.key} ${map.inputs} ${map.output} ${JSON.stringify(mergeAxes(map.shape, map.strides))}`
}

/** The function (...inputs, output). */
export function buildScalarMap(map: ScalarMap): FunctionBuilder {
  const merged = mergeAxes(map.shape, map.strides)
  const storages = [...map.inputs, map.output]
  const f = new FunctionBuilder(storages.map(() => 'i32' as const))
  const values = map.inputs.map((storage) => f.local(scalarTypeOf(storage)))
  const output = map.inputs.length
  const walkers = merged.strides.map((steps, pointer) => ({
    pointer,
    steps: steps.map((step) => step * access[storages[pointer] ?? 'f32'][3]),
  }))
  emitLoops(f, merged.shape, walkers, () => {
    for (const [i, storage] of map.inputs.entries())
      f.get(i)
        .memory(access[storage][1])
        .set(values[i] ?? 0)
    f.get(output)
    map.function.emit(f, values)
    f.memory(access[map.output][2])
  })
  return f
}

const comparisons: Readonly<Record<string, readonly [float: Opcode, integer: Opcode, wide: Opcode]>> = {
  Equal: ['f32.eq', 'i32.eq', 'i64.eq'],
  Less: ['f32.lt', 'i32.lt_s', 'i64.lt_s'],
  LessOrEqual: ['f32.le', 'i32.le_s', 'i64.le_s'],
  Greater: ['f32.gt', 'i32.gt_s', 'i64.gt_s'],
  GreaterOrEqual: ['f32.ge', 'i32.ge_s', 'i64.ge_s'],
}
const arithmetic: Readonly<Record<string, readonly [integer: Opcode, wide: Opcode]>> = {
  Add: ['i32.add', 'i64.add'],
  Sub: ['i32.sub', 'i64.sub'],
  Mul: ['i32.mul', 'i64.mul'],
}
const bitwise: Readonly<Record<string, readonly [integer: Opcode, wide: Opcode]>> = {
  BitwiseAnd: ['i32.and', 'i64.and'],
  BitwiseOr: ['i32.or', 'i64.or'],
  BitwiseXor: ['i32.xor', 'i64.xor'],
}
const logic: Readonly<Record<string, Opcode>> = { And: 'i32.and', Or: 'i32.or', Xor: 'i32.xor' }

/** The function of an operator on two scalars of one type, or undefined. */
export function binaryScalar(operator: string, type: ScalarType): ScalarFunction | undefined {
  const comparison = comparisons[operator]
  if (comparison !== undefined) {
    const opcode = comparison[type === 'f32' ? 0 : type === 'i32' ? 1 : 2]
    return { key: opcode, result: 'i32', emit: (f, [a = 0, b = 0]) => void f.get(a).get(b).op(opcode) }
  }
  const logical = logic[operator]
  if (logical !== undefined && type === 'i32') {
    const emit: ScalarFunction['emit'] = (f, [a = 0, b = 0]) => {
      for (const value of [a, b]) f.get(value).i32(0).op('i32.ne')
      f.op(logical)
    }
    return { key: `bool ${operator}`, result: 'i32', emit }
  }
  if (type === 'f32') return undefined
  const opcode = arithmetic[operator]?.[type === 'i32' ? 0 : 1]
  if (opcode !== undefined) return { key: opcode, result: type, emit: (f, [a = 0, b = 0]) => void f.get(a).get(b).op(opcode) }
  const bits = bitwise[operator]?.[type === 'i32' ? 0 : 1]
  if (bits !== undefined) return { key: bits, result: type, emit: (f, [a = 0, b = 0]) => void f.get(a).get(b).op(bits) }
  if (operator === 'Div') return { key: `div ${type}`, result: type, emit: (f, [a = 0, b = 0]) => emitQuotient(f, type, [a, b]) }
  if (operator === 'ShiftLeft' || operator === 'ShiftRight') return shifting(operator, type)
  if (operator !== 'Min' && operator !== 'Max') return undefined
  const order: Opcode = operator === 'Min' ? `${type}.lt_s` : `${type}.gt_s`
  return { key: `${operator} ${type}`, result: type, emit: (f, [a = 0, b = 0]) => void f.get(a).get(b).get(a).get(b).op(order, 'select') }
}

function integer(f: FunctionBuilder, type: 'i32' | 'i64', value: number): void {
  if (type === 'i32') f.i32(value)
  else f.i64(BigInt(value))
}

/**
 * Quotient of two numbers, rounded towards zero; by 0 it is 0, and the smallest number by -1 wraps. Division instructions can trap and
 * are not allowed in modules, so this is the long division of the magnitudes, one bit at a time.
 */
export function emitQuotient(f: FunctionBuilder, type: 'i32' | 'i64', [a, b]: readonly [Local, Local]): void {
  const width = type === 'i32' ? 32 : 64
  const [dividend, divisor, rest, quotient, sign] = [f.local(type), f.local(type), f.local(type), f.local(type), f.local(type)]
  const fits = f.local('i32')
  // |x| = (x ^ s) - s with s = x >> (width - 1).
  const magnitude = (x: Local, to: Local): void => {
    f.get(x)
    integer(f, type, width - 1)
    f.op(`${type}.shr_s`).set(sign).get(x).get(sign).op(`${type}.xor`).get(sign).op(`${type}.sub`).set(to)
  }
  magnitude(a, dividend)
  magnitude(b, divisor)
  for (const local of [rest, quotient]) {
    integer(f, type, 0)
    f.set(local)
  }
  f.repeat(width, () => {
    // rest = 2 rest + the next bit of the dividend.
    f.get(rest)
    integer(f, type, 1)
    f.op(`${type}.shl`).get(dividend)
    integer(f, type, width - 1)
    f.op(`${type}.shr_u`, `${type}.or`).set(rest)
    f.get(dividend)
    integer(f, type, 1)
    f.op(`${type}.shl`).set(dividend)
    f.get(rest).get(divisor).op(`${type}.ge_u`).set(fits)
    f.get(rest).get(divisor).op(`${type}.sub`).get(rest).get(fits).op('select').set(rest)
    f.get(quotient)
    integer(f, type, 1)
    f.op(`${type}.shl`).get(fits)
    if (type === 'i64') f.op('i64.extend_i32_u')
    f.op(`${type}.or`).set(quotient)
  })
  // The sign of a b, then 0 where b is 0.
  f.get(a).get(b).op(`${type}.xor`)
  integer(f, type, width - 1)
  f.op(`${type}.shr_s`).set(sign)
  f.get(quotient).get(sign).op(`${type}.xor`).get(sign).op(`${type}.sub`)
  integer(f, type, 0)
  f.get(b)
  integer(f, type, 0)
  f.op(`${type}.ne`, 'select')
}

// Counts below 0 and from the width of the type on move every bit out; narrower types are cut when they are stored.
function shifting(operator: 'ShiftLeft' | 'ShiftRight', type: 'i32' | 'i64'): ScalarFunction {
  return {
    key: `${operator} ${type}`,
    result: type,
    emit: (f, [a = 0, b = 0]) => {
      const width = type === 'i32' ? 32 : 64
      f.get(a)
        .get(b)
        .op(operator === 'ShiftLeft' ? `${type}.shl` : `${type}.shr_s`)
      if (operator === 'ShiftLeft') integer(f, type, 0)
      else {
        f.get(a)
        integer(f, type, width - 1)
        f.op(`${type}.shr_s`)
      }
      f.get(b)
      integer(f, type, width)
      f.op(`${type}.lt_u`, 'select')
    },
  }
}

/** condition ? then : otherwise */
export function selectScalar(type: ScalarType): ScalarFunction {
  return {
    key: `where ${type}`,
    result: type,
    emit: (f, [condition = 0, then = 0, otherwise = 0]) => void f.get(then).get(otherwise).get(condition).op('select'),
  }
}

export const notScalar: ScalarFunction = { key: 'not', result: 'i32', emit: (f, [x = 0]) => void f.get(x).op('i32.eqz') }

/** A cast between storages; `isBool` of the target makes it a test for not being zero. */
export function castScalar(from: Storage, to: Storage, isBool: boolean): ScalarFunction {
  const [source, target] = [scalarTypeOf(from), scalarTypeOf(to)]
  return {
    key: `cast ${from} ${to} ${isBool}`,
    result: target,
    emit: (f, [x = 0]) => {
      f.get(x)
      if (isBool) emitNotZero(f, source)
      else if (source === 'f32') emitFromFloat(f, to, x)
      else emitFromInteger(f, source, target)
    },
  }
}

function emitNotZero(f: FunctionBuilder, source: ScalarType): void {
  if (source === 'f32') f.f32(0).op('f32.ne')
  else if (source === 'i64') f.i64(0n).op('i64.ne')
  else f.i32(0).op('i32.ne')
}

// Truncates and saturates; NaN gives 0. Bytes saturate at their own bounds.
function emitFromFloat(f: FunctionBuilder, to: Storage, x: Local): void {
  if (to === 'i64') f.op('i64.trunc_sat_f32_s')
  else if (to === 'i32') f.op('i32.trunc_sat_f32_s')
  else if (to === 'u8' || to === 'i8') {
    const [low, high] = to === 'u8' ? [0, 255] : [-128, 127]
    const whole = f.local('i32')
    f.op('i32.trunc_sat_f32_s').set(whole)
    f.get(whole).i32(low).get(whole).i32(low).op('i32.gt_s', 'select').set(whole)
    f.get(whole).i32(high).get(whole).i32(high).op('i32.lt_s', 'select')
  } else f.op('drop').get(x)
}

function emitFromInteger(f: FunctionBuilder, source: ScalarType, target: ScalarType): void {
  if (source === target) return
  if (target === 'f32') f.op(source === 'i64' ? 'f32.convert_i64_s' : 'f32.convert_i32_s')
  else f.op(target === 'i64' ? 'i64.extend_i32_s' : 'i32.wrap_i64')
}
