// Conv, ConvInteger and QLinearConv as products over channels-last images: rows are output positions, depth runs over kernel
// rows, kernel columns and input channels, which is the order that docs/spec/f32.md gives to the sums.
import type { GraphNode, TensorData, Window } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import type { GemmKernel } from '../kernels/gemm.ts'
import { binaryPost, type PostOperation } from '../kernels/post-operation.ts'
import { storageBytes, type View } from '../program/program.ts'
import { emitDepthwise, fitsDepthwise } from './depthwise.ts'
import { absorbEpilogue, columnOperand, type Epilogue, type EpilogueOperand, placeOperands } from './epilogue.ts'
import { isGeneralConvolution, lowerGeneralConvolution } from './general-convolution.ts'
import type { GraphState } from './graph-state.ts'
import { allocateImage, as2d, asImage, asShape, cornerOffset, neededBorder, type Window2d, window2d } from './images.ts'
import { centred, integerWeights } from './integer-operands.ts'
import type { Lowering } from './lowering.ts'
import { numberAt } from './number-at.ts'
import { chooseTile } from './product-call.ts'
import { emitProduct, packConstant } from './product-step.ts'
import { channelPlaces, restoredImage } from './permuted-channels.ts'
import { inverse, requantizeEpilogue } from './products.ts'

/** A convolution over prepared views. */
export type Convolution = {
  readonly name: string
  readonly input: View
  readonly output: View
  readonly window: Window2d
  readonly group: number
  readonly arithmetic: GemmKernel['arithmetic']
  /** Weight of output channel o, group channel c, kernel row and column. */
  weight(o: number, c: number, y: number, x: number): number
  /** Where the output's channels lie, if that is not in order; of one group only. */
  readonly places?: Int32Array | undefined
  /** Post-operations for the output channels of one group, in their own order. */
  epilogue(group: number): { readonly post: readonly PostOperation[]; readonly operands: readonly EpilogueOperand[] }
}

/** Emits one product per group. */
export function emitConvolution(out: Lowering, convolution: Convolution): void {
  const { input, output, window, group, arithmetic } = convolution
  const [n = 1, channels = 1] = input.shape
  const [, outputs = 1, height = 1, width = 1] = output.shape
  const [groupIn, groupOut] = [channels / group, outputs / group]
  const [imageStride = 0, , rowStride = 0, pixelStride = 0] = input.strides
  const [sy, sx] = window.strides
  const unitElements = arithmetic === 'f32' ? 1 : 2
  const depth = depthOf(convolution, groupIn)
  const elementBytes = storageBytes[input.storage]
  for (let g = 0; g < group; g++) {
    const source = {
      depth: depth.positions.length * depth.channels,
      columns: groupOut,
      at: (k: number, column: number) => {
        const [y = 0, x = 0] = depth.positions[Math.floor(k / depth.channels)] ?? []
        const c = k % depth.channels
        return c < groupIn ? convolution.weight(g * groupOut + column, c, y, x) : 0
      },
    }
    const { vectors } = chooseTile(width, groupOut)
    const built = convolution.epilogue(g)
    emitProduct(out, {
      name: convolution.name,
      rowShape: [n, height, width],
      a: {
        view: input,
        offsetBytes: cornerOffset(input, window.border) + g * groupIn * elementBytes,
        rowStrides: [imageStride, sy * rowStride, sx * pixelStride],
      },
      c: {
        view: output,
        offsetBytes: output.offsetBytes + g * groupOut * storageBytes[output.storage],
        rowStrides: [output.strides[0] ?? 0, output.strides[2] ?? 0, output.strides[3] ?? 0],
      },
      b: packConstant(out, arithmetic, source, vectors),
      depth: { segments: depth.segments, run: depth.run / unitElements },
      post: built.post,
      operands: placeOperands(out, built.operands, convolution.places),
    })
  }
}

type Depth = {
  /** Kernel positions in order of depth. */
  readonly positions: readonly (readonly [number, number])[]
  /** Channels per position, zeros included. */
  readonly channels: number
  readonly segments: GemmKernel['depth']['segments']
  /** Consecutive elements. */
  readonly run: number
}

function depthOf({ input, window, group, arithmetic }: Convolution, groupIn: number): Depth {
  const [kh, kw] = window.kernel
  const [dy, dx] = window.dilations
  const [, , rowStride = 0, pixelStride = 0] = input.strides
  const elementBytes = storageBytes[input.storage]
  const even = arithmetic === 'f32' ? groupIn : Math.ceil(groupIn / 2) * 2
  const positions = Array.from({ length: kh * kw }, (_, i) => [Math.floor(i / kw), i % kw] as const)
  const rows = { count: kh, aStep: dy * rowStride * elementBytes }
  // A kernel row is one consecutive run where pixels follow each other. Integers may pass over padded channels, whose weights
  // are zero; floats may not, since what lies there need not be finite.
  if (group === 1 && dx === 1 && (arithmetic === 'f32' ? pixelStride === even : pixelStride < even + 4))
    return { positions, channels: pixelStride, segments: [rows], run: kw * pixelStride }
  return { positions, channels: even, segments: [rows, { count: kw, aStep: dx * pixelStride * elementBytes }], run: even }
}

function imageInput(
  view: View,
  window: Window2d,
  { state, outputShape, arithmetic }: { state: GraphState; outputShape: readonly number[]; arithmetic: GemmKernel['arithmetic'] },
): View {
  const image = as2d(view)
  return asImage(state.out, image, {
    border: neededBorder(window, image.shape, outputShape),
    fill: 0,
    channelMultiple: arithmetic === 'f32' ? 1 : 2,
  })
}

/** The input of a float convolution with its channels in order. */
function channelsInOrder(
  id: string,
  node: GraphNode,
  { state, window, outputShape }: { readonly state: GraphState; readonly window: Window2d; readonly outputShape: readonly number[] },
): View {
  const view = as2d(state.viewAsIs(id, node))
  if (view.permutation?.axis !== 1 || view.strides[1] !== 1) return state.view(id, node)
  return restoredImage(state.out, view, neededBorder(window, view.shape, outputShape))
}

function withPlaces(view: View, places: Int32Array | undefined): View {
  return places === undefined ? view : { ...view, permutation: { axis: 1, places } }
}

/** The unit at each place. */
function unitsAt(places: Int32Array | undefined): (place: number) => number {
  const units = places === undefined ? undefined : inverse(places)
  return (place) => units?.[place] ?? place
}

function shape2d(shape: readonly number[]): readonly number[] {
  return shape.length === 3 ? [shape[0] ?? 1, shape[1] ?? 1, 1, shape[2] ?? 1] : shape
}

function weightIndex(window: Window2d, groupIn: number): (o: number, c: number, y: number, x: number) => number {
  const [kh, kw] = window.kernel
  return (o, c, y, x) => ((o * groupIn + c) * kh + y) * kw + x
}

export function lowerConv(node: GraphNode, state: GraphState): void {
  if (node.operation.operator !== 'Conv') return
  if (isGeneralConvolution(node, state)) {
    lowerGeneralConvolution(node, state)
    return
  }
  const { group } = node.operation
  const [xId = '', wId = '', bId] = node.inputs
  const window = window2d(node.operation.window, node)
  const weights = constantOf(state, wId, node)
  const outputShape = shape2d(state.shape(node.outputs[0] ?? ''))
  const [, channels = 1] = state.shape(xId)
  const bias = state.constant(bId)
  const epilogue: Epilogue = { post: [], operands: [], result: node.outputs[0] ?? '', needsDense: false, isFloat: true }
  if (bias !== undefined) epilogue.post.push(binaryPost('f32x4.add', 'column'))
  // Only activations follow: whatever else reads [N, C, H, W] broadcasts along other axes than our columns.
  const relu = state.soleConsumer(epilogue.result)
  if (relu?.operation.operator === 'Relu' || relu?.operation.operator === 'Clip')
    absorbEpilogue(node, state, { columns: -1, start: epilogue })
  const input = imageInput(channelsInOrder(xId, node, { state, window, outputShape }), window, { state, outputShape, arithmetic: 'f32' })
  if (
    group > 1 &&
    group === channels &&
    group === outputShape[1] &&
    state.out.obfuscator === undefined &&
    fitsDepthwise(epilogue.post, bias !== undefined)
  ) {
    const output = allocateImage(state, epilogue.result, { storage: 'f32' })
    const at = weightIndex(window, 1)
    const column = bias === undefined ? undefined : Float32Array.from(bias.data as Float32Array)
    emitDepthwise(state.out, { input, output, window, weight: (c, y, x) => numberAt(weights, at(c, 0, y, x)), column, post: epilogue.post })
    state.finishValue(epilogue.result, asShape(output, state.shape(epilogue.result)), 'Conv')
    return
  }
  const places = group === 1 ? channelPlaces(epilogue.result, state) : undefined
  const output = withPlaces(allocateImage(state, epilogue.result, { storage: 'f32', group }), places)
  const unit = unitsAt(places)
  const groupOut = (outputShape[1] ?? 1) / group
  const index = weightIndex(window, channels / group)
  emitConvolution(state.out, {
    name: 'Conv',
    input,
    output,
    window,
    group,
    arithmetic: 'f32',
    places,
    weight: (o, c, y, x) => numberAt(weights, index(unit(o), c, y, x)),
    epilogue: (g) => ({
      post: epilogue.post,
      operands:
        bias === undefined
          ? epilogue.operands
          : [
              columnOperand(Float32Array.from((bias.data as Float32Array).subarray(g * groupOut, (g + 1) * groupOut)), groupOut),
              ...epilogue.operands,
            ],
    }),
  })
  state.finishValue(epilogue.result, asShape(output, state.shape(epilogue.result)), 'Conv')
}

export function lowerQLinearConv(node: GraphNode, state: GraphState): void {
  if (node.operation.operator !== 'QLinearConv') return
  const [xId = '', xScale, xZero = '', wId = '', wScale, wZero = '', yScale, yZero, bId] = node.inputs
  const bias = state.constant(bId)
  const build = (columns: number, channel: number): Built => {
    const epilogue: Epilogue = { post: [], operands: [], result: node.outputs[0] ?? '', needsDense: false, isFloat: false }
    if (bias !== undefined) {
      epilogue.post.push(binaryPost('i32x4.add', 'column'))
      epilogue.operands.push(columnOperand(Int32Array.from((bias.data as Int32Array).subarray(channel, channel + columns)), columns))
    }
    const zeroPoint = requantizeEpilogue({ node, state, columns, channel, epilogue, scales: [xScale, wScale, yScale], yZero })
    return { ...epilogue, zeroPoint }
  }
  integerConvolution({ node, state, operation: node.operation, ids: [xId, xZero, wId, wZero], build, storage: 'i16' })
}

export function lowerConvInteger(node: GraphNode, state: GraphState): void {
  if (node.operation.operator !== 'ConvInteger') return
  const [xId = '', wId = '', xZero = '', wZero = ''] = node.inputs
  const build = (): Built => ({ post: [], operands: [], zeroPoint: 0 })
  integerConvolution({ node, state, operation: node.operation, ids: [xId, xZero, wId, wZero], build, storage: 'i32' })
}

type Built = Pick<Epilogue, 'post' | 'operands'> & { readonly zeroPoint: number }
type IntegerConvolution = {
  readonly node: GraphNode
  readonly state: GraphState
  readonly operation: { readonly window: Window; readonly group: number }
  readonly ids: readonly [string, string, string, string]
  build(columns: number, channel: number): Built
  readonly storage: 'i16' | 'i32'
}

function integerConvolution({ node, state, operation, ids, build, storage }: IntegerConvolution): void {
  const [xId, xZero, wId, wZero] = ids
  const { group } = operation
  const window = window2d(operation.window, node)
  const result = node.outputs[0] ?? ''
  const outputShape = shape2d(state.shape(result))
  const weights = integerWeights(wId, wZero, { node, state })
  const groupOut = (outputShape[1] ?? 1) / group
  const index = weightIndex(window, (state.shape(xId)[1] ?? 1) / group)
  const built = Array.from({ length: group }, (_, g) => build(groupOut, g * groupOut))
  const centredInput = centred(xId, xZero, { node, state })
  const source = group === 1 && centredInput.permutation?.axis === 1 ? centredInput : state.out.restored(centredInput)
  const input = imageInput(source, window, { state, outputShape, arithmetic: weights.arithmetic })
  const places = group === 1 && storage === 'i16' ? channelPlaces(result, state) : undefined
  const output = withPlaces(allocateImage(state, result, { storage, zeroPoint: built[0]?.zeroPoint ?? 0, group }), places)
  const [unit, from] = [unitsAt(places), unitsAt(source.permutation?.places)]
  emitConvolution(state.out, {
    name: node.operation.operator,
    input,
    output,
    window,
    group,
    arithmetic: weights.arithmetic,
    places,
    weight: (o, c, y, x) => weights.at(index(unit(o), from(c), y, x), unit(o)),
    epilogue: (g) => built[g] ?? { post: [], operands: [] },
  })
  state.finishValue(result, asShape(output, state.shape(result)), node.operation.operator)
}

function constantOf(state: GraphState, id: string, node: GraphNode): TensorData {
  const tensor = state.constant(id)
  if (tensor === undefined) throw new UnsupportedNodeError(node.name, node.operation.operator, 'its weights are not constants')
  return tensor.data
}
