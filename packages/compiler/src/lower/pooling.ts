import type { GraphNode } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import { buildPool, type PoolKernel } from '../kernels/pool.ts'
import { storageBytes, type View } from '../program/program.ts'
import type { GraphState } from './graph-state.ts'
import { walkedBytes } from '../program/byte-ranges.ts'
import { allocateImage, as2d, asImage, asShape, cornerOffset, neededBorder, type Window2d, window2d } from './images.ts'
import type { Call, Cut } from './kernel-call.ts'
import type { Lowering } from './lowering.ts'

export function lowerPool(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'MaxPool' && operation.operator !== 'AveragePool') return
  const window = window2d(operation.window, node)
  const [xId = ''] = node.inputs
  const result = node.outputs[0] ?? ''
  const shape = state.shape(result)
  const outputShape = shape.length === 3 ? [shape[0] ?? 1, shape[1] ?? 1, 1, shape[2] ?? 1] : shape
  const view = poolable(as2d(channelwise(state.viewAsIs(xId, node), state)), node, state)
  const border = neededBorder(window, view.shape, outputShape)
  const isMax = operation.operator === 'MaxPool'
  const fill = !isMax ? 0 : view.storage === 'f32' ? Number.NEGATIVE_INFINITY : -32768
  const input = asImage(state.out, view, { border, fill, channelMultiple: 1 })
  const output = allocateImage(state, result, { storage: view.storage, zeroPoint: view.zeroPoint })
  const divisors = isMax
    ? undefined
    : divisorTable({
        window,
        input: view.shape,
        output: outputShape,
        includePad: operation.operator === 'AveragePool' && operation.countIncludePad,
      })
  emitPool(state.out, {
    kind: view.storage === 'i16' ? 'max-i16' : isMax ? 'max-f32' : 'average-f32',
    input,
    output,
    window,
    ...(divisors === undefined ? {} : { divisors }),
  })
  const { permutation } = view
  state.finishValue(result, asShape(permutation === undefined ? output : { ...output, permutation }, shape), operation.operator)
}

/** Every channel alone: permuted ones stay where they are. */
function channelwise(view: View, state: GraphState): View {
  const follows = view.permutation?.axis === 1 && (view.storage === 'f32' || view.storage === 'i16')
  return follows ? view : state.out.restored(view)
}

// Bytes become int16 around zero: the order of values is what counts.
function poolable(view: View, node: GraphNode, state: GraphState): View {
  if (view.storage === 'f32' || (view.storage === 'i16' && node.operation.operator === 'MaxPool')) return view
  if (node.operation.operator !== 'MaxPool' || (view.storage !== 'u8' && view.storage !== 'i8'))
    throw new UnsupportedNodeError(node.name, node.operation.operator, `its input is ${view.storage}`)
  const target = state.out.dense('i16', view.shape, 0)
  state.out.copy(view, target, { kind: 'centre', zeroPoint: 0, signed: view.storage === 'i8' })
  return target
}

export type Pooling = {
  readonly kind: PoolKernel['kind']
  readonly input: View
  readonly output: View
  readonly window: Window2d
  readonly divisors?: Float32Array
}

export function emitPool(out: Lowering, { kind, input, output, window, divisors }: Pooling): void {
  const [n = 1, channels = 1, height = 1, width = 1] = output.shape
  const bytes = storageBytes[input.storage]
  const corner = cornerOffset(input, window.border)
  const [imageStride = 0, , rowStride = 0, pixelStride = 0] = input.strides
  const [kh, kw] = window.kernel
  const uniform = divisors?.every((divisor) => divisor === divisors[0])
  const pool: PoolKernel = {
    kind,
    positions: [n, height, width],
    channels,
    inputSteps: [imageStride * bytes, window.strides[0] * rowStride * bytes, window.strides[1] * pixelStride * bytes],
    outputSteps: [(output.strides[0] ?? 0) * bytes, (output.strides[2] ?? 0) * bytes, (output.strides[3] ?? 0) * bytes],
    taps: Array.from(
      { length: kh * kw },
      (_, i) => (Math.floor(i / kw) * window.dilations[0] * rowStride + (i % kw) * window.dilations[1] * pixelStride) * bytes,
    ),
    ...(uniform ? { divisor: divisors?.[0] ?? 1 } : {}),
  }
  const table = divisors !== undefined && !uniform ? out.constant(divisors) : undefined
  // Images and rows from `first` on, `positions` of them.
  const part = (first: readonly [number, number], positions: readonly [number, number, number]): Call => {
    const skipped = (steps: readonly number[]): number => first[0] * (steps[0] ?? 0) + first[1] * (steps[1] ?? 0)
    const source = { region: input.region, offsetBytes: corner + skipped(pool.inputSteps) }
    const shape = [positions[0], channels, positions[1], positions[2]]
    const target = { ...output, offsetBytes: output.offsetBytes + skipped(pool.outputSteps), shape }
    const walk = positions.map((count, axis) => ({ count, stepBytes: pool.inputSteps[axis] ?? 0 }))
    const reach = Math.max(...pool.taps) + channels * bytes
    return {
      name: kind,
      key: `pool ${JSON.stringify({ ...pool, positions })}`,
      build: () => buildPool({ ...pool, positions }),
      arguments: [
        source,
        target,
        table === undefined ? { from: target, to: target } : { region: table, offsetBytes: 4 * width * first[1] },
      ],
      reads: [input],
      writes: [target],
      // From the first tap to the last: a little more than is read.
      readExtents: () => [{ region: input.region, ranges: walkedBytes(source.offsetBytes, walk, reach) ?? [0, input.region.sizeBytes] }],
      costNs: (positions[0] * positions[1] * positions[2] * pool.taps.length * channels * bytes) / 16,
      ...(table === undefined ? {} : { readsRegions: [table] }),
    }
  }
  const cuts: readonly Cut[] = [
    { size: height, piece: (from, to) => [part([0, from], [n, to - from, width])] },
    ...(table === undefined ? [{ size: n, piece: (from: number, to: number) => [part([from, 0], [to - from, height, width])] }] : []),
  ]
  out.call({ ...part([0, 0], [n, height, width]), cuts })
}

type Divisors = {
  readonly window: Window2d
  readonly input: readonly number[]
  readonly output: readonly number[]
  readonly includePad: boolean
}

/** How many elements each average counts: those inside the input, or inside input and padding. */
function divisorTable({ window, input, output, includePad }: Divisors): Float32Array {
  const along = (axis: 0 | 1): number[] => {
    const size = input[2 + axis] ?? 1
    const [before, after] = axis === 0 ? [window.border.top, window.border.bottom] : [window.border.left, window.border.right]
    const [low, high] = includePad ? [-before, size + after] : [0, size]
    return Array.from({ length: output[2 + axis] ?? 1 }, (_, position) => {
      const taps = Array.from(
        { length: window.kernel[axis] },
        (_, k) => position * window.strides[axis] - before + k * window.dilations[axis],
      )
      return taps.filter((at) => at >= low && at < high).length
    })
  }
  const [rows, columns] = [along(0), along(1)]
  return Float32Array.from(rows.flatMap((row) => columns.map((column) => row * column)))
}
