// A tensor engine as a served model: one request is one step, answered in one part.
import type { JobInput, WireTensor } from '@tacit/exchange'
import { MalformedError, parseHex, toHex, traceRoot } from '@tacit/protocol'
import type { NamedTensors, Tensor, TensorEngine } from '@tacit/runtime'
import type { ServedModelTerms } from './language-model.ts'
import type { Preflight, RunEvent, ServedModel, ServedRunOptions } from './served-model.ts'

const levels = [{ privacy: 'sealed', verification: 'signed' }] as const

export function serveTensorEngine(engine: TensorEngine, terms: ServedModelTerms): ServedModel {
  return {
    ...terms,
    stepTokens: 0,
    maxSteps: 1,
    levels,
    streamModes: ['paced', 'immediate'],
    notice: '',
    preflight: async (input) => preflight(engine, input),
    run: (input, options) => run(engine, input, options),
  }
}

function preflight(engine: TensorEngine, input: JobInput): Preflight {
  if (input.kind !== 'tensors') return { ok: false, code: 'input-mismatch', message: 'this model takes tensors, not a conversation' }
  for (const spec of engine.inputs) {
    const tensor = input.tensors.find(({ name }) => name === spec.name)
    const wanted = `${spec.name}: ${spec.type}[${spec.shape.join(',')}]`
    if (tensor === undefined) return { ok: false, code: 'input-mismatch', message: `the input lacks ${wanted}` }
    const fits =
      tensor.type === spec.type &&
      tensor.shape.length === spec.shape.length &&
      tensor.shape.every((size, axis) => (spec.shape[axis] === -1 ? size > 0 : spec.shape[axis] === size))
    if (!fits || !hasBytes(tensor)) return { ok: false, code: 'input-mismatch', message: `the input is not ${wanted}` }
  }
  return input.tensors.length === engine.inputs.length
    ? { ok: true }
    : { ok: false, code: 'input-mismatch', message: 'the input has tensors that the model does not take' }
}

async function* run(
  engine: TensorEngine,
  input: JobInput,
  { signal, traceKey }: ServedRunOptions,
): AsyncGenerator<RunEvent, void, undefined> {
  if (input.kind !== 'tensors') return
  const inputs: Record<string, Tensor> = {}
  for (const tensor of input.tensors) inputs[tensor.name] = fromWireTensor(tensor)
  const { outputs, trace } = await engine.run(inputs, { signal, trace: 'hashes' })
  yield { type: 'output', output: { kind: 'tensors', tensors: toWireTensors(outputs) }, tokens: 0 }
  const root = trace === undefined || trace.length === 0 ? null : traceRoot(trace, traceKey)
  yield { type: 'end', finishReason: 'complete', inputUnits: 1, outputUnits: 1, profile: engine.info.profile, traceRoot: root }
}

const elementBytes = { f32: 4, i8: 1, u8: 1, i32: 4, i64: 8 } as const

function hasBytes(tensor: WireTensor): boolean {
  const elements = tensor.shape.reduce((product, size) => product * size, 1)
  return tensor.data.length === 2 + 2 * elements * elementBytes[tensor.type]
}

/** @throws MalformedError when the bytes do not fill the shape. */
export function fromWireTensor(wire: WireTensor): Tensor {
  if (!hasBytes(wire)) throw new MalformedError(`The tensor ${wire.name}`, 'has not as many bytes as its shape says')
  const { buffer } = parseHex(wire.data, 'Tensor data')
  const { shape } = wire
  switch (wire.type) {
    case 'f32':
      return { type: 'f32', shape, data: new Float32Array(buffer) }
    case 'i8':
      return { type: 'i8', shape, data: new Int8Array(buffer) }
    case 'u8':
      return { type: 'u8', shape, data: new Uint8Array(buffer) }
    case 'i32':
      return { type: 'i32', shape, data: new Int32Array(buffer) }
    case 'i64':
      return { type: 'i64', shape, data: new BigInt64Array(buffer) }
  }
}

/** Little-endian bytes as hex: what every platform that runs this has in memory. */
export function toWireTensors(tensors: NamedTensors): readonly WireTensor[] {
  return Object.entries(tensors).map(([name, { type, shape, data }]) => ({
    name,
    type,
    shape,
    data: toHex(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  }))
}
