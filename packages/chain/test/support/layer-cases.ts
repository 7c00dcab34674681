// Layers with weights, inputs and what docs/spec/q8.md makes of them.
import type { DenseSpec } from '@tacit/protocol'
import type { LayerCase } from './layer-dispute.ts'

/** A dense layer with one token; weights and input are fixed and small. */
export function denseCase(inputSize: number, outputSize: number): LayerCase {
  const [shift, multiplier] = [20, 16_384]
  const requantisation = { shift, zeroPoint: -128, low: -128, high: 127, excessBits: 20 }
  const spec: DenseSpec = {
    ...{ kind: 'dense', rows: 1, inputSize, outputSize, inputChunk: Math.min(512, inputSize), outputChunk: Math.min(512, outputSize) },
    ...{ slots: Math.min(2, outputSize), inputZeroPoint: -128, requantisation },
  }
  const weights = Int8Array.from({ length: inputSize * outputSize }, (_, k) => ((k * 37) % 61) - 30)
  const input = Int8Array.from({ length: inputSize }, (_, k) => ((k * 53) % 256) - 128)
  const values = Int8Array.from({ length: outputSize }, (_, o) => {
    const sum = input.reduce((total, x, k) => total + (weights[o * inputSize + k] ?? 0) * (x + 128), 0)
    const scaled = (BigInt(multiplier * sum) + (1n << BigInt(shift - 1))) >> BigInt(shift)
    return Number(scaled - 128n < -128n ? -128n : scaled - 128n > 127n ? 127n : scaled - 128n)
  })
  return {
    spec,
    weights: {
      weights,
      multipliers: Array.from({ length: outputSize }, () => multiplier),
      biases: Array.from({ length: outputSize }, () => 0n),
    },
    inputs: [{ values: input, layout: { groups: 1, length: inputSize, chunk: spec.inputChunk } }],
    output: { values, layout: { groups: 1, length: outputSize, chunk: spec.outputChunk } },
  }
}
