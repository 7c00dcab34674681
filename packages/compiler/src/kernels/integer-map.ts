// Elementwise kernels over centred int16, four at a time: load, widen to int32, compute, narrow, store.
import { FunctionBuilder } from '@tacit/wasm'
import { splatI32 } from './post-operation.ts'
import { emitNarrow, emitWideClamp, type RequantizePlan } from './requantize-post.ts'

/** One requantised term per operand: v = sum of M_i * (x_i or x_i^2), plus B. */
export type IntegerMap = {
  readonly size: number
  readonly multipliers: readonly number[]
  readonly squared: boolean
  /** B + 2^(s-1). */
  readonly bias: bigint
  readonly plan: RequantizePlan
}

/** The function (...operands, y) over consecutive elements. */
export function buildIntegerMap(map: IntegerMap): FunctionBuilder {
  const count = map.multipliers.length
  const f = new FunctionBuilder(Array.from({ length: count + 1 }, () => 'i32' as const))
  const values = f.locals('v128', count)
  const result = f.local('v128')
  const offset = (1n << 62n) + map.bias
  const biases = new Uint8Array(BigInt64Array.of(offset, offset).buffer)
  const compute = (load: (operand: number) => void): void => {
    for (const [operand, value] of values.entries()) {
      load(operand)
      f.op('i32x4.extend_low_i16x8_s').set(value)
      if (map.squared) f.get(value).get(value).op('i32x4.mul').set(value)
    }
    for (const multiply of ['i64x2.extmul_low_i32x4_s', 'i64x2.extmul_high_i32x4_s'] as const) {
      f.v128(biases)
      for (const [operand, value] of values.entries()) {
        f.get(value)
          .v128(splatI32(map.multipliers[operand] ?? 0))
          .op(multiply, 'i64x2.add')
      }
      if (map.plan.wide) emitWideClamp(f, map.plan)
      f.i32(map.plan.shift).op('i64x2.shr_u')
    }
    emitNarrow(f, map.plan)
    f.set(result).get(result).get(result).op('i16x8.narrow_i32x4_s').set(result)
  }
  const move = (elements: number): void => {
    for (let pointer = 0; pointer <= count; pointer++) f.advance(pointer, 2 * elements)
  }
  f.repeat(Math.floor(map.size / 4), () => {
    compute((operand) => void f.get(operand).memory('v128.load64_zero'))
    f.get(count).get(result).memoryLane('v128.store64_lane', 0)
    move(4)
  })
  f.repeat(map.size % 4, () => {
    compute((operand) => void f.get(operand).memory('v128.load16_splat'))
    f.get(count).get(result).memoryLane('v128.store16_lane', 0)
    move(1)
  })
  return f
}
