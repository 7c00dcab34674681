// One block of GPT-2 (Radford et al. 2019) in the q8 form, with random weights: layer normalisation, causal attention, residual, layer
// normalisation, feed-forward part with GELU, residual. Scales are those of unit-variance activations.
import type { Q8Boundary, Q8Layer, Q8Model, Q8Requantization } from '../../../model/src/q8/q8-model.ts'
import { exponentialTable, functionTable, layerNormEpsilon, requantizationFor } from '../../../model/src/q8/scales.ts'
import { seeded } from './layers.ts'

export type BlockSizes = { readonly tokens: number; readonly width: number; readonly heads: number; readonly hidden: number }

/** int8 steps per standard deviation of a normalised value. */
const GAIN = 32
const step = Math.fround(1 / GAIN)
const weightStep = 40

/** GELU in the tanh form that GPT-2 uses. */
export const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))

/** A block with random int8 weights. */
export function gpt2Block({ tokens, width, heads, hidden }: BlockSizes, seed = 2026): Q8Model {
  const next = seeded(seed)
  const boundaries: Q8Boundary[] = []
  const layers: Q8Layer[] = []
  const boundary = (shape: readonly number[], overrides: Partial<Q8Boundary> = {}): number =>
    boundaries.push({ shape, scale: step, zeroPoint: 0, lo: -128, hi: 127, ...overrides }) - 1
  const push = (layer: Q8Layer, shape: readonly number[], overrides: Partial<Q8Boundary> = {}): number => {
    layers.push(layer)
    return boundary(shape, overrides)
  }
  const normal = (): number => next() + next() + next() + next() - 2 // variance 1/3
  const one = (ratio: number): Q8Requantization => requantizationFor([ratio], [0], 'the block')
  const dense = (input: number, inputSize: number, outputSize: number, kind: 'dense' | 'denseTransposed' = 'dense'): number => {
    const weights = Int8Array.from({ length: inputSize * outputSize }, () => Math.round(normal() * Math.sqrt(3) * weightStep))
    const ratios = Array.from({ length: outputSize }, () => (0.7 + 0.6 * next()) / (weightStep * Math.sqrt(inputSize)))
    const biases = ratios.map(() => Math.round(normal() * weightStep * 100))
    const requantization = requantizationFor(ratios, biases, 'the block')
    const layer = { kind, input, rows: tokens, inputSize, outputSize, weights, requantization }
    return push(layer, kind === 'dense' ? [tokens, outputSize] : [outputSize, tokens])
  }
  const norm = (input: number): number =>
    push({ kind: 'layerNorm', input, rows: tokens, size: width, gain: GAIN, epsilon: layerNormEpsilon(1e-5, step, width) }, [tokens, width])
  const add = (a: number, b: number): number =>
    push({ kind: 'add', inputs: [a, b], multipliers: [23_170, 23_170], bias: 0n, shift: 15 }, [tokens, width])
  const inner = width / heads
  const x = boundary([tokens, width])
  const first = norm(x)
  const q = dense(first, width, width)
  const k = dense(first, width, width)
  const v = dense(first, width, width, 'denseTransposed')
  const products = { rows: tokens, heads }
  const scores = push(
    {
      kind: 'matmul',
      ...products,
      inputs: [q, k],
      inner,
      outputs: tokens,
      orderB: 'tokens',
      requantization: one(1 / (GAIN * Math.sqrt(inner))),
    },
    [tokens, heads, tokens],
  )
  const probabilities = push(
    { kind: 'softmax', ...products, input: scores, size: tokens, mask: 'causal', table: exponentialTable(step) },
    [tokens, heads, tokens],
    { scale: Math.fround(1 / 255), zeroPoint: -128 },
  )
  const attended = push(
    {
      kind: 'matmul',
      ...products,
      inputs: [probabilities, v],
      inner: tokens,
      outputs: inner,
      orderB: 'heads',
      requantization: one(1 / 255),
    },
    [tokens, width],
  )
  const middle = add(x, dense(attended, width, width))
  const up = dense(norm(middle), width, hidden)
  const [from, to] = [boundaries[up], boundaries[up]]
  if (from === undefined || to === undefined) throw new Error('The block has this boundary.')
  const activated = push({ kind: 'table', input: up, table: functionTable(gelu, from, to) }, [tokens, hidden])
  const last = add(middle, dense(activated, hidden, width))
  return { inputCount: 1, boundaries, layers, outputs: [{ boundary: last, answer: 'values' }] }
}

/** An input of unit variance. */
export function blockInput({ tokens, width }: BlockSizes, seed = 5): Int8Array {
  const next = seeded(seed)
  const normal = (): number => Math.round((next() + next() + next() - 1.5) * 2 * GAIN)
  return Int8Array.from({ length: tokens * width }, normal)
}
