import { nearest } from '../f32/functions.ts'
import { allocate, type ElementType, elementCount, getNumber, type Tensor, type TensorType } from '../tensor.ts'
import { type NumberData, numberData } from './arrays.ts'
import { type ConvolutionForm, integerConv } from './convolution.ts'
import { integerMatMul } from './linear.ts'

const f32 = Math.fround

const ranges: Readonly<Partial<Record<ElementType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
}

/** The lowest and highest value of a quantised element type. */
export function quantizedRange(elementType: ElementType): readonly [number, number] {
  return ranges[elementType] ?? [-2147483648, 2147483647]
}

/** clamp(nearest(x / scale) + zero point), ties to even; NaN gives the zero point. */
export function quantizeValue(x: number, scale: number, zeroPoint: number, [low, high]: readonly [number, number]): number {
  const rounded = nearest(f32(x / scale))
  return Number.isNaN(rounded) ? zeroPoint : Math.min(Math.max(rounded + zeroPoint, low), high)
}

/** Which scale belongs to element `i`: a single one, or one per index of `axis`. */
function scaleIndex(shape: readonly number[], axis: number, scales: number): (i: number) => number {
  if (scales === 1) return () => 0
  const inner = elementCount(shape.slice(axis + 1))
  return (i) => Math.floor(i / inner) % scales
}

/** float32 (or int32) to int8 and its siblings. */
export function quantizeLinear(axis: number, inputs: readonly [Tensor, Tensor, Tensor], type: TensorType): Tensor {
  const [x, scale, zeroPoint] = inputs
  const scales = numberData(scale)
  const index = scaleIndex(x.shape, axis, scales.length)
  const range = quantizedRange(type.elementType)
  const data = allocate(type.elementType, x.data.length)
  for (let i = 0; i < data.length; i++) {
    const channel = index(i)
    data[i] = quantizeValue(getNumber(x.data, i), scales[channel] ?? 1, getNumber(zeroPoint.data, channel), range)
  }
  return { ...type, data }
}

/** (q - zero point) * scale. */
export function dequantizeLinear(axis: number, inputs: readonly [Tensor, Tensor, Tensor], type: TensorType): Tensor {
  const [x, scale, zeroPoint] = inputs
  const scales = numberData(scale)
  const index = scaleIndex(x.shape, axis, scales.length)
  const data = new Float32Array(x.data.length)
  for (let i = 0; i < data.length; i++) {
    const channel = index(i)
    data[i] = f32(f32(getNumber(x.data, i) - getNumber(zeroPoint.data, channel)) * (scales[channel] ?? 1))
  }
  return { ...type, data }
}

/** uint8 with scale and zero point from the data's own range, zero included. */
export function dynamicQuantizeLinear(x: Tensor, types: readonly [TensorType, TensorType, TensorType]): Tensor[] {
  const input = numberData(x)
  let [low, high] = [0, 0]
  for (let i = 0; i < input.length; i++) {
    low = Math.min(low, input[i] ?? 0)
    high = Math.max(high, input[i] ?? 0)
  }
  const span = f32(f32(high - low) / 255)
  const scale = span === 0 ? 1 : span
  const zeroPoint = Math.min(Math.max(nearest(f32(-low / scale)), 0), 255)
  const data = Uint8Array.from(input, (value) => quantizeValue(value, scale, zeroPoint, [0, 255]))
  return [
    { ...types[0], data },
    { ...types[1], data: Float32Array.of(scale) },
    { ...types[2], data: Uint8Array.of(zeroPoint) },
  ]
}

/** a, a scale, a zero point, b, b scale, b zero point, y scale, y zero point. */
export type QLinearMatMulInputs = readonly [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

/** Integer product, then a float32 rescale with ties to even. */
export function qLinearMatMul(inputs: QLinearMatMulInputs, type: TensorType): Tensor {
  const [a, aScale, aZero, b, bScale, bZero, yScale, yZero] = inputs
  const sums = integerMatMul(a, b, { a: aZero, b: bZero }, { elementType: 'int32', shape: type.shape })
  const columns = type.shape.at(-1) ?? 1
  return rescale(numberData(sums), [aScale, bScale, yScale], yZero, type, (i) => i % columns)
}

/** x, x scale, x zero point, w, w scale, w zero point, y scale, y zero point, optional int32 bias. */
export type QLinearConvInputs = readonly [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | undefined]

/** Integer convolution plus int32 bias, then a float32 rescale with ties to even. */
export function qLinearConv(form: ConvolutionForm, inputs: QLinearConvInputs, type: TensorType): Tensor {
  const [x, xScale, xZero, w, wScale, wZero, yScale, yZero, bias] = inputs
  const sums = numberData(integerConv(form, [x, w], { x: xZero, w: wZero }, { elementType: 'int32', shape: type.shape }))
  const [plane, filters] = [elementCount(type.shape.slice(2)), w.shape[0] ?? 1]
  const channel = (i: number) => Math.floor(i / plane) % filters
  if (bias !== undefined) for (let i = 0; i < sums.length; i++) sums[i] = ((sums[i] ?? 0) + getNumber(bias.data, channel(i))) | 0
  return rescale(sums, [xScale, wScale, yScale], yZero, type, channel)
}

function rescale(
  sums: NumberData,
  [aScale, bScale, yScale]: readonly [Tensor, Tensor, Tensor],
  yZero: Tensor,
  type: TensorType,
  channel: (i: number) => number,
): Tensor {
  const [a, b, y] = [numberData(aScale)[0] ?? 1, numberData(bScale), numberData(yScale)[0] ?? 1]
  const factors = Float32Array.from(b, (scale) => f32(f32(a * scale) / y))
  const [low, high] = quantizedRange(type.elementType)
  const zero = getNumber(yZero.data, 0)
  const data = allocate(type.elementType, sums.length)
  for (let i = 0; i < data.length; i++) {
    const factor = factors[factors.length === 1 ? 0 : channel(i)] ?? 1
    data[i] = Math.min(Math.max(nearest(f32(f32(sums[i] ?? 0) * factor)) + zero, low), high)
  }
  return { ...type, data }
}
