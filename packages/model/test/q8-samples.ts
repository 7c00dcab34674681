// Test support: random q8 networks with one layer of each kind, drawn towards the edges of the ranges.
import { mulberry32, type Q8Boundary, type Q8Layer, type Q8Model, type Q8Requantization } from '../src/index.ts'

export type Sample = { readonly model: Q8Model; readonly inputs: readonly Int8Array[] }

/** A random valid network of one layer of `kind`, and inputs for it. */
export function randomLayerSample(kind: Q8Layer['kind'], seed: number): Sample {
  const next = mulberry32(seed)
  const integer = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  const edge = (low: number, high: number) => (next() < 0.4 ? (next() < 0.5 ? low : high) : integer(low, high))
  const boundary = (shape: readonly number[]): Q8Boundary => {
    const lo = next() < 0.5 ? -128 : integer(-128, 0)
    const hi = next() < 0.5 ? 127 : integer(Math.max(lo + 1, 1), 127)
    return { shape, scale: Math.fround(0.01 + next()), zeroPoint: edge(lo, hi), lo, hi }
  }
  const activation = ({ shape, lo, hi }: Q8Boundary) => Int8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => edge(lo, hi))
  // Ratios around 2^-8 to 1 so that most outputs fall inside the range, extremes now and then.
  const requantization = (channels: number, accBits: number): Q8Requantization => {
    const shift = edge(1, 40)
    const room = Math.min(31, 61 - accBits)
    const bits = next() < 0.2 ? room : Math.max(0, Math.min(room, shift - accBits + 8))
    const multipliers = Int32Array.from({ length: channels }, () => Math.min(Math.floor(next() * 2 ** bits), 2 ** 31 - 1))
    return {
      shift,
      multipliers,
      biases: BigInt64Array.from(multipliers, (m) => BigInt(m) * BigInt(integer(-1000, 1000)) + BigInt(integer(-3, 3))),
    }
  }
  const weights = (count: number) => Int8Array.from({ length: count }, () => edge(-128, 127))
  const one = (input: Q8Boundary, output: readonly number[], layer: Q8Layer): Sample => ({
    model: { inputCount: 1, boundaries: [input, boundary(output)], layers: [layer], outputs: [{ boundary: 1, answer: 'values' }] },
    inputs: [activation(input)],
  })
  switch (kind) {
    case 'dense':
    case 'denseTransposed': {
      const [rows, inputSize, outputSize] = [integer(1, 3), integer(1, 40), integer(1, 9)]
      return one(boundary([rows, inputSize]), kind === 'dense' ? [rows, outputSize] : [outputSize, rows], {
        kind,
        input: 0,
        rows,
        inputSize,
        outputSize,
        weights: weights(inputSize * outputSize),
        requantization: requantization(next() < 0.3 ? 1 : outputSize, 21),
      })
    }
    case 'conv':
    case 'averagePool':
    case 'maxPool': {
      const rank = integer(1, 2)
      const axes = Array.from({ length: rank }, () => 0)
      const size = axes.map(() => integer(4, 7))
      const kernel = axes.map(() => integer(1, 3))
      const strides = axes.map(() => integer(1, 2))
      const dilations = axes.map(() => integer(1, 2))
      const pads = [...axes, ...axes].map((_, index) => integer(0, kind === 'maxPool' ? Math.min(1, (kernel[index % rank] ?? 1) - 1) : 2))
      const outputSize = size.map((length, axis) => {
        const span = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1
        return Math.floor((length + (pads[axis] ?? 0) + (pads[axis + rank] ?? 0) - span) / (strides[axis] ?? 1)) + 1
      })
      if (outputSize.some((length) => length < 1)) return randomLayerSample(kind, seed + 7919)
      const window = { kernel, strides, dilations, pads }
      const [group, perGroup, filters] = [integer(1, 2), integer(1, 2), integer(1, 2)]
      const channels = group * perGroup
      const input = boundary([integer(1, 2), channels, ...size])
      if (kind === 'conv') {
        const outputChannels = group * filters
        const count = outputChannels * perGroup * kernel.reduce((a, b) => a * b, 1)
        return one(input, [input.shape[0] ?? 1, outputChannels, ...outputSize], {
          kind,
          input: 0,
          window,
          group,
          outputChannels,
          weights: weights(count),
          requantization: requantization(outputChannels, 21),
        })
      }
      const shape = [...input.shape.slice(0, 2), ...outputSize]
      if (kind === 'averagePool') return one(input, shape, { kind, input: 0, window, requantization: requantization(1, 13) })
      const sample = one(input, shape, { kind, input: 0, window })
      return { ...sample, model: { ...sample.model, boundaries: [input, { ...input, shape }] } }
    }
    case 'square':
    case 'rescale': {
      const shape = [integer(1, 4), integer(1, 8)]
      return one(boundary(shape), shape, { kind, input: 0, requantization: requantization(1, kind === 'square' ? 16 : 8) })
    }
    case 'add': {
      const shape = [integer(1, 4), integer(1, 8)]
      const [a, b] = [boundary(shape), boundary(shape)]
      const { shift, multipliers } = requantization(2, 9)
      const layer: Q8Layer = {
        kind,
        inputs: [0, 1],
        multipliers: [multipliers[0] ?? 0, multipliers[1] ?? 0],
        bias: BigInt(integer(-9, 9)),
        shift,
      }
      return {
        model: { inputCount: 2, boundaries: [a, b, boundary(shape)], layers: [layer], outputs: [{ boundary: 2, answer: 'values' }] },
        inputs: [activation(a), activation(b)],
      }
    }
    case 'matmul': {
      const [rows, heads, inner, outputs] = [integer(1, 3), integer(1, 3), integer(1, 6), integer(1, 4)]
      const orderB = next() < 0.5 ? 'tokens' : 'heads'
      const a = boundary([rows, heads, inner])
      const b = boundary(orderB === 'tokens' ? [outputs, heads, inner] : [heads, outputs, inner])
      const layer: Q8Layer = { kind, inputs: [0, 1], rows, heads, inner, outputs, orderB, requantization: requantization(1, 19) }
      return {
        model: {
          inputCount: 2,
          boundaries: [a, b, boundary([rows, heads, outputs])],
          layers: [layer],
          outputs: [{ boundary: 2, answer: 'values' }],
        },
        inputs: [activation(a), activation(b)],
      }
    }
    case 'softmax': {
      const [heads, rows] = [integer(1, 3), integer(1, 4)]
      const size = integer(rows, 7)
      const mask = next() < 0.5 ? 'causal' : 'none'
      const falloff = next() / 4
      const table = Uint16Array.from({ length: 256 }, (_, d) => Math.round(4095 * Math.exp(-falloff * d)))
      const input = boundary([rows, heads, size])
      const sample = one(input, input.shape, { kind, input: 0, rows, heads, size, mask, table })
      const probabilities = { shape: input.shape, scale: Math.fround(1 / 255), zeroPoint: -128, lo: -128, hi: 127 }
      return { ...sample, model: { ...sample.model, boundaries: [input, probabilities] } }
    }
    case 'layerNorm': {
      const [rows, size] = [integer(1, 3), integer(2, 40)]
      const epsilon = next() < 0.3 ? 1 : integer(1, 10_000)
      return one(boundary([rows, size]), [rows, size], { kind, input: 0, rows, size, gain: edge(1, 1024), epsilon })
    }
    case 'table': {
      const shape = [integer(1, 4), integer(1, 8)]
      const sample = one(boundary(shape), shape, { kind, input: 0, table: new Int8Array(256) })
      const [input, output] = sample.model.boundaries
      if (input === undefined || output === undefined) throw new Error('A sample has two boundaries.')
      const table = Int8Array.from({ length: 256 }, () => integer(output.lo, output.hi))
      return { ...sample, model: { ...sample.model, layers: [{ kind, input: 0, table }] } }
    }
  }
}

export const layerKinds: readonly Q8Layer['kind'][] = [
  'dense',
  'conv',
  'averagePool',
  'maxPool',
  'add',
  'square',
  'rescale',
  'denseTransposed',
  'matmul',
  'softmax',
  'layerNorm',
  'table',
]
