import type { Window } from '../graph.ts'
import { elementCount, type Tensor, type TensorType } from '../tensor.ts'
import { numberData } from './arrays.ts'
import { zeroPointReader } from './linear.ts'
import { windowWalker } from './window-positions.ts'

const f32 = Math.fround

/** Window and groups of a convolution. */
export type ConvolutionForm = { readonly window: Window; readonly group: number }

/** What one output element needs: which filter, which input channels, which kernel and input positions. */
type Site = {
  readonly filter: number
  /** First input channel plane of the group, in planes. */
  readonly firstPlane: number
  readonly kernelIndices: Int32Array
  readonly inputIndices: Int32Array
  readonly count: number
}

/** Float convolution: kernel positions outer, channels inner, one accumulator, bias last. */
export function conv(form: ConvolutionForm, inputs: readonly [Tensor, Tensor, Tensor | undefined], type: TensorType): Tensor {
  const [x, w, bias] = inputs
  const [input, weights] = [numberData(x), numberData(w)]
  const [plane, kernelSize, channels] = [elementCount(x.shape.slice(2)), elementCount(w.shape.slice(2)), w.shape[1] ?? 1]
  const data = new Float32Array(elementCount(type.shape))
  const biasData = bias === undefined ? undefined : numberData(bias)
  forEachSite(form, [x, w], type, (site, outputIndex) => {
    let sum = 0
    for (let position = 0; position < site.count; position++)
      for (let c = 0; c < channels; c++) {
        const value = input[(site.firstPlane + c) * plane + (site.inputIndices[position] ?? 0)] ?? 0
        const weight = weights[(site.filter * channels + c) * kernelSize + (site.kernelIndices[position] ?? 0)] ?? 0
        sum = f32(sum + f32(value * weight))
      }
    data[outputIndex] = biasData === undefined ? sum : f32(sum + (biasData[site.filter] ?? 0))
  })
  return { ...type, data }
}

/** Exact integer convolution of zero-point-corrected operands, modulo 2^32. */
export function integerConv(
  form: ConvolutionForm,
  inputs: readonly [Tensor, Tensor],
  zeroPoints: { readonly x: Tensor; readonly w: Tensor },
  type: TensorType,
): Tensor {
  const [x, w] = inputs
  const [input, weights] = [numberData(x), numberData(w)]
  const [plane, kernelSize, channels] = [elementCount(x.shape.slice(2)), elementCount(w.shape.slice(2)), w.shape[1] ?? 1]
  const data = new Int32Array(elementCount(type.shape))
  const inputZero = zeroPointReader(zeroPoints.x)(0)
  const weightZero = zeroPointReader(zeroPoints.w)
  forEachSite(form, [x, w], type, (site, outputIndex) => {
    const zero = weightZero(site.filter)
    let sum = 0
    for (let position = 0; position < site.count; position++)
      for (let c = 0; c < channels; c++) {
        const value = input[(site.firstPlane + c) * plane + (site.inputIndices[position] ?? 0)] ?? 0
        const weight = weights[(site.filter * channels + c) * kernelSize + (site.kernelIndices[position] ?? 0)] ?? 0
        sum = (sum + Math.imul(value - inputZero, weight - zero)) | 0
      }
    data[outputIndex] = sum
  })
  return { ...type, data }
}

function forEachSite(
  form: ConvolutionForm,
  [x, w]: readonly [Tensor, Tensor],
  type: TensorType,
  compute: (site: Site, outputIndex: number) => void,
): void {
  const [batch = 1, channels = 1, ...inputSize] = x.shape
  const filters = w.shape[0] ?? 1
  const outputSize = type.shape.slice(2)
  const outputPlane = elementCount(outputSize)
  const walk = windowWalker(form.window, inputSize, outputSize)
  const kernelIndices = new Int32Array(elementCount(form.window.kernel))
  const inputIndices = new Int32Array(kernelIndices.length)
  for (let position = 0; position < outputPlane; position++) {
    let count = 0
    walk(position, (kernelIndex, inputIndex) => {
      kernelIndices[count] = kernelIndex
      inputIndices[count++] = inputIndex
    })
    for (let n = 0; n < batch; n++)
      for (let filter = 0; filter < filters; filter++) {
        const group = Math.floor(filter / (filters / form.group))
        const firstPlane = n * channels + group * (channels / form.group)
        compute({ filter, firstPlane, kernelIndices, inputIndices, count }, (n * filters + filter) * outputPlane + position)
      }
  }
}
