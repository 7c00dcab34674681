import { exp, log } from '../f32/functions.ts'
import { elementCount, type Tensor, type TensorType } from '../tensor.ts'
import { broadcastIndices, numberData } from './arrays.ts'
import { laneSum } from './lane-sum.ts'
import { reductionGroups } from './reduce.ts'

const f32 = Math.fround

/** y = x a + b with a = scale / sqrt(variance + epsilon), b = bias - mean a, per channel. */
export function batchNormalization(epsilon: number, inputs: readonly [Tensor, Tensor, Tensor, Tensor, Tensor], type: TensorType): Tensor {
  const [x, scale, bias, mean, variance] = inputs.map(numberData)
  const channels = inputs[0].shape[1] ?? 1
  const plane = elementCount(inputs[0].shape.slice(2))
  const a = Float32Array.from({ length: channels }, (_, c) =>
    f32((scale?.[c] ?? 0) / f32(Math.sqrt(f32((variance?.[c] ?? 0) + f32(epsilon))))),
  )
  const b = Float32Array.from({ length: channels }, (_, c) => f32((bias?.[c] ?? 0) - f32((mean?.[c] ?? 0) * (a[c] ?? 0))))
  const data = new Float32Array(x?.length ?? 0)
  for (let i = 0; i < data.length; i++) {
    const c = Math.floor(i / plane) % channels
    data[i] = f32(f32((x?.[i] ?? 0) * (a[c] ?? 0)) + (b[c] ?? 0))
  }
  return { ...type, data }
}

/** Zero mean and unit variance over the trailing axes, then scale and bias. */
export function layerNormalization(
  form: { readonly axis: number; readonly epsilon: number },
  inputs: readonly [Tensor, Tensor, Tensor | undefined],
  type: TensorType,
): Tensor {
  return normalizeRows(form.axis, inputs, type, (n, at) => {
    const mean = f32(laneSum(n, at) / n)
    const deviation = (i: number) => f32(at(i) - mean)
    const variance = f32(laneSum(n, (i) => f32(deviation(i) * deviation(i))) / n)
    const inverse = f32(1 / f32(Math.sqrt(f32(variance + f32(form.epsilon)))))
    return (i) => f32(deviation(i) * inverse)
  })
}

/** Unit mean square over the trailing axes, then scale. */
export function rmsNormalization(
  form: { readonly axis: number; readonly epsilon: number },
  inputs: readonly [Tensor, Tensor],
  type: TensorType,
): Tensor {
  return normalizeRows(form.axis, [...inputs, undefined], type, (n, at) => {
    const meanSquare = f32(laneSum(n, (i) => f32(at(i) * at(i))) / n)
    const inverse = f32(1 / f32(Math.sqrt(f32(meanSquare + f32(form.epsilon)))))
    return (i) => f32(at(i) * inverse)
  })
}

function normalizeRows(
  axis: number,
  [x, scale, bias]: readonly [Tensor, Tensor, Tensor | undefined],
  type: TensorType,
  normalizer: (n: number, at: (i: number) => number) => (i: number) => number,
): Tensor {
  const input = numberData(x)
  const rowShape = x.shape.slice(axis)
  const n = elementCount(rowShape)
  const [factors, scaleIndex] = [numberData(scale), broadcastIndices(rowShape, scale.shape)]
  const [terms, biasIndex] = bias === undefined ? [] : [numberData(bias), broadcastIndices(rowShape, bias.shape)]
  const data = new Float32Array(input.length)
  for (let start = 0; start < input.length; start += n) {
    const normalized = normalizer(n, (i) => input[start + i] ?? 0)
    for (let i = 0; i < n; i++) {
      const scaled = f32(normalized(i) * (factors[scaleIndex[i] ?? 0] ?? 0))
      data[start + i] = terms === undefined ? scaled : f32(scaled + (terms[biasIndex?.[i] ?? 0] ?? 0))
    }
  }
  return { ...type, data }
}

/** Softmax or its logarithm along one axis. */
export function softmax(operator: 'Softmax' | 'LogSoftmax', x: Tensor, axis: number, type: TensorType): Tensor {
  const input = numberData(x)
  const { starts, offsets } = reductionGroups(x.shape, [axis])
  const data = new Float32Array(input.length)
  for (const start of starts) {
    const at = (i: number) => input[start + (offsets[i] ?? 0)] ?? 0
    let largest = Number.NEGATIVE_INFINITY
    for (let i = 0; i < offsets.length; i++) largest = Math.max(largest, at(i))
    const exponentials = Float32Array.from(offsets, (_, i) => exp(f32(at(i) - largest)))
    const sum = laneSum(offsets.length, (i) => exponentials[i] ?? 0)
    const [inverse, logarithm] = [f32(1 / sum), operator === 'LogSoftmax' ? log(sum) : 0]
    for (const [i, offset] of offsets.entries())
      data[start + offset] = operator === 'Softmax' ? f32((exponentials[i] ?? 0) * inverse) : f32(f32(at(i) - largest) - logarithm)
  }
  return { ...type, data }
}
