// How fast a file is read and how slow the reference interpreter is. Medians over rounds, one thread.
import { readFileSync } from 'node:fs'
import { float32, importQ8, mulberry32, parseOnnx, quantizeInput, runGraph, runQ8, writeOnnx } from '../src/index.ts'

const zoo = new URL('../../../zoo/digits/', import.meta.url)

function medianMs(rounds: number, work: () => void): number {
  work()
  const times = Array.from({ length: rounds }, () => {
    const started = performance.now()
    work()
    return performance.now() - started
  })
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0
}

/** Reads a 4 MB file, and runs the zoo's classifiers in both profiles. */
export async function run(report: (line: string) => void): Promise<Record<string, number>> {
  const random = mulberry32(1)
  const size = 1024
  const weights = float32(
    [size, size],
    Float32Array.from({ length: size * size }, () => random() - 0.5),
  )
  const dense = writeOnnx({
    name: 'dense',
    opset: 21,
    inputs: [{ name: 'x', elementType: 'float32', shape: [1, size] }],
    outputs: [{ name: 'y', elementType: 'float32' }],
    initializers: { weights },
    nodes: [{ operator: 'MatMul', inputs: ['x', 'weights'], outputs: ['y'] }],
  })
  const graph = parseOnnx(dense)
  const x = float32([1, size], new Float32Array(size).fill(0.5))
  const metrics: Record<string, number> = {
    'parse.ms_per_mb': medianMs(9, () => parseOnnx(dense)) / (dense.length / 1e6),
    'matmul.mmac_per_s': (size * size) / 1e3 / medianMs(9, () => runGraph(graph, { x })),
  }
  for (const name of ['digits-relu', 'digits-square', 'digits-cnn']) {
    const float = parseOnnx(readFileSync(new URL(`${name}.onnx`, zoo)))
    const q8 = importQ8(parseOnnx(readFileSync(new URL(`${name}.int8.onnx`, zoo))))
    const input = float32(float.types.get('x')?.shape ?? [], new Float32Array(64).fill(0.3))
    const boundary = q8.boundaries[0]
    if (boundary === undefined) throw new Error(`${name} has no input`)
    const quantized = quantizeInput(boundary, new Float32Array(64).fill(0.3))
    metrics[`${name}.f32.ms`] = medianMs(51, () => runGraph(float, { x: input }))
    metrics[`${name}.q8.ms`] = medianMs(51, () => runQ8(q8, [quantized]))
    report(`${name}: ${q8.layers.map((layer) => layer.kind).join(', ')}`)
  }
  return metrics
}
