import type { Window } from '../graph.ts'
import { allocate, elementCount, type Tensor, type TensorType } from '../tensor.ts'
import { numberData } from './arrays.ts'
import { windowWalker } from './window-positions.ts'

const f32 = Math.fround

/** The largest element of each window; padding does not count. */
export function maxPool(window: Window, x: Tensor, type: TensorType): Tensor {
  const input = numberData(x)
  const data = allocate(type.elementType, elementCount(type.shape))
  forEachPlane(x, type, window, (walk, inputStart, outputIndex, position) => {
    let largest = Number.NEGATIVE_INFINITY
    walk(position, (_, inputIndex) => {
      largest = Math.max(largest, input[inputStart + inputIndex] ?? 0)
    })
    data[outputIndex] = largest
  })
  return { ...type, data }
}

/** The mean of each window, in row-major order with one accumulator. */
export function averagePool(form: { readonly window: Window; readonly countIncludePad: boolean }, x: Tensor, type: TensorType): Tensor {
  const input = numberData(x)
  const data = new Float32Array(elementCount(type.shape))
  forEachPlane(x, type, form.window, (walk, inputStart, outputIndex, position) => {
    let sum = 0
    let inside = 0
    const extended = walk(position, (_, inputIndex) => {
      sum = f32(sum + (input[inputStart + inputIndex] ?? 0))
      inside++
    })
    data[outputIndex] = f32(sum / (form.countIncludePad ? extended : inside))
  })
  return { ...type, data }
}

function forEachPlane(
  x: Tensor,
  type: TensorType,
  window: Window,
  compute: (walk: ReturnType<typeof windowWalker>, inputStart: number, outputIndex: number, position: number) => void,
): void {
  const [batch = 1, channels = 1, ...inputSize] = x.shape
  const outputSize = type.shape.slice(2)
  const [inputPlane, outputPlane] = [elementCount(inputSize), elementCount(outputSize)]
  const walk = windowWalker(window, inputSize, outputSize)
  for (let plane = 0; plane < batch * channels; plane++)
    for (let position = 0; position < outputPlane; position++) compute(walk, plane * inputPlane, plane * outputPlane + position, position)
}
