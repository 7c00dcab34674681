// The adversary: features of number, sizes and times of messages, and two classifiers that learn from labelled traffic. What
// they can do is measured on traffic that they have not seen, as the area under the ROC curve: 0.5 is guessing, 1 is certainty.
import type { Observation, SeenMessage } from './traffic.ts'

const firstMessages = 24

/** Counts, sums, spreads and quantiles per direction, and the first messages one by one. */
export function featuresOf({ seen }: Observation): readonly number[] {
  const directions = [seen.filter(({ up }) => !up), seen.filter(({ up }) => up), seen]
  return [seen.at(-1)?.atMs ?? 0, ...directions.flatMap(directionFeatures)]
}

function directionFeatures(messages: readonly SeenMessage[]): readonly number[] {
  const sizes = messages.map(({ bytes }) => bytes)
  const gaps = messages.slice(1).map(({ atMs }, i) => atMs - (messages[i]?.atMs ?? 0))
  return [messages.length, sum(sizes), ...summary(sizes), ...summary(gaps), ...padded(sizes), ...padded(gaps)]
}

function summary(values: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b)
  const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0
  const mean = values.length === 0 ? 0 : sum(values) / values.length
  const spread = Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / Math.max(1, values.length))
  return [mean, spread, quantile(0), quantile(0.1), quantile(0.5), quantile(0.9), quantile(1)]
}

function padded(values: readonly number[]): readonly number[] {
  return Array.from({ length: firstMessages }, (_, i) => values[i] ?? 0)
}

/** Learns from the first observations, is examined on the rest; the better of two classifiers counts. */
export function examine(
  observations: readonly Observation[],
  { trainShare = 0.5 }: { readonly trainShare?: number } = {},
): {
  readonly auc: number
  readonly tested: number
} {
  const cut = Math.floor(observations.length * trainShare)
  const scale = standardizer(observations.slice(0, cut).map(featuresOf))
  const samples = observations.map((observation) => ({ features: scale(featuresOf(observation)), label: observation.topic }))
  const [train, test] = [samples.slice(0, cut), samples.slice(cut)]
  const scorers = [trainLogisticRegression(train), trainNearestNeighbours(train)]
  const aucs = scorers.map((score) => areaUnderCurve(test.map(({ features, label }) => ({ score: score(features), label }))))
  return { auc: Math.max(...aucs), tested: test.length }
}

type Sample = { readonly features: readonly number[]; readonly label: 0 | 1 }
type Scorer = (features: readonly number[]) => number

function standardizer(rows: readonly (readonly number[])[]): (row: readonly number[]) => readonly number[] {
  const columns = rows[0]?.map((_, j) => rows.map((row) => row[j] ?? 0)) ?? []
  const scales = columns.map((column) => {
    const mean = sum(column) / column.length
    const deviation = Math.sqrt(sum(column.map((value) => (value - mean) ** 2)) / column.length)
    return { mean, deviation: deviation < 1e-9 ? Number.POSITIVE_INFINITY : deviation }
  })
  // Clipped, so that one hiccup of the machine does not decide.
  return (row) => row.map((value, j) => Math.max(-5, Math.min(5, (value - (scales[j]?.mean ?? 0)) / (scales[j]?.deviation ?? 1))))
}

/** Batch gradient descent on the regularised logistic loss. */
function trainLogisticRegression(samples: readonly Sample[], { steps = 400, rate = 0.1, decay = 0.02 } = {}): Scorer {
  const weights = new Float64Array(samples[0]?.features.length ?? 0)
  let bias = 0
  const score: Scorer = (features) => features.reduce((total, value, j) => total + value * (weights[j] ?? 0), bias)
  for (let step = 0; step < steps; step++) {
    const gradient = new Float64Array(weights.length)
    let biasGradient = 0
    for (const { features, label } of samples) {
      const error = 1 / (1 + Math.exp(-score(features))) - label
      for (let j = 0; j < gradient.length; j++) gradient[j] = (gradient[j] ?? 0) + error * (features[j] ?? 0)
      biasGradient += error
    }
    for (let j = 0; j < weights.length; j++) {
      weights[j] = (weights[j] ?? 0) - rate * ((gradient[j] ?? 0) / samples.length + decay * (weights[j] ?? 0))
    }
    bias -= (rate * biasGradient) / samples.length
  }
  return score
}

/** Share of class 1 among the nearest training samples. */
function trainNearestNeighbours(samples: readonly Sample[], { neighbours = 9 } = {}): Scorer {
  return (features) => {
    const nearest = samples
      .map((sample) => ({ label: sample.label, distance: sum(sample.features.map((value, j) => (value - (features[j] ?? 0)) ** 2)) }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, neighbours)
    return sum(nearest.map(({ label }) => label)) / nearest.length
  }
}

/** Mann and Whitney: the share of pairs that are in order, ties counting half. */
export function areaUnderCurve(scored: readonly { readonly score: number; readonly label: 0 | 1 }[]): number {
  const [positives, negatives] = [scored.filter(({ label }) => label === 1), scored.filter(({ label }) => label === 0)]
  let inOrder = 0
  for (const positive of positives) {
    for (const negative of negatives) inOrder += positive.score > negative.score ? 1 : positive.score === negative.score ? 0.5 : 0
  }
  return inOrder / (positives.length * negatives.length)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
