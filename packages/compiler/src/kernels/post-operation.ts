import type { FunctionBuilder, Local } from '@tacit/wasm'

/**
 * Something done to each vector of results before it is stored. The value is on the stack before and after.
 * `column` operands have one vector per 4 columns, `scalar` ones a single element, `full` ones an element per result, in the
 * layout of the result (their pointer is given as the distance from the result).
 */
export type PostOperation = {
  readonly key: string
  readonly operand: 'none' | 'column' | 'scalar' | 'full'
  /** Bytes of a column operand per 4 columns; 16 unless said. */
  readonly vectorBytes?: number
  emit(f: FunctionBuilder, access: { readonly temporary: Local; load(part?: number): void }): void
}

/** The value of an IEEE or integer operation with an operand. */
export function binaryPost(opcode: 'f32x4.add' | 'f32x4.mul' | 'i32x4.add', operand: 'column' | 'scalar' | 'full'): PostOperation {
  return {
    key: opcode,
    operand,
    emit: (f, { load }) => {
      load()
      f.op(opcode)
    },
  }
}

/**
 * max(x, +0) of a value that is not -0. Sums from +0 never are, so the single instruction `pmax` does, which keeps a NaN
 * in its first operand.
 */
export const reluOfSum: PostOperation = {
  key: 'relu-of-sum',
  operand: 'none',
  emit: (f) => void f.v128(new Uint8Array(16)).op('f32x4.pmax'),
}

/** int32 to float32, rounded to nearest even. */
export const toFloat: PostOperation = { key: 'to-float', operand: 'none', emit: (f) => void f.op('f32x4.convert_i32x4_s') }

/** float32 times a constant. */
export function scaleBy(factor: number): PostOperation {
  return { key: `scale ${factor}`, operand: 'none', emit: (f) => void f.v128(splatF32(factor)).op('f32x4.mul') }
}

/** 1.5 * 2^23: adding it to |x| < 2^22 leaves nearest-even(x) in the low bits. */
export const roundingMagic = 12582912

/**
 * A float to the centred integer clamp(nearest(x), lo, hi), lo and hi within int16. Clamping first does not change the
 * result, since the bounds are integers; NaN becomes 0 as the specification asks.
 */
export function roundToCentred(lo: number, hi: number): PostOperation {
  return {
    key: `round ${lo} ${hi}`,
    operand: 'none',
    emit: (f, { temporary }) => emitRoundToCentred(f, { lo, hi, temporary }),
  }
}

/** The same on the value on the stack of any function. */
export function emitRoundToCentred(f: FunctionBuilder, { lo, hi, temporary }: { lo: number; hi: number; temporary: Local }): void {
  // NaN: x == x is false, so the mask clears it to +0.
  f.tee(temporary).get(temporary).get(temporary).op('f32x4.eq', 'v128.and')
  f.v128(splatF32(lo)).op('f32x4.pmax').v128(splatF32(hi)).op('f32x4.pmin')
  f.v128(splatF32(roundingMagic)).op('f32x4.add').v128(splatF32(roundingMagic)).op('i32x4.sub')
}

/** 16 bytes of four equal float32. */
export function splatF32(value: number): Uint8Array {
  return new Uint8Array(Float32Array.of(value, value, value, value).buffer)
}

/** 16 bytes of four equal int32. */
export function splatI32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value, value, value, value).buffer)
}
