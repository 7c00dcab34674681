import { ExternalDataError, MalformedOnnxError, ModelTooLargeError, UnsupportedTypeError } from '../errors.ts'
import { allocate, type ElementType, elementCount, elementSizeBytes, setElement, type Tensor } from '../tensor.ts'
import { exactNumber, type Field, fieldBytes, fieldInteger, fieldText, pushFloats, pushIntegers, readFields } from './wire.ts'

/** Fetches a range of an external data file; the importer calls it with the location exactly as the file names it. */
export type ExternalDataLoader = (location: string, range: { readonly offset: number; readonly length: number }) => Uint8Array

/** What reading tensors needs to know. */
export type TensorContext = { readonly maxElements: number; readonly externalData?: ExternalDataLoader | undefined }

/** Element types by their ONNX number (TensorProto.DataType). */
const elementTypes: Readonly<Record<number, ElementType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
}

const otherTypeNames: Readonly<Record<number, string>> = {
  0: 'undefined',
  8: 'string',
  10: 'float16',
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
}

/** The element type with an ONNX number. */
export function elementTypeFromOnnx(number: number, where: string): ElementType {
  const elementType = elementTypes[number]
  if (elementType === undefined) throw new UnsupportedTypeError(where, otherTypeNames[number] ?? `number ${number}`)
  return elementType
}

/** The ONNX number of an element type. */
export function elementTypeToOnnx(elementType: ElementType): number {
  return Number(Object.entries(elementTypes).find(([, name]) => name === elementType)?.[0] ?? 0)
}

/** A parsed TensorProto. */
export type NamedTensor = { readonly name: string; readonly tensor: Tensor }

/** Reads a tensor file (a serialised TensorProto), as ONNX's test cases have them. */
export function parseOnnxTensor(bytes: Uint8Array, options: { readonly maxElements?: number } = {}): NamedTensor {
  return readTensor(bytes, { maxElements: options.maxElements ?? 2 ** 28 })
}

type RawTensor = {
  name: string
  dataType: number
  external: boolean
  raw: Uint8Array | undefined
  readonly dimensions: bigint[]
  readonly floats: number[]
  readonly integers: bigint[]
  readonly location: Map<string, string>
}

/** Reads a TensorProto. */
export function readTensor(bytes: Uint8Array, context: TensorContext): NamedTensor {
  const raw = readRaw(bytes)
  const where = `tensor ${JSON.stringify(raw.name)}`
  const elementType = elementTypeFromOnnx(raw.dataType, where)
  const shape = raw.dimensions.map((dimension) => {
    const size = exactNumber(dimension, where)
    if (size < 0) throw new MalformedOnnxError(where, 'has a negative dimension')
    return size
  })
  const count = elementCount(shape)
  if (!(count <= context.maxElements)) throw new ModelTooLargeError(`The element count of ${where}`, count, context.maxElements)
  if (raw.external) return { name: raw.name, tensor: fromBytes(elementType, shape, loadExternal(raw, count, elementType, context), where) }
  if (raw.raw !== undefined) return { name: raw.name, tensor: fromBytes(elementType, shape, raw.raw, where) }
  return { name: raw.name, tensor: fromLists(elementType, shape, raw, where) }
}

function readRaw(bytes: Uint8Array): RawTensor {
  const raw: RawTensor = {
    name: '',
    dataType: 0,
    external: false,
    raw: undefined,
    dimensions: [],
    floats: [],
    integers: [],
    location: new Map(),
  }
  for (const field of readFields(bytes, 'a tensor')) readRawField(raw, field)
  return raw
}

function readRawField(raw: RawTensor, field: Field): void {
  const what = 'a tensor'
  if (field.number === 1) pushIntegers(raw.dimensions, field, 'a tensor shape')
  else if (field.number === 2) raw.dataType = fieldInteger(field, what)
  else if (field.number === 3) throw new MalformedOnnxError(what, 'is stored in segments')
  else if (field.number === 4) pushFloats(raw.floats, field, 4, what)
  else if (field.number === 5 || field.number === 7 || field.number === 11) pushIntegers(raw.integers, field, what)
  else if (field.number === 8) raw.name = fieldText(field, 'a tensor name')
  else if (field.number === 9) raw.raw = fieldBytes(field, what)
  else if (field.number === 10) pushFloats(raw.floats, field, 8, what)
  else if (field.number === 13) readLocationEntry(raw, fieldBytes(field, what))
  else if (field.number === 14) raw.external = fieldInteger(field, what) === 1
}

function readLocationEntry(raw: RawTensor, bytes: Uint8Array): void {
  let key = ''
  let value = ''
  for (const field of readFields(bytes, 'an external data entry')) {
    if (field.number === 1) key = fieldText(field, 'an external data key')
    else if (field.number === 2) value = fieldText(field, 'an external data value')
  }
  raw.location.set(key, value)
}

function loadExternal(raw: RawTensor, count: number, elementType: ElementType, context: TensorContext): Uint8Array {
  const location = raw.location.get('location') ?? ''
  const fail = (reason: string, cause?: unknown) => new ExternalDataError(raw.name, location, reason, cause)
  if (context.externalData === undefined) throw fail('no loader was given')
  if (location === '' || /^[/\\]|^[a-z]+:|(?:^|[/\\])\.\.(?:[/\\]|$)|\0/i.test(location))
    throw fail('the location is not a path inside the model folder')
  const length = count * elementSizeBytes(elementType)
  const offset = decimal(raw.location.get('offset') ?? '0')
  const declared = raw.location.get('length')
  if (offset === undefined) throw fail('the offset is not a number')
  if (declared !== undefined && decimal(declared) !== length) throw fail('the length does not fit the shape')
  let bytes: Uint8Array
  try {
    bytes = context.externalData(location, { offset, length })
  } catch (cause) {
    throw fail('the loader failed', cause)
  }
  if (bytes.length !== length) throw fail('the file is too short')
  return bytes
}

function decimal(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function fromBytes(elementType: ElementType, shape: readonly number[], bytes: Uint8Array, where: string): Tensor {
  const count = elementCount(shape)
  if (bytes.length !== count * elementSizeBytes(elementType)) throw new MalformedOnnxError(where, 'has data that does not fit its shape')
  const data = allocate(elementType, count)
  new Uint8Array(data.buffer).set(bytes)
  if (elementType === 'bool' && bytes.some((byte) => byte > 1)) throw new MalformedOnnxError(where, 'has a boolean that is neither 0 nor 1')
  return { elementType, shape, data }
}

function fromLists(elementType: ElementType, shape: readonly number[], raw: RawTensor, where: string): Tensor {
  const values: readonly (number | bigint)[] = elementType === 'float32' || elementType === 'float64' ? raw.floats : raw.integers
  if (values.length !== elementCount(shape)) throw new MalformedOnnxError(where, 'has data that does not fit its shape')
  const data = allocate(elementType, values.length)
  for (const [index, value] of values.entries()) setElement(data, index, elementType === 'bool' ? Number(value !== 0n) : value)
  return { elementType, shape, data }
}
