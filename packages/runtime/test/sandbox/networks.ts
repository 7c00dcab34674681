// Small networks for the sandbox tests, compiled by the real compiler.
import { type CompiledModel, compileModel } from '@tacit/compiler'
import { type Graph, float32, parseOnnx, quantizeGraph, writeOnnx } from '@tacit/model'

export const input = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * 1.7))

function values(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * seed) * 0.5)
}

/** 12-20-7 with ReLU. */
export async function smallGraph(): Promise<Graph> {
  return parseOnnx(
    writeOnnx({
      name: 'small',
      opset: 21,
      inputs: [{ name: 'x', elementType: 'float32', shape: [1, 12] }],
      outputs: [{ name: 'y', elementType: 'float32', shape: [1, 7] }],
      initializers: {
        w0: float32([12, 20], values(240, 1.3)),
        b0: float32([20], values(20, 2.1)),
        w1: float32([20, 7], values(140, 0.7)),
        b1: float32([7], values(7, 0.3)),
      },
      nodes: [
        { operator: 'Gemm', inputs: ['x', 'w0', 'b0'], outputs: ['h'] },
        { operator: 'Relu', inputs: ['h'], outputs: ['r'] },
        { operator: 'Gemm', inputs: ['r', 'w1', 'b1'], outputs: ['y'] },
      ],
    }),
  )
}

export async function compileSmall(weights: 'inline' | 'external' = 'inline'): Promise<CompiledModel> {
  return compileModel(await smallGraph(), { profile: 'f32', weights })
}

export async function smallQ8() {
  const graph = await smallGraph()
  return quantizeGraph(graph, { inputs: [{ x: float32([1, 12], input) }] }).q8
}
