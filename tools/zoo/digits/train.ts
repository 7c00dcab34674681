// Stochastic gradient descent for the 64-32-10 digit classifiers. Every number comes from + - * / and sqrt on doubles, the
// project's own exp, and a seeded generator, so that every machine trains the same bits.
import { type Digit, digitInput, mulberry32 } from '../../../packages/model/src/digits.ts'
import { exp } from '../../../packages/model/src/f32/functions.ts'

export type Activation = 'relu' | 'square'

/** Two dense layers, row-major [output, input]. */
export type Classifier = {
  readonly activation: Activation
  readonly hiddenWeights: Float64Array
  readonly hiddenBias: Float64Array
  readonly outputWeights: Float64Array
  readonly outputBias: Float64Array
}

export const inputSize = 64
export const hiddenSize = 32
export const classCount = 10

/** What a training run is made of; the model cards repeat it. */
export type Recipe = {
  readonly seed: number
  readonly epochs: number
  readonly rate: number
  readonly decay: number
  readonly averagedEpochs: number
}

/** Trains a classifier; weights of the last epochs are averaged. */
export function train(digits: readonly Digit[], activation: Activation, recipe: Recipe): Classifier {
  const random = mulberry32(recipe.seed)
  const model = initialize(activation, random)
  const inputs = digits.map(digitInput)
  const mean = [model.hiddenWeights, model.hiddenBias, model.outputWeights, model.outputBias].map(
    (values) => new Float64Array(values.length),
  )
  for (let epoch = 0; epoch < recipe.epochs; epoch++) {
    const rate = recipe.rate * (1 - epoch / recipe.epochs) + recipe.rate * 0.02
    for (let step = 0; step < digits.length; step++) {
      const chosen = Math.floor(random() * digits.length)
      const input = augment(inputs[chosen] ?? new Float32Array(inputSize), random)
      descend(model, input, digits[chosen]?.label ?? 0, rate, recipe.decay)
    }
    if (epoch >= recipe.epochs - recipe.averagedEpochs) accumulate(mean, model, 1 / recipe.averagedEpochs)
  }
  const [hiddenWeights, hiddenBias, outputWeights, outputBias] = mean
  if (hiddenWeights === undefined || hiddenBias === undefined || outputWeights === undefined || outputBias === undefined)
    throw new Error('unreachable')
  return { activation, hiddenWeights, hiddenBias, outputWeights, outputBias }
}

function initialize(activation: Activation, random: () => number): Classifier {
  const gain = activation === 'relu' ? 1 : 0.5
  return {
    activation,
    hiddenWeights: uniform(hiddenSize * inputSize, gain * Math.sqrt(6 / inputSize), random),
    hiddenBias: new Float64Array(hiddenSize),
    outputWeights: uniform(classCount * hiddenSize, Math.sqrt(6 / hiddenSize), random),
    outputBias: new Float64Array(classCount),
  }
}

/** Uniform in ±limit. */
export function uniform(count: number, limit: number, random: () => number): Float64Array {
  return Float64Array.from({ length: count }, () => (2 * random() - 1) * limit)
}

/** One in four samples is shifted by one pixel, left, right, up or down. */
export function augment(input: Float32Array, random: () => number): Float32Array {
  if (random() >= 0.25) return input
  const [dx, dy] = [
    [-1, 0],
    [1, 0],
    [0, -1],
    [0, 1],
  ][Math.floor(random() * 4)] ?? [0, 0]
  const shifted = new Float32Array(inputSize)
  for (let y = 0; y < 8; y++)
    for (let x = 0; x < 8; x++) {
      const [sourceY, sourceX] = [y - (dy ?? 0), x - (dx ?? 0)]
      if (sourceY >= 0 && sourceY < 8 && sourceX >= 0 && sourceX < 8) shifted[y * 8 + x] = input[sourceY * 8 + sourceX] ?? 0
    }
  return shifted
}

/** One step on the cross-entropy of one sample, with weight decay. */
function descend(model: Classifier, input: Float32Array, label: number, rate: number, decay: number): void {
  const { hiddenWeights, hiddenBias, outputWeights, outputBias } = model
  const sums = dense(hiddenWeights, hiddenBias, input)
  const hidden = sums.map((sum) => (model.activation === 'relu' ? Math.max(sum, 0) : sum * sum))
  const gradient = softmax(dense(outputWeights, outputBias, hidden))
  gradient[label] = (gradient[label] ?? 0) - 1
  const backward = new Float64Array(hiddenSize)
  const keep = 1 - rate * decay
  for (let i = 0; i < classCount; i++) {
    const g = gradient[i] ?? 0
    for (let j = 0; j < hiddenSize; j++) {
      const at = i * hiddenSize + j
      const weight = outputWeights[at] ?? 0
      backward[j] = (backward[j] ?? 0) + g * weight
      outputWeights[at] = keep * weight - rate * g * (hidden[j] ?? 0)
    }
    outputBias[i] = (outputBias[i] ?? 0) - rate * g
  }
  for (let j = 0; j < hiddenSize; j++) {
    const sum = sums[j] ?? 0
    const slope = model.activation === 'relu' ? Number(sum > 0) : 2 * sum
    const g = (backward[j] ?? 0) * slope
    const start = j * inputSize
    for (let k = 0; k < inputSize; k++) hiddenWeights[start + k] = keep * (hiddenWeights[start + k] ?? 0) - rate * g * (input[k] ?? 0)
    hiddenBias[j] = (hiddenBias[j] ?? 0) - rate * g
  }
}

function dense(weights: Float64Array, bias: Float64Array, input: Float32Array | Float64Array): Float64Array {
  const size = input.length
  return bias.map((value, i) => {
    let sum = value
    for (let j = 0; j < size; j++) sum += (weights[i * size + j] ?? 0) * (input[j] ?? 0)
    return sum
  })
}

/** Shares that add up to one. */
export function softmax(logits: Float64Array): Float64Array {
  const largest = Math.max(...logits)
  const exponentials = logits.map((value) => exp(Math.fround(value - largest)))
  const sum = exponentials.reduce((total, value) => total + value, 0)
  return exponentials.map((value) => value / sum)
}

function accumulate(mean: readonly Float64Array[], model: Classifier, share: number): void {
  const parts = [model.hiddenWeights, model.hiddenBias, model.outputWeights, model.outputBias]
  for (const [index, part] of parts.entries()) {
    const target = mean[index]
    if (target !== undefined) for (let i = 0; i < part.length; i++) target[i] = (target[i] ?? 0) + share * (part[i] ?? 0)
  }
}
