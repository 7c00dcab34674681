// Convolutions that the image path does not take: any number of spatial axes, weights that are inputs.
import { elementCount, type GraphNode, stridesOf, type Window } from '@tacit/model'
import { type View, storageBytes } from '../program/program.ts'
import { binaryPost } from '../kernels/post-operation.ts'
import { columnOperand, placeOperands } from './epilogue.ts'
import type { GraphState } from './graph-state.ts'
import { numberAt } from './number-at.ts'
import { emitProduct, packConstant } from './product-step.ts'
import { chooseTile, type RightOperand } from './product-call.ts'
import { sliced, transposed } from './views.ts'

/** Whether a convolution has to come here. */
export function isGeneralConvolution(node: GraphNode, state: GraphState): boolean {
  return node.operation.operator === 'Conv' && (node.operation.window.kernel.length > 2 || state.constant(node.inputs[1]) === undefined)
}

/** The same products over the same depth as for images: kernel positions outer, channels inner. */
export function lowerGeneralConvolution(node: GraphNode, state: GraphState): void {
  const { operation } = node
  if (operation.operator !== 'Conv') return
  const { window, group } = operation
  const [xId = '', wId = '', bId] = node.inputs
  const result = node.outputs[0] ?? ''
  const shape = state.shape(result)
  const [n = 1, outputs = 1, ...size] = shape
  const channels = state.shape(xId)[1] ?? 1
  const [groupIn, groupOut] = [channels / group, outputs / group]
  const input = paddedInput(state, state.view(xId, node), { window, size })
  const output = channelsLast(state, shape, outputs + 4)
  const bias = state.constant(bId)
  const bytes = storageBytes.f32
  for (let g = 0; g < group; g++) {
    const columns =
      bias === undefined
        ? []
        : [columnOperand(Float32Array.from((bias.data as Float32Array).subarray(g * groupOut, (g + 1) * groupOut)), groupOut)]
    emitProduct(state.out, {
      name: 'Conv',
      rowShape: [n, ...size],
      a: {
        view: input,
        offsetBytes: input.offsetBytes + g * groupIn * bytes,
        rowStrides: [input.strides[0] ?? 0, ...size.map((_, axis) => (window.strides[axis] ?? 1) * (input.strides[axis + 2] ?? 0))],
      },
      c: {
        view: output,
        offsetBytes: output.offsetBytes + g * groupOut * bytes,
        rowStrides: [output.strides[0] ?? 0, ...output.strides.slice(2)],
      },
      b: weightPanels(node, state, { wId, g, groupIn, groupOut, vectors: chooseTile(size.at(-1) ?? 1, groupOut).vectors }),
      depth: {
        segments: window.kernel.map((count, axis) => ({
          count,
          aStep: (window.dilations[axis] ?? 1) * (input.strides[axis + 2] ?? 0) * bytes,
        })),
        run: groupIn,
      },
      post: columns.length === 0 ? [] : [binaryPost('f32x4.add', 'column')],
      operands: placeOperands(state.out, columns),
    })
  }
  state.finishValue(result, output, 'Conv')
}

/** Dense, channels last, with room for the vectors that the last group writes past its own channels. */
function channelsLast(state: GraphState, shape: readonly number[], channels: number): View {
  const [n = 1, , ...size] = shape
  const [imageStride = 0, ...rest] = stridesOf([n, ...size, channels])
  const region = state.out.region('transient', n * elementCount(size) * channels * storageBytes.f32 + 64)
  return { region, offsetBytes: 0, storage: 'f32', zeroPoint: 0, shape, strides: [imageStride, 1, ...rest.slice(0, -1)] }
}

type Padding = { readonly window: Window; readonly size: readonly number[] }

/** Channels last with zeros around, wide enough for every window. */
function paddedInput(state: GraphState, view: View, { window, size }: Padding): View {
  const [n = 1, channels = 1, ...input] = view.shape
  const before = input.map((_, axis) => window.pads[axis] ?? 0)
  const full = input.map((length, axis) => {
    const span = ((window.kernel[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1) + 1
    return Math.max(length + (before[axis] ?? 0), ((size[axis] ?? 1) - 1) * (window.strides[axis] ?? 1) + span)
  })
  const image = channelsLast(state, [n, channels, ...full], channels)
  if (full.some((length, axis) => length !== input[axis])) state.out.fill(image.region, new Uint8Array(16))
  const inside = sliced(image, { starts: [0, 0, ...before], steps: view.shape.map(() => 1), shape: view.shape })
  state.out.copy(view, inside)
  return image
}

type Weights = { readonly wId: string; readonly g: number; readonly groupIn: number; readonly groupOut: number; readonly vectors: number }

function weightPanels(node: GraphNode, state: GraphState, { wId, g, groupIn, groupOut, vectors }: Weights): RightOperand {
  const [, , ...kernel] = state.shape(wId)
  const positions = elementCount(kernel)
  const depth = positions * groupIn
  const constant = state.constant(wId)
  if (constant !== undefined) {
    const at = (k: number, column: number): number =>
      numberAt(constant.data, ((g * groupOut + column) * groupIn + (k % groupIn)) * positions + Math.floor(k / groupIn))
    return packConstant(state.out, 'f32', { depth, columns: groupOut, at }, vectors)
  }
  // Rows of depth, a column per filter, padded to whole vectors.
  const padded = Math.ceil(groupOut / 4) * 4
  const region = state.out.region('transient', depth * padded * storageBytes.f32)
  if (padded !== groupOut) state.out.fill(region, new Uint8Array(16))
  const all = state.view(wId, node)
  const own = sliced(all, {
    starts: all.shape.map((_, axis) => (axis === 0 ? g * groupOut : 0)),
    steps: all.shape.map(() => 1),
    shape: [groupOut, ...all.shape.slice(1)],
  })
  const from = transposed(own, [...kernel.map((_, axis) => axis + 2), 1, 0])
  const strides = [...stridesOf([...kernel, groupIn]).map((stride) => stride * padded), 1]
  state.out.copy(from, { region, offsetBytes: 0, storage: 'f32', zeroPoint: 0, shape: from.shape, strides })
  return { region, offsetBytes: 0, arithmetic: 'f32', columns: groupOut, vectors, layout: { layout: 'rows', rowBytes: 4 * padded } }
}
