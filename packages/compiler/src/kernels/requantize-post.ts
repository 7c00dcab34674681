// The q8 requantisation as a post-operation (docs/spec/q8.md, section 2): v = M acc + B + 2^(s-1) in int64, then the centred
// result clamp(floor(v / 2^s), lo - z, hi - z).
//
// WebAssembly has an arithmetic 64-bit shift but x64 before AVX-512 does not; since |v| <= 2^62 - 1, v + 2^62 is positive and a
// logical shift gives floor(v / 2^s) + 2^(62-s). Its low 32 bits, less 2^(62-s) mod 2^32, are the result wherever it fits int32.
import type { FunctionBuilder, Local } from '@tacit/wasm'
import { type PostOperation, splatI32 } from './post-operation.ts'

export type RequantizePlan = {
  readonly shift: number
  /** Bounds of the centred result. */
  readonly lo: number
  readonly hi: number
  /** Whether floor(v / 2^s) can leave int32 before it is clamped. */
  readonly wide: boolean
}

/** Bytes of multipliers and biases per 4 columns: four int32 and four int64, the latter in the order of extmul. */
export const requantizeVectorBytes = 48

export function requantizePost(plan: RequantizePlan): PostOperation {
  return {
    key: `requantize ${plan.shift} ${plan.lo} ${plan.hi} ${plan.wide}`,
    operand: 'column',
    vectorBytes: requantizeVectorBytes,
    emit: (f, { temporary, load }) => {
      f.set(temporary)
      for (const [part, multiply] of (['i64x2.extmul_low_i32x4_s', 'i64x2.extmul_high_i32x4_s'] as const).entries()) {
        f.get(temporary)
        load(0)
        f.op(multiply)
        load(1 + part)
        f.op('i64x2.add')
        if (plan.wide) emitWideClamp(f, plan)
        f.i32(plan.shift).op('i64x2.shr_u')
      }
      emitNarrow(f, plan)
    },
  }
}

/** Two vectors of (v + 2^62) >> s on the stack to one of clamped int32. */
export function emitNarrow(f: FunctionBuilder, plan: RequantizePlan): void {
  f.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27])
  const excess = Number(BigInt.asIntN(32, 1n << BigInt(62 - plan.shift)))
  if (excess !== 0) f.v128(splatI32(excess)).op('i32x4.sub')
  f.v128(splatI32(plan.lo)).op('i32x4.max_s').v128(splatI32(plan.hi)).op('i32x4.min_s')
}

/** v + 2^62 on the stack clamped to what shifts to lo..hi. */
export function emitWideClamp(f: FunctionBuilder, plan: RequantizePlan): void {
  const local: Local = f.local('v128')
  const offset = 1n << 62n
  const lowest = (BigInt(plan.lo) << BigInt(plan.shift)) + offset
  const highest = (BigInt(plan.hi) << BigInt(plan.shift)) + offset
  for (const [bound, compare] of [
    [lowest, 'i64x2.gt_s'],
    [highest, 'i64x2.lt_s'],
  ] as const) {
    const constant = new Uint8Array(BigInt64Array.of(bound, bound).buffer)
    f.tee(local).v128(constant).get(local).v128(constant).op(compare, 'v128.bitselect')
  }
}

/** The column operand: per 4 columns M, then B + 2^(s-1) + 2^62; columns past the end are zero. */
export function packRequantization(
  multipliers: ArrayLike<number>,
  biases: ArrayLike<bigint>,
  { columns, shift }: { readonly columns: number; readonly shift: number },
): Uint8Array {
  const groups = Math.ceil(columns / 4)
  const bytes = new Uint8Array(groups * requantizeVectorBytes)
  const view = new DataView(bytes.buffer)
  const offset = (1n << 62n) + (1n << BigInt(shift - 1))
  for (let column = 0; column < groups * 4; column++) {
    const source = multipliers.length === 1 ? 0 : column
    const at = Math.floor(column / 4) * requantizeVectorBytes
    const used = column < columns
    view.setInt32(at + 4 * (column % 4), used ? (multipliers[source] ?? 0) : 0, true)
    view.setBigInt64(at + 16 + 8 * (column % 4), (used ? (biases[source] ?? 0n) : 0n) + offset, true)
  }
  return bytes
}
