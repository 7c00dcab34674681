// Convolutions with one filter per channel.
import type { PostOperation } from '../kernels/post-operation.ts'
import { buildDepthwise, type DepthwiseKernel } from '../kernels/depthwise.ts'
import { walkedBytes } from '../program/byte-ranges.ts'
import { storageBytes, type View } from '../program/program.ts'
import { cornerOffset, type Window2d } from './images.ts'
import type { Call, Cut } from './kernel-call.ts'
import type { Lowering } from './lowering.ts'

export type Depthwise = {
  readonly input: View
  readonly output: View
  readonly window: Window2d
  weight(channel: number, y: number, x: number): number
  /** One number per channel for the first operation, where that takes one. */
  readonly column: Float32Array | undefined
  readonly post: readonly PostOperation[]
}

/** Whether the operations after the sum are those that {@link emitDepthwise} can do: a bias first, then nothing with an operand. */
export function fitsDepthwise(post: readonly PostOperation[], hasBias: boolean): boolean {
  return post.every(({ operand }, i) => operand === (hasBias && i === 0 ? 'column' : 'none'))
}

export function emitDepthwise(out: Lowering, { input, output, window, weight, column, post }: Depthwise): void {
  const [n = 1, channels = 1, height = 1, width = 1] = output.shape
  const bytes = storageBytes.f32
  const [imageStride = 0, , rowStride = 0, pixelStride = 0] = input.strides
  const [kh, kw] = window.kernel
  const places = Array.from({ length: kh * kw }, (_, i) => [Math.floor(i / kw), i % kw] as const)
  const padded = Math.ceil(channels / 4) * 4
  const table = new Float32Array((places.length + 1) * padded)
  for (const [tap, [y, x]] of places.entries()) for (let c = 0; c < channels; c++) table[tap * padded + c] = weight(c, y, x)
  if (column !== undefined) table.set(column, places.length * padded)
  const weights = out.constant(table)
  const kernel: Omit<DepthwiseKernel, 'positions'> = {
    channels,
    inputSteps: [imageStride * bytes, window.strides[0] * rowStride * bytes, window.strides[1] * pixelStride * bytes],
    outputSteps: [(output.strides[0] ?? 0) * bytes, (output.strides[2] ?? 0) * bytes, (output.strides[3] ?? 0) * bytes],
    taps: places.map(([y, x]) => (y * window.dilations[0] * rowStride + x * window.dilations[1] * pixelStride) * bytes),
    tapBytes: padded * bytes,
    post,
  }
  const corner = cornerOffset(input, window.border)
  const reach = Math.max(...kernel.taps) + channels * bytes
  // Images and rows from `first` on, `positions` of them.
  const part = (first: readonly [number, number], positions: readonly [number, number, number]): Call => {
    const skipped = (steps: readonly number[]): number => first[0] * (steps[0] ?? 0) + first[1] * (steps[1] ?? 0)
    const source = { region: input.region, offsetBytes: corner + skipped(kernel.inputSteps) }
    const target = {
      ...output,
      offsetBytes: output.offsetBytes + skipped(kernel.outputSteps),
      shape: [positions[0], channels, positions[1], positions[2]],
    }
    const walk = positions.map((count, axis) => ({ count, stepBytes: kernel.inputSteps[axis] ?? 0 }))
    return {
      name: 'Conv',
      key: `depthwise ${JSON.stringify({ ...kernel, positions, post: post.map(({ key, operand }) => [key, operand]) })}`,
      build: () => buildDepthwise({ ...kernel, positions }),
      arguments: [source, target, { region: weights, offsetBytes: 0 }],
      reads: [input],
      writes: [target],
      readsRegions: [weights],
      readExtents: () => [{ region: input.region, ranges: walkedBytes(source.offsetBytes, walk, reach) ?? [0, input.region.sizeBytes] }],
      costNs: (positions[0] * positions[1] * positions[2] * places.length * channels) / 8,
    }
  }
  const cuts: readonly Cut[] = [
    { size: height, piece: (from, to) => [part([0, from], [n, to - from, width])] },
    { size: n, piece: (from, to) => [part([from, 0], [to - from, height, width])] },
  ]
  out.call({ ...part([0, 0], [n, height, width]), cuts })
}
