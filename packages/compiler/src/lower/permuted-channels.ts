// Channels of images in obfuscated builds. Sums of floats run over channels in their own order, so a convolution puts its input's channels
// back while it copies them into its border; integers sum exactly, so weights follow the channels instead.
import type { GraphNode, ValueId } from '@tacit/model'
import { maskTable } from '../obfuscate/obfuscator.ts'
import { buildRestoreBlocks } from '../kernels/restore-blocks.ts'
import { type Border, storageBytes, type View } from '../program/program.ts'
import { isUnaryElementwise } from './elementwise.ts'
import type { GraphState } from './graph-state.ts'
import type { Lowering } from './lowering.ts'

/** Floats move in vectors of four channels. */
const block = 4
/** Putting an element back costs about as much as so many multiplications: less work than this per element, and it would show. */
const worthwhile = 128

/** Where an obfuscated build puts the channels of a convolution's result; undefined where somebody reads it who could not take them so. */
export function channelPlaces(result: ValueId, state: GraphState): Int32Array | undefined {
  const channels = state.shape(result)[1] ?? 1
  const isFloat = state.type(result).elementType === 'float32'
  if (state.out.obfuscator === undefined || !readersFollow(result, state)) return undefined
  if (!isFloat) return state.out.obfuscator.units(channels)
  const blocks = channels % block === 0 && channels > block ? state.out.obfuscator.units(channels / block) : undefined
  return blocks && Int32Array.from({ length: channels }, (_, unit) => block * (blocks[Math.floor(unit / block)] ?? 0) + (unit % block))
}

/** Whether channelwise operators and then a convolution, each the only reader of the one before, take what is permuted. */
function readersFollow(result: ValueId, state: GraphState): boolean {
  const isFloat = state.type(result).elementType === 'float32'
  let value = result
  for (;;) {
    const reader = state.soleConsumer(value)
    if (reader === undefined || reader.inputs[0] !== value) return false
    const { operation } = reader
    if (operation.operator === 'Conv' || operation.operator === 'QLinearConv') return isPlainConvolution(reader, state, isFloat)
    if (operation.operator === 'Reshape' || operation.operator === 'DequantizeLinear') return true
    const isPool = operation.operator === 'MaxPool' || (isFloat && operation.operator === 'AveragePool')
    if (!isPool && !(isFloat && isUnaryElementwise(reader, state))) return false
    value = reader.outputs[0] ?? ''
  }
}

function isPlainConvolution({ operation, inputs }: GraphNode, state: GraphState, isFloat: boolean): boolean {
  if (operation.operator !== 'Conv' && operation.operator !== 'QLinearConv') return false
  const weights = state.constant(inputs[isFloat ? 1 : 3])
  if (weights === undefined || operation.group !== 1 || operation.window.kernel.length > 2) return false
  return !isFloat || weights.data.length / (weights.shape[1] ?? 1) >= worthwhile
}

/** An image with permuted channels, copied into a border with its channels in order. */
export function restoredImage(out: Lowering, view: View, border: Border): View {
  const { permutation } = view
  if (permutation === undefined) return view
  const [, channels = 1, height = 1, width = 1] = view.shape
  const image = out.channelsLast('f32', view.shape, { border })
  const firstMask = (out.obfuscator?.random.u32() ?? 0) | 0
  const count = channels / block
  const offsets = Array.from({ length: count }, (_, i) => (permutation.places[block * i] ?? 0) * storageBytes.f32)
  const table = out.constant(maskTable(offsets, firstMask))
  const steps = ({ strides }: View): number[] => [0, 2, 3].map((axis) => (strides[axis] ?? 0) * storageBytes.f32)
  const kernel = { positions: [view.shape[0] ?? 1, height, width], from: steps(view), to: steps(image), blocks: count, firstMask }
  out.call({
    name: 'restore',
    key: `restore blocks ${JSON.stringify(kernel)}`,
    build: () => buildRestoreBlocks(kernel),
    arguments: [view, image, { region: table, offsetBytes: 0 }],
    reads: [view],
    writes: [image],
    readsRegions: [table],
  })
  return image
}
