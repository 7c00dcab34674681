// What a q8 network would compute without any rounding or clamping: real numbers in output steps (y - z), with exact exponentials, roots and
// functions in place of tables. Only for the kinds of a transformer block.
import type { Q8Layer, Q8Model } from '../../../model/src/q8/q8-model.ts'

/** Values of every boundary, minus the zero point. */
export function runReal(model: Q8Model, input: Int8Array, of: (x: number) => number): readonly Float64Array[] {
  const values: Float64Array[] = [Float64Array.from(input, (x) => x - (model.boundaries[0]?.zeroPoint ?? 0))]
  for (const layer of model.layers) values.push(real(model, layer, values, of))
  return values
}

function real(model: Q8Model, layer: Q8Layer, values: readonly Float64Array[], of: (x: number) => number): Float64Array {
  const at = (k: number): Float64Array => values[k] ?? new Float64Array(0)
  const scale = (k: number): number => model.boundaries[k]?.scale ?? 1
  switch (layer.kind) {
    case 'dense':
    case 'denseTransposed': {
      const { rows, inputSize, outputSize, weights, requantization } = layer
      const x = at(layer.input)
      const y = new Float64Array(rows * outputSize)
      for (let t = 0; t < rows; t++)
        for (let o = 0; o < outputSize; o++) {
          let acc = 0
          for (let j = 0; j < inputSize; j++) acc += (weights[o * inputSize + j] ?? 0) * (x[t * inputSize + j] ?? 0)
          const v = (requantization.multipliers[o] ?? 0) * acc + Number(requantization.biases[o] ?? 0n)
          y[layer.kind === 'dense' ? t * outputSize + o : o * rows + t] = v / 2 ** requantization.shift
        }
      return y
    }
    case 'matmul': {
      const { rows, heads, inner, outputs, orderB, requantization } = layer
      const [a, b] = [at(layer.inputs[0]), at(layer.inputs[1])]
      return Float64Array.from({ length: rows * heads * outputs }, (_, i) => {
        const [t, h, s] = [Math.floor(i / (heads * outputs)), Math.floor(i / outputs) % heads, i % outputs]
        const right = (orderB === 'tokens' ? s * heads + h : h * outputs + s) * inner
        let acc = 0
        for (let k = 0; k < inner; k++) acc += (a[(t * heads + h) * inner + k] ?? 0) * (b[right + k] ?? 0)
        return ((requantization.multipliers[0] ?? 0) * acc) / 2 ** requantization.shift
      })
    }
    case 'softmax': {
      const { rows, heads, size, mask } = layer
      const x = at(layer.input)
      return Float64Array.from({ length: x.length }, (_, i) => {
        const row = Math.floor(i / size)
        const seen = mask === 'causal' ? size - rows + 1 + Math.floor(row / heads) : size
        if (i % size >= seen) return 0
        let sum = 0
        for (let s = 0; s < seen; s++) sum += Math.exp(scale(layer.input) * ((x[row * size + s] ?? 0) - (x[i] ?? 0)))
        return 255 / sum
      })
    }
    case 'layerNorm': {
      const { size, gain, epsilon } = layer
      const x = at(layer.input)
      return Float64Array.from({ length: x.length }, (_, i) => {
        const row = x.subarray(Math.floor(i / size) * size, (Math.floor(i / size) + 1) * size)
        const mean = row.reduce((a, b) => a + b, 0) / size
        const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size
        return (gain * ((x[i] ?? 0) - mean)) / Math.sqrt(variance + epsilon / size ** 2)
      })
    }
    case 'add': {
      const [a, b] = [at(layer.inputs[0]), at(layer.inputs[1])]
      const [ma, mb] = layer.multipliers
      return a.map((value, i) => (ma * value + mb * (b[i] ?? 0)) / 2 ** layer.shift)
    }
    case 'table':
      return at(layer.input).map((value) => of(scale(layer.input) * value) / scale(layer.input))
    default:
      throw new Error(layer.kind)
  }
}

/** Root mean square of the differences over that of the values. */
export function relativeError(actual: ArrayLike<number>, expected: Float64Array): number {
  let [error, size] = [0, 0]
  expected.forEach((value, i) => {
    error += ((actual[i] ?? 0) - value) ** 2
    size += value ** 2
  })
  return Math.sqrt(error / size)
}
