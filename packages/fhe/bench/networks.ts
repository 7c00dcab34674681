import type { DenseLayer, SquareNetwork } from '../src/index.ts'

/** A small deterministic generator: benchmarks draw the same networks and inputs every time. */
export function createGenerator(seed: number) {
  let state = seed
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const gaussian = (): number => (Array.from({ length: 6 }, uniform).reduce((sum, x) => sum + x, 0) - 3) * Math.SQRT2
  return { uniform, gaussian }
}

export type Generator = ReturnType<typeof createGenerator>

/** A dense layer with rows of norm about `norm`. */
export function randomDense({ gaussian }: Generator, inputs: number, outputs: number, norm = 1): DenseLayer {
  const weights = Float64Array.from({ length: inputs * outputs }, () => (gaussian() * norm) / Math.sqrt(inputs))
  return { inputs, outputs, weights, bias: Float64Array.from({ length: outputs }, () => gaussian() * 0.1) }
}

/** 784-64-10 with a square. */
export function createMlp(generator: Generator): SquareNetwork {
  return { layers: [randomDense(generator, 784, 64, 1.2), randomDense(generator, 64, 10)], inputRange: [0, 1] }
}

/** Convolution 5 x 5, stride 3, 4 maps over 28 x 28 (as its matrix), square, dense 256-32, square, dense 32-10: the class of LoLa's network. */
export function createCnn(generator: Generator): SquareNetwork {
  const kernels = Array.from({ length: 4 }, () => Float64Array.from({ length: 25 }, () => generator.gaussian() / 5))
  const weights = new Float64Array(256 * 784)
  for (let row = 0; row < 256; row++) {
    const [map, py, px] = [row >> 6, (row >> 3) & 7, row & 7]
    for (let y = 0; y < 5; y++)
      for (let x = 0; x < 5; x++) weights[row * 784 + (3 * py + y) * 28 + 3 * px + x] = kernels[map]?.[5 * y + x] ?? 0
  }
  const bias = Float64Array.from({ length: 256 }, (_, row) => 0.05 * ((row >> 6) - 1.5))
  const convolution = { inputs: 784, outputs: 256, weights, bias }
  return { layers: [convolution, randomDense(generator, 256, 32), randomDense(generator, 32, 10)], inputRange: [0, 1] }
}

/** A sparse image, as digits are. */
export function createImage({ uniform }: Generator): Float64Array {
  return Float64Array.from({ length: 784 }, () => (uniform() < 0.2 ? uniform() : 0))
}
