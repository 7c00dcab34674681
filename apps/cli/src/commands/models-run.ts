// tacit models run: one answer of a compiled model, in the sandbox.
import { dequantizeActivation, type Q8Boundary, quantizeInput } from '@tacit/model'
import { type ModuleTensor, moduleElementBytes, moduleTensorBytes } from '@tacit/protocol'
import type { NamedTensors, Tensor } from '@tacit/runtime'
import { loadModel } from '@tacit/runtime/node'
import { type Invocation, integerOf, textOf } from '../command.ts'
import { FileUnusableError, UsageError } from '../errors.ts'
import { printable } from '../format.ts'
import { readJsonFile, readModule } from '../module-files.ts'
import { threadsOf } from './models-compile.ts'

export async function run({ values, say, json }: Invocation, file: string, usage: string): Promise<number> {
  const path = textOf(values, 'input')
  if (path === undefined) throw new UsageError('--input names a file with the values.', usage)
  const deadlineMs = integerOf(values, 'deadline-ms', { fallback: 10_000, min: 1, max: 600_000, usage })
  const { wasm, manifest } = readModule(file, textOf(values, 'manifest'))
  const inputs = readInputs(path, manifest.inputs)
  await using model = await loadModel(wasm, manifest, { threads: threadsOf(values, usage) })
  if (model.threads.note !== undefined) say(`One thread: ${model.threads.note}`)
  const { outputs } = await model.run(inputs, { deadlineMs })
  const answers = Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => [
      name,
      realValues(
        manifest.outputs.find((spec) => spec.name === name),
        output,
      ),
    ]),
  )
  for (const [name, answer] of Object.entries(answers)) say(`${printable(name)}: ${answer.join(' ')}`)
  if (json) console.log(JSON.stringify({ ok: true, outputs: answers, work: manifest.runWork, threads: model.threads.count }))
  return 0
}

/** `{ "x": [0.5, …] }`, or the list alone where there is one input. */
function readInputs(path: string, tensors: readonly ModuleTensor[]): NamedTensors {
  const json = readJsonFile(path, 2 ** 28)
  const single = tensors.length === 1 ? tensors[0]?.name : undefined
  const named = Array.isArray(json) && single !== undefined ? { [single]: json } : json
  return Object.fromEntries(
    tensors.map((spec) => {
      const given: unknown =
        named !== null && typeof named === 'object' ? Object.entries(named).find(([key]) => key === spec.name)?.[1] : undefined
      const count = moduleTensorBytes(spec) / moduleElementBytes[spec.elementType]
      if (!isNumbers(given) || given.length !== count)
        throw new FileUnusableError(path, `needs a list of ${count} numbers for the input ${printable(spec.name)}`)
      return [spec.name, toTensor(path, spec, given)]
    }),
  )
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}

function toTensor(path: string, spec: ModuleTensor, numbers: readonly number[]): Tensor {
  const { shape, elementType } = spec
  if (elementType === 'float32') return { type: 'f32', shape, data: Float32Array.from(numbers) }
  const boundary = boundaryOf(spec)
  if (boundary !== undefined) return { type: 'i8', shape, data: quantizeInput(boundary, numbers) }
  if (!numbers.every(Number.isSafeInteger)) throw new FileUnusableError(path, `needs whole numbers for the input ${printable(spec.name)}`)
  switch (elementType) {
    case 'int8':
      return { type: 'i8', shape, data: Int8Array.from(numbers) }
    case 'int32':
      return { type: 'i32', shape, data: Int32Array.from(numbers) }
    case 'int64':
      return { type: 'i64', shape, data: BigInt64Array.from(numbers, BigInt) }
    case 'uint8':
    case 'bool':
      return { type: 'u8', shape, data: Uint8Array.from(numbers) }
  }
}

// People give and get real values; a q8 module computes with the int8 values that stand for them.
function realValues(spec: ModuleTensor | undefined, output: Tensor): readonly number[] {
  const boundary = spec === undefined ? undefined : boundaryOf(spec)
  return Array.from(boundary !== undefined && output.type === 'i8' ? dequantizeActivation(boundary, output.data) : output.data, Number)
}

function boundaryOf({ shape, elementType, quantization }: ModuleTensor): Q8Boundary | undefined {
  if (quantization === null || elementType !== 'int8') return undefined
  return { ...quantization, shape, scale: new Float32Array(Uint32Array.of(quantization.scaleBits).buffer)[0] ?? 1 }
}
