// Pooling over channels-last images, a vector of channels at a time.
import { FunctionBuilder, type Local } from '@tacit/wasm'
import { emitLoops } from './loops.ts'

export type PoolKernel = {
  readonly kind: 'max-f32' | 'average-f32' | 'max-i16'
  /** [N, H, W] of the output. */
  readonly positions: readonly [number, number, number]
  readonly channels: number
  /** Byte steps per output position of input and output. */
  readonly inputSteps: readonly [number, number, number]
  readonly outputSteps: readonly [number, number, number]
  /** Byte offsets of the window's elements, in row-major order. */
  readonly taps: readonly number[]
  /** For averages: the one divisor, or undefined where a table of one per position is passed. */
  readonly divisor?: number
}

/** The function (x, y, divisors). */
export function buildPool(pool: PoolKernel): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'])
  const value = f.local('v128')
  const size = pool.kind === 'max-i16' ? 2 : 4
  const lanes = 16 / size
  const walkers = [
    { pointer: 0, steps: pool.inputSteps },
    { pointer: 1, steps: pool.outputSteps },
    ...(pool.kind === 'average-f32' && pool.divisor === undefined ? [{ pointer: 2, steps: [0, 4 * pool.positions[2], 4] }] : []),
  ]
  emitLoops(f, pool.positions, walkers, () => {
    const move = (elements: number): void => void f.advance(0, size * elements).advance(1, size * elements)
    f.repeat(Math.floor(pool.channels / lanes), () => {
      window(f, pool, { value, load: (offset) => void f.get(0).memory('v128.load', offset) })
      f.get(1).get(value).memory('v128.store')
      move(lanes)
    })
    f.repeat(pool.channels % lanes, () => {
      window(f, pool, { value, load: (offset) => void f.get(0).memory(size === 2 ? 'v128.load16_splat' : 'v128.load32_splat', offset) })
      f.get(1)
        .get(value)
        .memoryLane(size === 2 ? 'v128.store16_lane' : 'v128.store32_lane', 0)
      move(1)
    })
    move(-pool.channels)
  })
  return f
}

type Access = { readonly value: Local; load(offset: number): void }

function window(f: FunctionBuilder, pool: PoolKernel, { value, load }: Access): void {
  const [first = 0, ...rest] = pool.taps
  if (pool.kind === 'average-f32') f.v128(new Uint8Array(16))
  load(first)
  if (pool.kind === 'average-f32') f.op('f32x4.add')
  for (const tap of rest) {
    load(tap)
    f.op(pool.kind === 'max-f32' ? 'f32x4.max' : pool.kind === 'max-i16' ? 'i16x8.max_s' : 'f32x4.add')
  }
  if (pool.kind === 'average-f32') {
    if (pool.divisor === undefined) f.get(2).memory('v128.load32_splat')
    else f.f32(pool.divisor).op('f32x4.splat')
    f.op('f32x4.div')
  }
  f.set(value)
}
