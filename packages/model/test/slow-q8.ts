// Test support: docs/spec/q8.md once more, in BigInt and straight from its formulas, sharing no arithmetic with src/.
import type { Q8Boundary, Q8Layer, Q8Model, Q8Requantization } from '../src/index.ts'

/** Every activation of a run, computed the slow way. */
export function slowRun(model: Q8Model, inputs: readonly (readonly number[])[]): number[][] {
  const activations = inputs.map((input) => [...input])
  for (const layer of model.layers) activations.push(slowLayer(model, layer, activations))
  return activations
}

function slowLayer(model: Q8Model, layer: Q8Layer, activations: readonly (readonly number[])[]): number[] {
  const out = model.boundaries[activations.length] as Q8Boundary
  const [source, second] = 'inputs' in layer ? layer.inputs : [layer.input, layer.input]
  const boundary = model.boundaries[source] as Q8Boundary
  const x = activations[source] as readonly number[]
  const centred = x.map((value) => BigInt(value) - BigInt(boundary.zeroPoint))
  const size = out.shape.reduce((a, b) => a * b, 1)
  switch (layer.kind) {
    case 'dense':
      return range(size).map((at) => {
        const [row, i] = [Math.floor(at / layer.outputSize), at % layer.outputSize]
        let acc = 0n
        for (const j of range(layer.inputSize))
          acc += BigInt(layer.weights[i * layer.inputSize + j] ?? 0) * (centred[row * layer.inputSize + j] ?? 0n)
        return finish(acc, i, layer.requantization, out)
      })
    case 'denseTransposed': {
      const straight = slowLayer(model, { ...layer, kind: 'dense' }, activations)
      return positions([layer.outputSize, layer.rows]).map(([i = 0, row = 0]) => straight[row * layer.outputSize + i] ?? 0)
    }
    case 'matmul': {
      const { rows, heads, inner, outputs, orderB } = layer
      const other = model.boundaries[second] as Q8Boundary
      const b = (activations[second] ?? []).map((value) => BigInt(value) - BigInt(other.zeroPoint))
      const shape = orderB === 'tokens' ? [outputs, heads, inner] : [heads, outputs, inner]
      return positions([rows, heads, outputs]).map(([t = 0, h = 0, s = 0]) => {
        const products = range(inner).map(
          (k) =>
            (read(centred, [rows, heads, inner], [t, h, k]) ?? 0n) * (read(b, shape, orderB === 'tokens' ? [s, h, k] : [h, s, k]) ?? 0n),
        )
        return finish(
          products.reduce((sum, product) => sum + product, 0n),
          0,
          layer.requantization,
          out,
        )
      })
    }
    case 'softmax':
      return positions([layer.rows, layer.heads, layer.size]).map(([t = 0, h = 0, s = 0]) => {
        const sees = (position: number): boolean => layer.mask === 'none' || position <= layer.size - layer.rows + t
        if (!sees(s)) return -128
        const row = range(layer.size)
          .filter(sees)
          .map((position) => read(centred, [layer.rows, layer.heads, layer.size], [t, h, position]) ?? 0n)
        const largest = row.reduce((best, value) => (value > best ? value : best))
        const e = (value: bigint): bigint => BigInt(layer.table[Number(largest - value)] ?? 0)
        const sum = row.reduce((total, value) => total + e(value), 0n)
        // both sides positive, so BigInt division is the floor
        return Number((510n * e(row[s] ?? 0n) + sum) / (2n * sum)) - 128
      })
    case 'layerNorm':
      return positions([layer.rows, layer.size]).map(([t = 0, j = 0]) => {
        const row = range(layer.size).map((k) => centred[t * layer.size + k] ?? 0n)
        const size = BigInt(layer.size)
        const sum = row.reduce((total, value) => total + value, 0n)
        const spread = row.reduce((total, value) => total + (size * value - sum) ** 2n, 0n) / size + BigInt(layer.epsilon)
        let sigma = 0n
        for (let step = 1n << 24n; step > 0n; step >>= 1n) if ((sigma + step) ** 2n <= spread) sigma += step
        const numerator = 2n * BigInt(layer.gain) * (size * (row[j] ?? 0n) - sum) + sigma
        const rest = ((numerator % (2n * sigma)) + 2n * sigma) % (2n * sigma)
        const value = Number((numerator - rest) / (2n * sigma)) + out.zeroPoint
        return Math.min(Math.max(value, out.lo), out.hi)
      })
    case 'table':
      return x.map((value) => layer.table[value + 128] ?? 0)
    case 'conv': {
      const [channels = 1] = boundary.shape.slice(1)
      const perGroup = channels / layer.group
      return positions(out.shape).map(([n = 0, o = 0, ...p]) => {
        const g = Math.floor(o / (layer.outputChannels / layer.group))
        let acc = 0n
        for (const c of range(perGroup))
          for (const [index, k] of positions(layer.window.kernel).entries()) {
            const at = p.map((position, axis) => sourcePosition(layer.window, axis, position, k[axis] ?? 0))
            const value = read(centred, boundary.shape, [n, g * perGroup + c, ...at])
            const kernelSize = layer.window.kernel.reduce((a, b) => a * b, 1)
            acc += BigInt(layer.weights[(o * perGroup + c) * kernelSize + index] ?? 0) * (value ?? 0n)
          }
        return finish(acc, o, layer.requantization, out)
      })
    }
    case 'averagePool':
    case 'maxPool':
      return positions(out.shape).map(([n = 0, c = 0, ...p]) => {
        const values = positions(layer.window.kernel).map((k) =>
          read(centred, boundary.shape, [n, c, ...p.map((position, axis) => sourcePosition(layer.window, axis, position, k[axis] ?? 0))]),
        )
        if (layer.kind === 'averagePool')
          return finish(
            values.reduce<bigint>((sum, value) => sum + (value ?? 0n), 0n),
            0,
            layer.requantization,
            out,
          )
        const inside = values.filter((value) => value !== undefined)
        return Number(inside.reduce((best, value) => (value > best ? value : best))) + boundary.zeroPoint
      })
    case 'square':
      return centred.map((value) => finish(value * value, 0, layer.requantization, out))
    case 'rescale':
      return centred.map((value) => finish(value, 0, layer.requantization, out))
    case 'add': {
      const other = model.boundaries[second] as Q8Boundary
      return centred.map((a, index) => {
        const b = BigInt(activations[layer.inputs[1]]?.[index] ?? 0) - BigInt(other.zeroPoint)
        return clamp(BigInt(layer.multipliers[0]) * a + BigInt(layer.multipliers[1]) * b + layer.bias, layer.shift, out)
      })
    }
  }
}

function finish(acc: bigint, channel: number, by: Q8Requantization, out: Q8Boundary): number {
  if (acc > 2n ** 31n - 1n || acc < -(2n ** 31n)) throw new RangeError('the accumulator left int32')
  const c = by.multipliers.length === 1 ? 0 : channel
  return clamp(BigInt(by.multipliers[c] ?? 0) * acc + (by.biases[c] ?? 0n), by.shift, out)
}

/** clamp(floor((v + 2^(s-1)) / 2^s) + z, lo, hi), the floor by division rather than by shift. */
function clamp(v: bigint, shift: number, out: Q8Boundary): number {
  const [numerator, denominator] = [v + 2n ** BigInt(shift - 1), 2n ** BigInt(shift)]
  if (numerator >= 2n ** 63n || numerator < -(2n ** 63n)) throw new RangeError('v left int64')
  const remainder = ((numerator % denominator) + denominator) % denominator
  const t = (numerator - remainder) / denominator + BigInt(out.zeroPoint)
  return Number(t < BigInt(out.lo) ? BigInt(out.lo) : t > BigInt(out.hi) ? BigInt(out.hi) : t)
}

function sourcePosition(
  window: { strides: readonly number[]; dilations: readonly number[]; pads: readonly number[] },
  axis: number,
  p: number,
  k: number,
): number {
  return (window.strides[axis] ?? 1) * p + (window.dilations[axis] ?? 1) * k - (window.pads[axis] ?? 0)
}

function read(values: readonly bigint[], shape: readonly number[], at: readonly number[]): bigint | undefined {
  let index = 0
  for (const [axis, position] of at.entries()) {
    if (position < 0 || position >= (shape[axis] ?? 0)) return undefined
    index = index * (shape[axis] ?? 1) + position
  }
  return values[index]
}

function positions(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>((all, size) => all.flatMap((prefix) => range(size).map((i) => [...prefix, i])), [[]])
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
