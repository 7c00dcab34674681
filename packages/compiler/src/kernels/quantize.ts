// Float to centred int16 (x - zero point) and back.
import { FunctionBuilder, type Local } from '@tacit/wasm'
import { emitRoundToCentred, roundingMagic, splatF32 } from './post-operation.ts'

/**
 * The function (x, y, parameters) of DynamicQuantizeLinear over `size` consecutive floats: writes the centred int16 values,
 * the scale (float32) at parameters and the zero point (int32) at parameters + 4.
 *
 * hi = max(0, max x), lo = min(0, min x), scale = (hi - lo) / 255 or 1, z = clamp(nearest(-lo / scale)).
 */
export function buildDynamicQuantize(size: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'])
  const hi = f.local('v128')
  const lo = f.local('v128')
  const scale = f.local('f32')
  f.v128(new Uint8Array(16)).set(hi).v128(new Uint8Array(16)).set(lo)
  emitRange(f, { size, hi, lo })
  const highest = f.local('f32')
  const lowest = f.local('f32')
  emitFold(f, hi, 'f32.max')
  f.set(highest)
  emitFold(f, lo, 'f32.min')
  f.set(lowest)
  f.get(highest).get(lowest).op('f32.sub').f32(255).op('f32.div').set(scale)
  // (hi - lo) / 255 where that is not 0, else 1.
  f.get(scale).f32(1).get(scale).f32(0).op('f32.ne', 'select').set(scale)
  const zeroPoint = f.local('i32')
  f.get(lowest).op('f32.neg').get(scale).op('f32.div', 'f32.nearest').f32(0).op('f32.max').f32(255).op('f32.min', 'i32.trunc_sat_f32_s')
  f.set(zeroPoint)
  f.get(2).get(scale).memory('f32.store').get(2).get(zeroPoint).memory('i32.store', 4)
  emitQuantize(f, { size, scale, zeroPoint })
  return f
}

function emitRange(f: FunctionBuilder, { size, hi, lo }: { size: number; hi: Local; lo: Local }): void {
  const x = f.local('v128')
  const second = f.locals('v128', 2)
  const [hi2 = 0, lo2 = 0] = second
  for (const local of second) f.v128(new Uint8Array(16)).set(local)
  const extend = (high: Local, low: Local): void => {
    f.tee(x).get(high).op('f32x4.pmax').set(high).get(x).get(low).op('f32x4.pmin').set(low)
  }
  const pointer = f.local('i32')
  f.get(0).set(pointer)
  f.repeat(Math.floor(size / 8), () => {
    f.get(pointer).memory('v128.load')
    extend(hi, lo)
    f.get(pointer).memory('v128.load', 16)
    extend(hi2, lo2)
    f.advance(pointer, 32)
  })
  f.repeat(size % 8, () => {
    f.get(pointer).memory('v128.load32_splat')
    extend(hi, lo)
    f.advance(pointer, 4)
  })
  f.get(hi).get(hi2).op('f32x4.max').set(hi).get(lo).get(lo2).op('f32x4.min').set(lo)
}

function emitFold(f: FunctionBuilder, vector: Local, opcode: 'f32.max' | 'f32.min'): void {
  for (let lane = 0; lane < 4; lane++) f.get(vector).lane('f32x4.extract_lane', lane)
  f.op(opcode, opcode, opcode)
}

// |x / scale| <= 255 here, so only the zero point's end of the range can be passed.
function emitQuantize(f: FunctionBuilder, { size, scale, zeroPoint }: { size: number; scale: Local; zeroPoint: Local }): void {
  const divisor = f.local('v128')
  const low = f.local('v128')
  const high = f.local('v128')
  const temporary = f.local('v128')
  f.get(scale).op('f32x4.splat').set(divisor)
  f.i32(0).get(zeroPoint).op('i32.sub', 'f32.convert_i32_s', 'f32x4.splat').set(low)
  f.i32(255).get(zeroPoint).op('i32.sub', 'f32.convert_i32_s', 'f32x4.splat').set(high)
  const convert = (load: () => void): void => {
    load()
    f.get(divisor).op('f32x4.div').tee(temporary).get(temporary).get(temporary).op('f32x4.eq', 'v128.and')
    f.get(low).op('f32x4.pmax').get(high).op('f32x4.pmin')
    f.hoisted(splatF32(roundingMagic)).op('f32x4.add').hoisted(splatF32(roundingMagic)).op('i32x4.sub')
  }
  f.repeat(Math.floor(size / 8), () => {
    f.get(1)
    convert(() => void f.get(0).memory('v128.load'))
    convert(() => void f.get(0).memory('v128.load', 16))
    f.op('i16x8.narrow_i32x4_s').memory('v128.store').advance(0, 32).advance(1, 16)
  })
  f.repeat(size % 8, () => {
    f.get(1)
    convert(() => void f.get(0).memory('v128.load32_splat'))
    f.tee(temporary).get(temporary).op('i16x8.narrow_i32x4_s').memoryLane('v128.store16_lane', 0).advance(0, 4).advance(1, 2)
  })
}

/** How QuantizeLinear with constant parameters maps a float: divisor, then rounding within bounds around the zero point. */
export type QuantizeConstant = { readonly scale: number; readonly lo: number; readonly hi: number }

/** The function (x, y) over `size` consecutive floats: y = clamp(nearest(x / scale), lo, hi) as int16. */
export function buildQuantize({ scale, lo, hi }: QuantizeConstant, size: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'])
  const temporary = f.local('v128')
  const convert = (load: () => void): void => {
    load()
    f.hoisted(splatF32(scale)).op('f32x4.div')
    emitRoundToCentred(f, { lo, hi, temporary })
  }
  f.repeat(Math.floor(size / 8), () => {
    f.get(1)
    convert(() => void f.get(0).memory('v128.load'))
    convert(() => void f.get(0).memory('v128.load', 16))
    f.op('i16x8.narrow_i32x4_s').memory('v128.store').advance(0, 32).advance(1, 16)
  })
  f.repeat(size % 8, () => {
    f.get(1)
    convert(() => void f.get(0).memory('v128.load32_splat'))
    f.tee(temporary).get(temporary).op('i16x8.narrow_i32x4_s').memoryLane('v128.store16_lane', 0).advance(0, 4).advance(1, 2)
  })
  return f
}

/** The function (x, y) over `size` consecutive centred int16: y = x * scale as float32. */
export function buildDequantize(scale: number, size: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'])
  f.repeat(Math.floor(size / 4), () => {
    f.get(1).get(0).memory('v128.load16x4_s').op('f32x4.convert_i32x4_s').hoisted(splatF32(scale)).op('f32x4.mul').memory('v128.store')
    f.advance(0, 8).advance(1, 16)
  })
  f.repeat(size % 4, () => {
    f.get(1).get(0).memory('i32.load16_s').op('f32.convert_i32_s').f32(scale).op('f32.mul').memory('f32.store').advance(0, 2).advance(1, 4)
  })
  return f
}
