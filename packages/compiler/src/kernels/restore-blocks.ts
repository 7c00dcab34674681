// Copies an image whose channels were permuted in blocks of four into logical order, a vector at a time, through a masked table of
// byte offsets.
import { FunctionBuilder } from '@tacit/wasm'
import { maskIncrement, maskMultiplier } from './gemm.ts'
import { emitLoops } from './loops.ts'

/** Positions of the image, byte steps per position of either side, and how many blocks a pixel has. */
export type RestoreBlocks = {
  readonly positions: readonly number[]
  readonly from: readonly number[]
  readonly to: readonly number[]
  readonly blocks: number
  readonly firstMask: number
}

/** The function (from, to, table). */
export function buildRestoreBlocks({ positions, from, to, blocks, firstMask }: RestoreBlocks): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'])
  const [entry, mask] = [f.local('i32'), f.local('i32')]
  const walkers = [
    { pointer: 0, steps: from },
    { pointer: 1, steps: to },
  ]
  emitLoops(f, positions, walkers, () => {
    f.get(2).set(entry).i32(firstMask).set(mask)
    f.repeat(blocks, () => {
      f.get(1).get(entry).memory('i32.load').get(mask).op('i32.xor').get(0).op('i32.add').memory('v128.load').memory('v128.store')
      f.get(mask).i32(maskMultiplier).op('i32.mul').i32(maskIncrement).op('i32.add').set(mask)
      f.advance(entry, 4).advance(1, 16)
    })
    f.advance(1, -16 * blocks)
  })
  return f
}
