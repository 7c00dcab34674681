// The layers that work on whole rows (docs/spec/q8.md, section 3): softmax and layer normalisation in integers.
import type { Q8Boundary, Q8LayerNorm, Q8Softmax } from './q8-model.ts'

/** y + 128 = floor((510 e + Z) / (2 Z)) with e = table[max - x], Z the sum of e over the positions that the row sees; 0 elsewhere. */
export function softmax(layer: Q8Softmax, x: Int8Array): Int8Array {
  const { rows, heads, size, mask, table } = layer
  const y = new Int8Array(x.length).fill(-128)
  for (let row = 0; row < rows * heads; row++) {
    const seen = mask === 'causal' ? size - rows + 1 + Math.floor(row / heads) : size
    const values = x.subarray(row * size, row * size + seen)
    const largest = values.reduce((best, value) => Math.max(best, value), -128)
    const exponentials = Float64Array.from(values, (value) => table[largest - value] ?? 0)
    const sum = exponentials.reduce((total, e) => total + e, 0)
    for (const [s, e] of exponentials.entries()) y[row * size + s] = Math.floor((510 * e + sum) / (2 * sum)) - 128
  }
  return y
}

/** c = size x - sum x; y = clamp(floor((2 gain c + sigma) / (2 sigma)) + z, lo, hi), sigma = floor(sqrt(size sum x^2 - (sum x)^2 + epsilon)). */
export function layerNorm(layer: Q8LayerNorm, x: Int8Array, output: Q8Boundary): Int8Array {
  const { rows, size, gain, epsilon } = layer
  const y = new Int8Array(x.length)
  for (let row = 0; row < rows; row++) {
    const values = x.subarray(row * size, (row + 1) * size)
    const sum = values.reduce((total, value) => total + value, 0)
    const squares = values.reduce((total, value) => total + value * value, 0)
    const sigma = floorRoot(size * squares - sum * sum + epsilon)
    for (const [j, value] of values.entries()) {
      const rounded = Math.floor((2 * gain * (size * value - sum) + sigma) / (2 * sigma)) + output.zeroPoint
      y[row * size + j] = Math.min(Math.max(rounded, output.lo), output.hi)
    }
  }
  return y
}

/** floor(sqrt(n)) of an integer below 2^52, whatever the last bit of Math.sqrt is. */
function floorRoot(n: number): number {
  let root = Math.floor(Math.sqrt(n))
  while (root * root > n) root--
  while ((root + 1) * (root + 1) <= n) root++
  return root
}
