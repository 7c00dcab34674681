// Views of [N, C, H, W] activations as convolutions and pooling want them: channels last, a border as wide as the padding.
import type { GraphNode, Window } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import { splatF32 } from '../kernels/post-operation.ts'
import { type Border, type Storage, storageBytes, type View } from '../program/program.ts'
import type { GraphState } from './graph-state.ts'
import type { Lowering } from './lowering.ts'

/** A window over two spatial axes. */
export type Window2d = {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
  readonly border: Border
}

/** One spatial axis becomes two; three are refused. */
export function window2d(window: Window, node: Pick<GraphNode, 'name' | 'operation'>): Window2d {
  const { kernel, strides, dilations, pads } = window
  const pair = (list: readonly number[], missing: number): [number, number] =>
    list.length === 1 ? [missing, list[0] ?? 1] : [list[0] ?? 1, list[1] ?? 1]
  if (kernel.length === 1)
    return {
      kernel: pair(kernel, 1),
      strides: pair(strides, 1),
      dilations: pair(dilations, 1),
      border: { top: 0, bottom: 0, left: pads[0] ?? 0, right: pads[1] ?? 0 },
    }
  if (kernel.length !== 2) throw new UnsupportedNodeError(node.name, node.operation.operator, `it has ${kernel.length} spatial axes`)
  const [top = 0, left = 0, bottom = 0, right = 0] = pads
  return { kernel: pair(kernel, 1), strides: pair(strides, 1), dilations: pair(dilations, 1), border: { top, left, bottom, right } }
}

/** The border that a window over `size` needs so that every output position lies inside: `ceil_mode` may ask for more than the pads. */
export function neededBorder(window: Window2d, input: readonly number[], output: readonly number[]): Border {
  const reach = (axis: 0 | 1): number =>
    ((output[2 + axis] ?? 1) - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis] + 1
  const { top, left, bottom, right } = window.border
  return {
    top,
    left,
    bottom: Math.max(bottom, reach(0) - top - (input[2] ?? 1), 0),
    right: Math.max(right, reach(1) - left - (input[3] ?? 1), 0),
  }
}

/** [N, C, L] as [N, C, 1, L]. */
export function as2d(view: View): View {
  if (view.shape.length !== 3) return view
  const [n = 1, c = 1, l = 1] = view.shape
  const [ns = 0, cs = 0, ls = 0] = view.strides
  return { ...view, shape: [n, c, 1, l], strides: [ns, cs, 0, ls] }
}

/** The reverse, for results of one-dimensional windows. */
export function asShape(view: View, shape: readonly number[]): View {
  if (shape.length === view.shape.length) return view
  const { border: _, ...rest } = view
  return { ...rest, shape, strides: [view.strides[0] ?? 0, view.strides[1] ?? 0, view.strides[3] ?? 0] }
}

export type ImageNeeds = {
  readonly border: Border
  /** What the border holds; zero comes for free. */
  readonly fill: number
  /** Channels are padded to a multiple of this. */
  readonly channelMultiple: number
}

/** The view itself where it is channels-last with border enough, else such a copy. */
export function asImage(out: Lowering, view: View, needs: ImageNeeds): View {
  const { border, fill, channelMultiple } = needs
  const [, channels = 1] = view.shape
  const empty = border.top + border.left + border.bottom + border.right === 0
  const own = view.border
  const enough =
    empty ||
    (own !== undefined &&
      fill === 0 &&
      own.top >= border.top &&
      own.left >= border.left &&
      own.bottom >= border.bottom &&
      own.right >= border.right)
  const pixel = view.strides[3] ?? 1
  const channelsLast = (view.strides[1] === 1 || channels === 1) && pixel >= Math.ceil(channels / channelMultiple) * channelMultiple
  const forwards = view.strides.every((stride) => stride >= 0)
  if (enough && channelsLast && forwards) return view
  const paddedChannels = Math.ceil(channels / channelMultiple) * channelMultiple
  const image = out.channelsLast(view.storage, view.shape, { border, paddedChannels, zeroPoint: view.zeroPoint })
  if (fill !== 0) out.fill(image.region, fillPattern(view.storage, fill))
  out.copy(view, image)
  return view.permutation === undefined ? image : { ...image, permutation: view.permutation }
}

function fillPattern(storage: Storage, value: number): Uint8Array {
  return storage === 'f32' ? splatF32(value) : new Uint8Array(Int16Array.from({ length: 8 }, () => value).buffer)
}

export type ImageOptions = { readonly storage: Storage; readonly zeroPoint?: number; readonly group?: number }

/**
 * Room for an image whose readers are known: with the border of the one window that reads it, so that no copy is needed
 * between convolution, pooling and convolution.
 */
export function allocateImage(state: GraphState, id: string, options: ImageOptions): View {
  const shape = state.shape(id)
  const full = shape.length === 3 ? [shape[0] ?? 1, shape[1] ?? 1, 1, shape[2] ?? 1] : shape
  const reader = state.consumers(id).length === 1 ? state.consumers(id)[0] : undefined
  const border = reader === undefined ? undefined : readerBorder(state, reader, id, full)
  return state.out.channelsLast(options.storage, full, {
    ...(border === undefined ? {} : { border }),
    paddedChannels: paddedOutputs(full[1] ?? 1, options.group ?? 1),
    zeroPoint: options.zeroPoint ?? 0,
  })
}

// Each group writes whole vectors, so the last one may write up to three channels past its own.
function paddedOutputs(channels: number, group: number): number {
  const groupOut = channels / group
  return Math.ceil(((group - 1) * groupOut + Math.ceil(groupOut / 4) * 4) / 4) * 4
}

function readerBorder(state: GraphState, reader: GraphNode, id: string, shape: readonly number[]): Border | undefined {
  const { operation } = reader
  if (reader.inputs[0] !== id) return undefined
  if (
    operation.operator !== 'Conv' &&
    operation.operator !== 'QLinearConv' &&
    operation.operator !== 'ConvInteger' &&
    operation.operator !== 'AveragePool'
  )
    return undefined
  const output = state.shape(reader.outputs[0] ?? '')
  const border = neededBorder(
    window2d(operation.window, reader),
    shape,
    output.length === 3 ? [output[0] ?? 1, output[1] ?? 1, 1, output[2] ?? 1] : output,
  )
  return border.top + border.left + border.bottom + border.right > 0 ? border : undefined
}

/** Bytes from the first element of a view back to the corner of its border. */
export function cornerOffset(view: View, border: Border): number {
  return view.offsetBytes - (border.top * (view.strides[2] ?? 0) + border.left * (view.strides[3] ?? 0)) * storageBytes[view.storage]
}
