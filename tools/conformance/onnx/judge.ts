import { parseOnnx, parseOnnxTensor, runGraph, type Tensor } from '../../../packages/model/src/index.ts'

/** One backend node case: the model, and the bytes of its inputs and outputs. */
export type ConformanceCase = {
  readonly name: string
  readonly model: Uint8Array
  readonly inputs: readonly Uint8Array[]
  readonly outputs: readonly Uint8Array[]
  readonly relativeTolerance: number
  readonly absoluteTolerance: number
}

/** What became of a case. Skips say why; `bound` counts inputs that were fixed as constants because they are shapes or axes. */
export type Verdict =
  | { readonly verdict: 'pass'; readonly bound: number }
  | { readonly verdict: 'fail'; readonly reason: string }
  | { readonly verdict: 'skip'; readonly reason: string }

const skipCodes: Readonly<Record<string, string>> = {
  'model.unsupported-operator': 'operator or form not supported',
  'model.unsupported-type': 'element type not supported',
  'model.unsupported-opset': 'operator set or domain not supported',
  'model.dynamic-shape': 'shape depends on input values',
}

/** Runs a case on the reference interpreter and compares as ONNX does: |got - wanted| <= atol + rtol |wanted|. */
export function judge(test: ConformanceCase): Verdict {
  try {
    const inputs = test.inputs.map((bytes) => parseOnnxTensor(bytes))
    const expected = test.outputs.map((bytes) => parseOnnxTensor(bytes))
    const shapes = Object.fromEntries(inputs.map(({ name, tensor }) => [name, tensor.shape]))
    const named = Object.fromEntries(inputs.map(({ name, tensor }) => [name, tensor]))
    const { graph, bound } = parseBinding(test, named, shapes)
    const results = runGraph(graph, Object.fromEntries(graph.inputs.flatMap((id) => (named[id] === undefined ? [] : [[id, named[id]]]))))
    for (const [index, { name, tensor: wanted }] of expected.entries()) {
      const got = results[name] ?? results[graph.outputs[index] ?? '']
      const difference = got === undefined ? 'is missing' : compare(got, wanted, test)
      if (difference !== undefined) return { verdict: 'fail', reason: `output ${name} ${difference}` }
    }
    return { verdict: 'pass', bound }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
    return skipCodes[code] === undefined
      ? { verdict: 'fail', reason: message }
      : { verdict: 'skip', reason: `${skipCodes[code]}: ${message}` }
  }
}

/** Parses with the inputs' shapes; where shapes or axes are inputs, once more with small integer inputs (then all) fixed. */
function parseBinding(
  test: ConformanceCase,
  named: Readonly<Record<string, Tensor>>,
  inputShapes: Readonly<Record<string, readonly number[]>>,
) {
  const isParameter = (tensor: Tensor) => tensor.elementType !== 'float32' || tensor.shape.length === 0
  const attempts = [[], Object.entries(named).filter(([, tensor]) => isParameter(tensor)), Object.entries(named)]
  for (const [index, constants] of attempts.entries()) {
    try {
      return { graph: parseOnnx(test.model, { inputShapes, constants: Object.fromEntries(constants) }), bound: constants.length }
    } catch (error) {
      const dynamic = error instanceof Error && 'code' in error && error.code === 'model.dynamic-shape'
      if (!dynamic || index === attempts.length - 1) throw error
    }
  }
  throw new Error('unreachable')
}

function compare(got: Tensor, wanted: Tensor, test: ConformanceCase): string | undefined {
  if (got.elementType !== wanted.elementType) return `is ${got.elementType}, not ${wanted.elementType}`
  if (got.shape.join() !== wanted.shape.join()) return `has shape [${got.shape}], not [${wanted.shape}]`
  for (let i = 0; i < wanted.data.length; i++) {
    const [a, b] = [Number(got.data[i]), Number(wanted.data[i])]
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue
    const float = wanted.elementType === 'float32'
    if (!float || !(Math.abs(a - b) <= test.absoluteTolerance + test.relativeTolerance * Math.abs(b)))
      return `differs at ${i}: ${a}, not ${b}`
  }
  return undefined
}
