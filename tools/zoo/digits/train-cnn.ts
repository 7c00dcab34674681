// The convolutional digit classifier: conv 3x3 (8 channels, padded), ReLU, average pool 2x2, dense 128-10. Same rules as
// train.ts: plain arithmetic, the project's own exp, one seed.
import { type Digit, digitInput, mulberry32 } from '../../../packages/model/src/digits.ts'
import { augment, classCount, type Recipe, softmax, uniform } from './train.ts'

export const channels = 8
const size = 8
const kernel = 9
const pooled = size / 2
export const features: number = channels * pooled * pooled

/** [channel, ky, kx] filters, then a dense layer over [channel, y, x]. */
export type ConvolutionalClassifier = {
  readonly filters: Float64Array
  readonly filterBias: Float64Array
  readonly outputWeights: Float64Array
  readonly outputBias: Float64Array
}

/** Trains the classifier; weights of the last epochs are averaged. */
export function trainConvolutional(digits: readonly Digit[], recipe: Recipe): ConvolutionalClassifier {
  const random = mulberry32(recipe.seed)
  const model: ConvolutionalClassifier = {
    filters: uniform(channels * kernel, Math.sqrt(6 / kernel), random),
    filterBias: new Float64Array(channels),
    outputWeights: uniform(classCount * features, Math.sqrt(6 / features), random),
    outputBias: new Float64Array(classCount),
  }
  const inputs = digits.map(digitInput)
  const mean = {
    filters: model.filters.map(() => 0),
    filterBias: model.filterBias.map(() => 0),
    outputWeights: model.outputWeights.map(() => 0),
    outputBias: model.outputBias.map(() => 0),
  }
  for (let epoch = 0; epoch < recipe.epochs; epoch++) {
    const rate = recipe.rate * (1 - epoch / recipe.epochs) + recipe.rate * 0.02
    for (let step = 0; step < digits.length; step++) {
      const chosen = Math.floor(random() * digits.length)
      const input = augment(inputs[chosen] ?? new Float32Array(size * size), random)
      descend(model, input, digits[chosen]?.label ?? 0, rate, recipe.decay)
    }
    if (epoch < recipe.epochs - recipe.averagedEpochs) continue
    for (const part of ['filters', 'filterBias', 'outputWeights', 'outputBias'] as const)
      for (const [i, value] of model[part].entries()) mean[part][i] = (mean[part][i] ?? 0) + value / recipe.averagedEpochs
  }
  return mean
}

/** A 10 x 10 copy with a border of zeros, so that windows need no bounds checks. */
function bordered(input: Float32Array): Float64Array {
  const wide = new Float64Array(100)
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) wide[(y + 1) * 10 + x + 1] = input[y * size + x] ?? 0
  return wide
}

function descend(model: ConvolutionalClassifier, input: Float32Array, label: number, rate: number, decay: number): void {
  const { filters, filterBias, outputWeights, outputBias } = model
  const wide = bordered(input)
  const active = new Uint8Array(channels * size * size)
  const pooledValues = forward(model, wide, active)
  const gradient = softmax(
    outputBias.map((bias, i) => {
      let sum = bias
      for (let j = 0; j < features; j++) sum += (outputWeights[i * features + j] ?? 0) * (pooledValues[j] ?? 0)
      return sum
    }),
  )
  gradient[label] = (gradient[label] ?? 0) - 1
  const backward = new Float64Array(features)
  const keep = 1 - rate * decay
  for (let i = 0; i < classCount; i++) {
    const g = gradient[i] ?? 0
    for (let j = 0; j < features; j++) {
      const at = i * features + j
      const weight = outputWeights[at] ?? 0
      backward[j] = (backward[j] ?? 0) + g * weight
      outputWeights[at] = keep * weight - rate * g * (pooledValues[j] ?? 0)
    }
    outputBias[i] = (outputBias[i] ?? 0) - rate * g
  }
  for (let c = 0; c < channels; c++) {
    const slope = new Float64Array(kernel)
    let biasSlope = 0
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        if (active[(c * size + y) * size + x] === 0) continue
        const g = (backward[(c * pooled + (y >> 1)) * pooled + (x >> 1)] ?? 0) / 4
        biasSlope += g
        for (let k = 0; k < kernel; k++) slope[k] = (slope[k] ?? 0) + g * (wide[(y + Math.floor(k / 3)) * 10 + x + (k % 3)] ?? 0)
      }
    for (let k = 0; k < kernel; k++) filters[c * kernel + k] = keep * (filters[c * kernel + k] ?? 0) - rate * (slope[k] ?? 0)
    filterBias[c] = (filterBias[c] ?? 0) - rate * biasSlope
  }
}

/** Convolution, ReLU and pooling; `active` marks where ReLU passes. */
function forward({ filters, filterBias }: ConvolutionalClassifier, wide: Float64Array, active: Uint8Array): Float64Array {
  const result = new Float64Array(features)
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        let sum = filterBias[c] ?? 0
        for (let k = 0; k < kernel; k++) sum += (filters[c * kernel + k] ?? 0) * (wide[(y + Math.floor(k / 3)) * 10 + x + (k % 3)] ?? 0)
        if (sum <= 0) continue
        active[(c * size + y) * size + x] = 1
        const at = (c * pooled + (y >> 1)) * pooled + (x >> 1)
        result[at] = (result[at] ?? 0) + sum / 4
      }
  return result
}
