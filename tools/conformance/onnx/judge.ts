import { type NamedTensor, parseOnnx, parseOnnxTensor, runGraph, type Tensor } from '../../../packages/model/src/index.ts'

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
    const halves = expected.some(({ storedAs }) => storedAs === 'float16' || storedAs === 'bfloat16')
    const { graph, bound } = parseBinding(test, named, shapes)
    if (halves && /^test_cast/.test(test.name))
      return { verdict: 'skip', reason: 'Cast to float16 or bfloat16 does not round: values stay float32' }
    const results = runGraph(graph, Object.fromEntries(graph.inputs.flatMap((id) => (named[id] === undefined ? [] : [[id, named[id]]]))))
    for (const [index, wanted] of expected.entries()) {
      const { name } = wanted
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

/** Two units in the last place of half precision: ONNX rounds there after every step, we do not round to it at all. */
const halfUnits: Readonly<Partial<Record<NonNullable<NamedTensor['storedAs']>, number>>> = { float16: 2 ** -9, bfloat16: 2 ** -6 }

function compare(got: Tensor, { tensor: wanted, storedAs }: NamedTensor, test: ConformanceCase): string | undefined {
  if (got.elementType !== wanted.elementType) return `is ${got.elementType}, not ${wanted.elementType}`
  if (got.shape.join() !== wanted.shape.join()) return `has shape [${got.shape}], not [${wanted.shape}]`
  const unit = storedAs === undefined ? 0 : (halfUnits[storedAs] ?? 0)
  const relative = Math.max(test.relativeTolerance, unit)
  for (let i = 0; i < wanted.data.length; i++) {
    const [a, b] = [Number(got.data[i]), Number(wanted.data[i])]
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue
    const float = wanted.elementType === 'float32'
    if (!float || !(Math.abs(a - b) <= test.absoluteTolerance + relative * Math.abs(b))) return `differs at ${i}: ${a}, not ${b}`
  }
  return undefined
}
