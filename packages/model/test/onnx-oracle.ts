// Test support: runs an ONNX file on onnxruntime, the outside judge of the reader and the interpreter.
import ort from 'onnxruntime-node'
import { type OnnxFile, parseOnnx, runGraph, type Tensor, writeOnnx } from '../src/index.ts'

/** What onnxruntime computes for the file's outputs, in order. */
export async function runOnnxRuntime(bytes: Uint8Array, inputs: Readonly<Record<string, Tensor>>): Promise<ort.Tensor[]> {
  const session = await ort.InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
  })
  try {
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, toOrt(tensor)]))
    const results = await session.run(feeds)
    return session.outputNames.map((name) => results[name]).filter((tensor) => tensor !== undefined)
  } finally {
    await session.release()
  }
}

function toOrt({ elementType, shape, data }: Tensor): ort.Tensor {
  // The typed array matches the element type by construction, which the overloads of ort.Tensor cannot express.
  return new ort.Tensor(elementType as 'float32', data as Float32Array, [...shape])
}

/** The largest difference, relative to max(1, |expected|); shapes must be equal. */
export async function differenceFromOnnxRuntime(file: OnnxFile, inputs: Readonly<Record<string, Tensor>>): Promise<number> {
  const bytes = writeOnnx(file)
  const expected = await runOnnxRuntime(bytes, inputs)
  const outputs = runGraph(parseOnnx(bytes), inputs)
  let worst = 0
  for (const [index, { name }] of file.outputs.entries()) {
    const [wanted, got] = [expected[index], outputs[name]]
    if (wanted === undefined || got === undefined) throw new Error(`output ${name} is missing`)
    if (wanted.dims.join() !== got.shape.join()) throw new Error(`output ${name}: shape [${got.shape}], onnxruntime [${wanted.dims}]`)
    if (wanted.type !== got.elementType) throw new Error(`output ${name}: ${got.elementType}, onnxruntime ${wanted.type}`)
    worst = Math.max(worst, largestDifference(got.data, wanted.data as ArrayLike<number | bigint>))
  }
  return worst
}

function largestDifference(got: ArrayLike<number | bigint>, wanted: ArrayLike<number | bigint>): number {
  let worst = 0
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [Number(got[i]), Number(wanted[i])]
    if (Object.is(a, b) || a === b) continue
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.POSITIVE_INFINITY
    worst = Math.max(worst, Math.abs(a - b) / Math.max(1, Math.abs(b)))
  }
  return worst
}
