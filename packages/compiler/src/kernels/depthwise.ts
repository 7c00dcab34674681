// Convolutions with a filter per channel over channels-last images: a vector of channels at a time, along a row of positions. One
// accumulator per output, from +0, kernel positions in row-major order: the order that docs/spec/f32.md defines.
import { FunctionBuilder, type Local } from '@tacit/wasm'
import { emitLoops } from './loops.ts'
import type { PostOperation } from './post-operation.ts'

export type DepthwiseKernel = {
  /** [N, H, W] of the output. */
  readonly positions: readonly [number, number, number]
  readonly channels: number
  /** Byte steps per output position of input and output. */
  readonly inputSteps: readonly [number, number, number]
  readonly outputSteps: readonly [number, number, number]
  /** Byte offsets of the window's elements, in row-major order. */
  readonly taps: readonly number[]
  /** Bytes from the weights of one tap to those of the next; the operand of a `column` operation follows the last. */
  readonly tapBytes: number
  readonly post: readonly PostOperation[]
}

/** So many taps and the sum stay in registers. */
const mostKept = 10

/** The function (x, y, weights). */
export function buildDepthwise(kernel: DepthwiseKernel): FunctionBuilder {
  const { positions, channels, inputSteps, outputSteps } = kernel
  const f = new FunctionBuilder(['i32', 'i32', 'i32'])
  const values = {
    sum: f.local('v128'),
    temporary: f.local('v128'),
    weights: f.locals('v128', kernel.taps.length <= mostKept ? kernel.taps.length : 0),
  }
  const [n, h, w] = positions
  const walkers = (from: number, to: number) => [
    { pointer: 0, steps: inputSteps.slice(from, to) },
    { pointer: 1, steps: outputSteps.slice(from, to) },
  ]
  const row = (lanes: 4 | 1): void => {
    for (const [tap, local] of values.weights.entries())
      f.get(2)
        .memory(loads[lanes], tap * kernel.tapBytes)
        .set(local)
    emitLoops(f, [w], walkers(2, 3), () => {
      emitSum(f, kernel, { ...values, lanes })
      if (lanes === 4) f.get(1).get(values.sum).memory('v128.store')
      else f.get(1).get(values.sum).memoryLane('v128.store32_lane', 0)
    })
    for (const pointer of [0, 1, 2]) f.advance(pointer, 4 * lanes)
  }
  emitLoops(f, [n, h], walkers(0, 2), () => {
    f.repeat(Math.floor(channels / 4), () => row(4))
    f.repeat(channels % 4, () => row(1))
    for (const pointer of [0, 1, 2]) f.advance(pointer, -4 * channels)
  })
  return f
}

// One channel alone uses the same vector instructions, so that the bits do not depend on the path.
const loads = { 4: 'v128.load', 1: 'v128.load32_splat' } as const

type Values = { readonly sum: Local; readonly temporary: Local; readonly weights: readonly Local[]; readonly lanes: 4 | 1 }

function emitSum(f: FunctionBuilder, { taps, tapBytes, post }: DepthwiseKernel, { sum, temporary, weights, lanes }: Values): void {
  f.v128(new Uint8Array(16))
  for (const [tap, offset] of taps.entries()) {
    f.get(0).memory(loads[lanes], offset)
    const kept = weights[tap]
    if (kept === undefined) f.get(2).memory(loads[lanes], tap * tapBytes)
    else f.get(kept)
    f.op('f32x4.mul', 'f32x4.add')
  }
  for (const operation of post) operation.emit(f, { temporary, load: () => void f.get(2).memory(loads[lanes], taps.length * tapBytes) })
  f.set(sum)
}
