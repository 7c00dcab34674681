import { UnsupportedCircuitError } from '../errors.ts'
import { at } from '../internal/at.ts'

/** y = W x + b; `weights` holds the rows one after the other. */
export type DenseLayer = {
  readonly inputs: number
  readonly outputs: number
  readonly weights: Float64Array
  readonly bias: Float64Array
}

/** Dense layers with a square between them, and the range that every input value must lie in. */
export type SquareNetwork = { readonly layers: readonly DenseLayer[]; readonly inputRange: readonly [number, number] }

/**
 * Interval bounds: the largest of every layer's sums and of the outputs, and every sum for itself. They hold for every input in the range, not
 * just for samples.
 */
export type NetworkBounds = { readonly sums: readonly number[]; readonly output: number; readonly units: readonly Float64Array[] }

/**
 * Checks that layers fit each other and hold finite numbers.
 * @throws UnsupportedCircuitError
 */
export function assertNetwork({ layers, inputRange }: SquareNetwork): void {
  if (layers.length === 0) throw new UnsupportedCircuitError({ layer: 0, reason: 'there is no layer', change: 'add a dense layer' })
  const [low, high] = inputRange
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high))
    throw new UnsupportedCircuitError({ layer: 0, reason: 'the input range is empty', change: 'state the range of the inputs' })
  layers.forEach(({ inputs, outputs, weights, bias }, index) => {
    const layer = index + 1
    const before = layers[index - 1]
    if (weights.length !== inputs * outputs || bias.length !== outputs || (before !== undefined && before.outputs !== inputs))
      throw new UnsupportedCircuitError({ layer, reason: 'its shape does not fit', change: 'match rows, columns and bias' })
    if (![...weights, ...bias].every(Number.isFinite))
      throw new UnsupportedCircuitError({ layer, reason: 'a weight is not finite', change: 'export the model again' })
  })
}

/** Interval arithmetic through the network. */
export function boundNetwork({ layers, inputRange }: SquareNetwork): NetworkBounds {
  let lows = new Float64Array(at(layers, 0).inputs).fill(inputRange[0])
  let highs = new Float64Array(at(layers, 0).inputs).fill(inputRange[1])
  const units: Float64Array[] = []
  for (const layer of layers) {
    const next = boundLayer(layer, lows, highs)
    units.push(next.lows.map((low, i) => Math.max(Math.abs(low), Math.abs(at(next.highs, i)))))
    lows = next.lows.map((low, i) => (low <= 0 && at(next.highs, i) >= 0 ? 0 : Math.min(low ** 2, at(next.highs, i) ** 2)))
    highs = next.highs.map((high, i) => Math.max(at(next.lows, i) ** 2, high ** 2))
  }
  const sums = units.map((values) => Math.max(...values))
  return { sums, output: at(sums, sums.length - 1), units }
}

function boundLayer({ inputs, outputs, weights, bias }: DenseLayer, lows: Float64Array, highs: Float64Array) {
  const result = { lows: Float64Array.from(bias), highs: Float64Array.from(bias) }
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const weight = at(weights, o * inputs + i)
      const [a, b] = [weight * at(lows, i), weight * at(highs, i)]
      result.lows[o] = at(result.lows, o) + Math.min(a, b)
      result.highs[o] = at(result.highs, o) + Math.max(a, b)
    }
  }
  return result
}

/** The network in the clear, in double precision: what the encrypted result is compared with. */
export function evaluateInClear({ layers }: SquareNetwork, input: ArrayLike<number>): Float64Array {
  let values = Float64Array.from(input)
  layers.forEach(({ inputs, outputs, weights, bias }, index) => {
    const sums = Float64Array.from(bias)
    for (let o = 0; o < outputs; o++) {
      let sum = at(sums, o)
      for (let i = 0; i < inputs; i++) sum += at(weights, o * inputs + i) * at(values, i)
      sums[o] = index < layers.length - 1 ? sum * sum : sum
    }
    values = sums
  })
  return values
}
