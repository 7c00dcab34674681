import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ModelShape } from '../config.ts'
import { ignored } from '../corpus.ts'
import { createKernel } from '../kernel.ts'
import { initialise, tensorOf } from '../parameters.ts'
import { mulberry32 } from '../random.ts'
import { allocateState, createTransformer } from '../transformer.ts'

const shape: ModelShape = { vocabulary: 24, width: 16, layers: 2, heads: 2, feedForward: 24, normEpsilon: 1e-5, ropeBase: 10_000 }
const size = { window: 12, batch: 3 }

describe('the gradient of the language model', () => {
  it('equals the numeric derivative in every tensor, single entries and along random directions', async () => {
    const kernel = await createKernel(8)
    const state = allocateState(kernel, shape)
    initialise(state.parameters, shape.layers, 5)
    const model = createTransformer(kernel, shape, size, state)
    const random = mulberry32(9)
    const tokens = (): Int32Array => Int32Array.from({ length: size.window * size.batch }, () => Math.floor(random() * shape.vocabulary))
    const inputs = tokens()
    // Some targets are not to be learned and must not leave a trace in any gradient.
    const targets = tokens().map((target, n) => (n % 5 === 2 ? ignored : target))
    model.forward(inputs, targets)
    model.backward(inputs, targets)
    const analytic = state.gradients.flat.slice()
    let offset = 0
    for (const { name } of state.parameters.shapes) {
      const weights = tensorOf(state.parameters, name)
      const gradient = analytic.subarray(offset, offset + weights.length)
      offset += weights.length
      const largest = gradient.reduce((best, value, i) => (Math.abs(value) > Math.abs(gradient[best] ?? 0) ? i : best), 0)
      const directions = [
        Float32Array.from(weights, (_, i) => (i === largest ? 1 : 0)),
        Float32Array.from(weights, () => (random() < 0.5 ? -1 : 1)),
      ]
      for (const direction of directions) {
        const expected = direction.reduce((sum, value, i) => sum + value * (gradient[i] ?? 0), 0)
        const step = 3e-3 / Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0))
        const original = weights.slice()
        const lossAt = (sign: number): number => {
          for (let i = 0; i < weights.length; i++) weights[i] = (original[i] ?? 0) + sign * step * (direction[i] ?? 0)
          return model.forward(inputs, targets)
        }
        const numeric = (lossAt(1) - lossAt(-1)) / (2 * step)
        weights.set(original)
        // f32 forward passes: about 1e-7 of the loss, divided by the step, remains as noise.
        const tolerance = 0.01 * Math.abs(expected) + 1e-6 / step
        assert.ok(Math.abs(numeric - expected) <= tolerance, `${name}: numeric ${numeric}, analytic ${expected}`)
      }
    }
  })
})

describe('the matrix product', () => {
  it('equals the obvious triple loop, at every edge of its tiles and with strides', async () => {
    const kernel = await createKernel(4)
    const random = mulberry32(3)
    const fill = (length: number): Float32Array => {
      const array = kernel.allocate(length)
      for (let i = 0; i < length; i++) array[i] = Math.round((random() - 0.5) * 16)
      return array
    }
    for (const [rows, columns, inner] of [
      [1, 1, 1],
      [3, 7, 5],
      [4, 8, 3],
      [5, 9, 2],
      [8, 16, 8],
      [6, 20, 7],
    ] as const) {
      for (const [aRow, aColumn] of [
        [inner, 1],
        [1, rows],
      ] as const) {
        for (const accumulate of [false, true]) {
          const a = fill(rows * inner)
          const b = fill(inner * columns)
          const c = fill(rows * columns)
          // Small whole numbers: every sum is exact in f32, whatever its order.
          const expected = Array.from(c, (before, index) => {
            const i = Math.floor(index / columns)
            const j = index % columns
            let sum = accumulate ? before : 0
            for (let p = 0; p < inner; p++) sum += (a[i * aRow + p * aColumn] ?? 0) * (b[p * columns + j] ?? 0)
            return sum
          })
          kernel.multiply({ rows, columns, inner, a, aRow, aColumn, b, bRow: columns, c, cRow: columns, accumulate })
          assert.deepEqual([...c], expected)
        }
      }
    }
  })
})
