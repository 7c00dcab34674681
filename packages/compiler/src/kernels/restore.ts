// Copies a view whose units were permuted into logical order, through a masked table of byte offsets.
import { FunctionBuilder } from '@tacit/wasm'
import { type CopyConversion, emitElement } from './copy.ts'
import { maskIncrement, maskMultiplier } from './gemm.ts'
import { emitLoops } from './loops.ts'

/** Axes before the permuted one, the axis itself, axes after it; strides in bytes. */
export type RestoreKernel = {
  readonly conversion: CopyConversion
  readonly shape: readonly number[]
  readonly axis: number
  readonly from: readonly number[]
  readonly to: readonly number[]
  readonly firstMask: number
}

/** The function (from, to, table). */
export function buildRestore({ conversion, shape, axis, from, to, firstMask }: RestoreKernel): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'])
  const [base, entry, mask] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const temporary = f.local('v128')
  const walk = (first: number, last?: number) => [
    { pointer: 0, steps: from.slice(first, last) },
    { pointer: 1, steps: to.slice(first, last) },
  ]
  const units = shape[axis] ?? 1
  emitLoops(f, shape.slice(0, axis), walk(0, axis), () => {
    f.get(0).set(base).get(2).set(entry).i32(firstMask).set(mask)
    f.repeat(units, () => {
      f.get(entry).memory('i32.load').get(mask).op('i32.xor').get(base).op('i32.add').set(0)
      f.get(mask).i32(maskMultiplier).op('i32.mul').i32(maskIncrement).op('i32.add').set(mask)
      f.advance(entry, 4)
      emitLoops(f, shape.slice(axis + 1), walk(axis + 1), () => emitElement(f, conversion, { from: 0, to: 0, temporary }))
      f.advance(1, to[axis] ?? 0)
    })
    f.advance(1, -units * (to[axis] ?? 0))
    f.get(base).set(0)
  })
  return f
}
