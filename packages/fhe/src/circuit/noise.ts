import { at } from '../internal/at.ts'
import { getParameters } from '../parameters.ts'
import { floodingLimit } from './flooding.ts'
import type { DenseLayer, NetworkBounds, SquareNetwork } from './network.ts'
import type { CircuitPlan } from './plan.ts'

// Variances are followed through the circuit, in the canonical embedding and per output, as in Costache, Curtis, Hales, Murphy, Ogilvie, Player,
// "On the precision loss in approximate homomorphic encryption" (SAC 2023, ePrint 2022/162, abstract read): a polynomial with independent coefficients of deviation c
// has slots whose real parts have deviation c sqrt(N/2), and sums of so many terms are taken as Gaussian. Unlike the paper, errors that
// rows of a matrix make out of the same noise are not taken as independent: their covariance enters with the largest singular value.

const errorDeviation = Math.sqrt(10.5)
const roundingDeviation = Math.sqrt(1 / 12)
/** The bound is this many standard deviations. */
const deviations = 7
/** log2 of the probability that a Gaussian leaves that many deviations. */
const tailLog2 = -38

/**
 * The error of the outputs against exact arithmetic. `bound` is for any input in the range: every sum before a square is taken at its
 * interval bound. `typical` is the same for an input whose values are drawn uniformly from the range: sums are taken at their root mean
 * square. One answer exceeds either with probability 2^failureLog2 over the keys' and the ciphertexts' randomness.
 */
export type ErrorPrediction = {
  readonly bound: number
  readonly typical: number
  /** Standard deviation of the evaluation's own noise, for any input and for a typical one: what flooding hides. */
  readonly deviation: number
  readonly typicalDeviation: number
  readonly failureLog2: number
}

/** Adds up all noise of a plan. */
export function predictError(plan: Omit<CircuitPlan, 'error'>, network: SquareNetwork, bounds: NetworkBounds): ErrorPrediction {
  const worst = outputDeviations(plan, network, worstMagnitudes(plan, network, bounds))
  const usual = outputDeviations(plan, network, typicalMagnitudes(plan, network))
  const flooding = floodingLimit(plan.output.flooding) / plan.output.scale
  const failureLog2 = tailLog2 + Math.log2(plan.output.outputs)
  return {
    bound: roundUp(worst.tail + flooding),
    typical: roundUp(usual.tail + flooding),
    deviation: roundUp(worst.evaluation),
    typicalDeviation: roundUp(usual.evaluation),
    failureLog2: Math.ceil(failureLog2),
  }
}

/** To three digits: the last bits of roots and logarithms differ between engines, and a plan is hashed. */
function roundUp(value: number): number {
  return Number((value * 1.005).toPrecision(3))
}

/** Sizes of the values inside: the Euclidean norm of the input, and the sums of every hidden layer, one by one. */
type Magnitudes = { readonly input: number; readonly sums: readonly Float64Array[] }

function worstMagnitudes({ input }: Omit<CircuitPlan, 'error'>, { layers }: SquareNetwork, { units }: NetworkBounds): Magnitudes {
  const largest = Math.max(...input.range.map(Math.abs))
  return { input: largest * Math.sqrt(input.count), sums: units.slice(0, layers.length - 1) }
}

// Means and variances through the network, values of one layer taken as independent and sums as Gaussian.
function typicalMagnitudes({ input }: Omit<CircuitPlan, 'error'>, { layers }: SquareNetwork): Magnitudes {
  const [low, high] = input.range
  let means = new Float64Array(input.count).fill((low + high) / 2)
  let variances = new Float64Array(input.count).fill((high - low) ** 2 / 12)
  const norm = Math.sqrt(input.count * ((low + high) ** 2 / 4 + (high - low) ** 2 / 12))
  const sums = layers.slice(0, -1).map((layer) => {
    const sumMeans = Float64Array.from(layer.bias, (bias, row) => bias + rowSum(layer, row, (w, i) => w * at(means, i)))
    const sumVariances = Float64Array.from(layer.bias, (_, row) => rowSum(layer, row, (w, i) => w ** 2 * at(variances, i)))
    means = sumMeans.map((mean, i) => mean ** 2 + at(sumVariances, i))
    variances = sumMeans.map((mean, i) => 4 * mean ** 2 * at(sumVariances, i) + 2 * at(sumVariances, i) ** 2)
    return means.map(Math.sqrt)
  })
  return { input: norm, sums }
}

type OutputDeviations = { readonly tail: number; readonly evaluation: number }

function outputDeviations(plan: Omit<CircuitPlan, 'error'>, network: SquareNetwork, magnitudes: Magnitudes): OutputDeviations {
  const n = getParameters(plan.parameters).polyDegree
  const rescale = Math.sqrt((1 + (2 * n) / 3) / 12)
  const { output } = plan
  const last = at(network.layers, network.layers.length - 1)
  const hidden = plan.hidden.length === 0 ? linearNoise(plan, last, magnitudes) : hiddenNoise(plan, network, magnitudes)
  const answer = (rescale * 2 ** (60 - output.width)) / output.scale
  // Of the encryption of zero: e u + e0 + e1 s.
  const mask = (errorDeviation * Math.sqrt(1 + (4 * n) / 3)) / output.scale
  return { tail: deviations * Math.hypot(hidden.deviation, hidden.encoding, answer, mask) + hidden.bias, evaluation: hidden.deviation }
}

/** What noise makes of the outputs, and apart from it what the rounding of weights does, which is the same for every request. */
type LayerNoise = { readonly deviation: number; readonly encoding: number; readonly bias: number }

// Output o is coefficient (o + 1) B - 1 of x W: every coefficient of the noise meets one of W.
function linearNoise({ input, output }: Omit<CircuitPlan, 'error'>, layer: DenseLayer, magnitudes: Magnitudes): LayerNoise {
  const fresh = (Math.hypot(errorDeviation, roundingDeviation) * Math.sqrt(sumOf(layer.weights, (w) => w ** 2))) / input.scale
  return { deviation: fresh, encoding: (roundingDeviation * magnitudes.input) / output.weightScale, bias: 0 }
}

function hiddenNoise(plan: Omit<CircuitPlan, 'error'>, network: SquareNetwork, magnitudes: Magnitudes): LayerNoise {
  const n = getParameters(plan.parameters).polyDegree
  const root = Math.sqrt(n / 2)
  const rescale = root * Math.sqrt((1 + (2 * n) / 3) / 12)
  const rounding = root * roundingDeviation
  // Two kinds of error of the vector that enters a layer, each as the largest singular value of its covariance: what is the same in all
  // copies of the vector, and what differs from copy to copy, so that the mean over copies at the end makes it smaller.
  let [shared, spread] = [(root * Math.hypot(errorDeviation, roundingDeviation)) / plan.input.scale, 0]
  let [length, scale, bias, encoding] = [magnitudes.input, plan.input.scale, 0, 0]
  const copies = n / 2 / Math.max(...plan.hidden.map(({ period }) => period))
  let factors = new Float64Array()
  plan.hidden.forEach((layer, index) => {
    const dense = at(network.layers, index)
    const gain = largestSingularValue(dense)
    const keySwitch = root * Math.sqrt((Math.ceil(layer.level / 2) * n) / 12) * errorDeviation
    const added = (gain * keySwitch) / scale
    // The sums of the first layer's folds run over all copies, so what comes before them is the same everywhere.
    const before = index === 0 ? Math.hypot(gain * shared, added) : gain * shared
    const differing = index === 0 ? rescale / layer.sumScale : Math.hypot(gain * spread, added, rescale / layer.sumScale)
    const sums = at(magnitudes.sums, index)
    factors = sums.map((sum) => 2 * sum)
    const largest = Math.max(...factors)
    // Of the first layer halves of the weights are encoded, and twice the real part of a product counts.
    const rounded = Math.hypot(gain * encoding, ((index === 0 ? 2 : 1) * rounding * length) / layer.weightScale)
    const isLast = index === plan.hidden.length - 1
    bias = bias * gain * largest + deviations ** 2 * (before ** 2 + differing ** 2 + rounded ** 2) * Math.sqrt(dense.outputs)
    encoding = isLast ? rounded : largest * rounded
    // Before the last layer the factors stay apart from its weights: see below.
    ;[shared, spread] = isLast ? [before, differing] : [largest * before, Math.hypot(largest * differing, rescale / layer.squareScale)]
    length = Math.sqrt(sumOf(sums, (sum) => sum ** 4))
    scale = layer.squareScale
  })
  const last = at(network.layers, network.layers.length - 1)
  const rows = Array.from({ length: last.outputs }, (_, row) => row)
  const weighted = Math.sqrt(Math.max(...rows.map((row) => rowSum(last, row, (w, i) => (w * at(factors, i)) ** 2))))
  const plain = Math.sqrt(Math.max(...rows.map((row) => rowSum(last, row, (w) => w ** 2))))
  const period = at(plan.hidden, plan.hidden.length - 1).period
  const deviation = Math.hypot(
    weighted * Math.hypot(shared, spread / Math.sqrt(copies)),
    (plain * rescale) / scale / Math.sqrt(n / 2 / period),
  )
  // The hidden vector's coefficients have the norm of its root mean square.
  const outputRounding = (roundingDeviation * length) / Math.sqrt(period) / plan.output.weightScale
  return { deviation, encoding: Math.hypot(weighted * encoding, outputRounding), bias: plain * bias }
}

/** By power iteration from all ones and from alternating signs; five percent are added for what is left to converge. */
function largestSingularValue(layer: DenseLayer): number {
  const start = [(): number => 1, (i: number): number => (i % 2 === 0 ? 1 : -1), (i: number): number => ((i * 7919) % 199) - 99]
  return (
    1.05 *
    Math.max(
      ...start.map((value) =>
        iterate(
          layer,
          Float64Array.from({ length: layer.inputs }, (_, i) => value(i)),
        ),
      ),
    )
  )
}

function iterate({ inputs, outputs, weights }: DenseLayer, start: Float64Array): number {
  let [vector, norm] = [start, 0]
  for (let step = 0; step < 12; step++) {
    const length = Math.sqrt(sumOf(vector, (x) => x ** 2))
    if (length === 0) return norm
    const next = new Float64Array(inputs)
    let square = 0
    for (let o = 0; o < outputs; o++) {
      const offset = o * inputs
      let image = 0
      // In bounds: `assertNetwork` checked the number of weights.
      for (let i = 0; i < inputs; i++) image += (weights[offset + i] as number) * (vector[i] as number)
      image /= length
      square += image ** 2
      for (let i = 0; i < inputs; i++) next[i] = (next[i] as number) + (weights[offset + i] as number) * image
    }
    ;[vector, norm] = [next, Math.max(norm, Math.sqrt(square))]
  }
  return norm
}

function rowSum({ inputs, weights }: DenseLayer, row: number, term: (weight: number, index: number) => number): number {
  let sum = 0
  for (let i = 0; i < inputs; i++) sum += term(at(weights, row * inputs + i), i)
  return sum
}

function sumOf(values: Float64Array, term: (value: number) => number): number {
  let sum = 0
  for (const value of values) sum += term(value)
  return sum
}
