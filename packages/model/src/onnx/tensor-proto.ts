import { ExternalDataError, MalformedOnnxError, ModelTooLargeError, UnsupportedTypeError } from '../errors.ts'
import { allocate, type ElementType, elementCount, elementSizeBytes, setElement, type Tensor, type TensorType } from '../tensor.ts'
import { fromBrainFloat, fromHalf, narrowed } from './small-floats.ts'
import { exactNumber, type Field, fieldBytes, fieldInteger, fieldText, pushFloats, pushIntegers, readFields } from './wire.ts'

/** Fetches a range of an external data file; the importer calls it with the location exactly as the file names it. */
export type ExternalDataLoader = (location: string, range: { readonly offset: number; readonly length: number }) => Uint8Array

/** What reading tensors needs to know. */
export type TensorContext = { readonly maxElements: number; readonly externalData?: ExternalDataLoader | undefined }

/** Element types by their ONNX number (TensorProto.DataType), as graphs carry them. */
const elementTypes: Readonly<Record<number, ElementType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  12: 'uint32',
  13: 'uint64',
}

/**
 * Types that are read as another one: half precision and bfloat16 are widened and double precision is narrowed to float32, in which
 * everything is computed; 4-bit integers become bytes.
 */
const substitutes: Readonly<Record<number, ElementType>> = {
  10: 'float32',
  11: 'float32',
  16: 'float32',
  21: 'uint8',
  22: 'int8',
}

/** Names of the types that are read as another one. */
export type StoredAs = 'float16' | 'float64' | 'bfloat16' | 'uint4' | 'int4'

const storedNames: Readonly<Record<number, StoredAs>> = { 10: 'float16', 11: 'float64', 16: 'bfloat16', 21: 'uint4', 22: 'int4' }

const otherTypeNames: Readonly<Record<number, string>> = {
  0: 'undefined',
  8: 'string',
  14: 'complex64',
  15: 'complex128',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  23: 'float4e2m1',
  24: 'float8e8m0',
  25: 'uint2',
  26: 'int2',
}

/** Whether an ONNX type number is a 4-bit integer, to which nothing can be rounded here. */
export function isFourBit(number: number): boolean {
  return number === 21 || number === 22
}

/** The element type that stands for an ONNX number. */
export function elementTypeFromOnnx(number: number, where: string): ElementType {
  const elementType = elementTypes[number] ?? substitutes[number]
  if (elementType === undefined) throw new UnsupportedTypeError(where, otherTypeNames[number] ?? `number ${number}`)
  return elementType
}

/** The same for the target of a conversion, which a 4-bit integer cannot be. */
export function roundedTypeFromOnnx(number: number, where: string): ElementType {
  if (isFourBit(number)) throw new UnsupportedTypeError(where, number === 21 ? 'uint4' : 'int4')
  return elementTypeFromOnnx(number, where)
}

/** The ONNX number of an element type. */
export function elementTypeToOnnx(elementType: ElementType): number {
  return Number(Object.entries(elementTypes).find(([, name]) => name === elementType)?.[0] ?? 0)
}

/** A parsed TensorProto. */
export type NamedTensor = {
  readonly name: string
  readonly tensor: Tensor
  /** The type in the file, where the tensor is read as another one. */
  readonly storedAs?: StoredAs | undefined
}

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
  const { name } = raw
  const stored = storedBytes(raw.dataType, count, elementType)
  const own = raw.external ? loadExternal(raw, stored, context) : raw.raw
  if (substitutes[raw.dataType] !== undefined) {
    if (own !== undefined && own.length !== stored) throw new MalformedOnnxError(where, 'has data that does not fit its shape')
    return { name, storedAs: storedNames[raw.dataType], tensor: substituted(raw, { elementType, shape }, own, where) }
  }
  if (own !== undefined) return { name, tensor: fromBytes(elementType, shape, own, where) }
  return { name, tensor: fromLists(elementType, shape, raw, where) }
}

function storedBytes(dataType: number, count: number, elementType: ElementType): number {
  if (isFourBit(dataType)) return Math.ceil(count / 2)
  return count * (dataType === 11 ? 8 : dataType === 10 || dataType === 16 ? 2 : elementSizeBytes(elementType))
}

/** A tensor of a type that is read as another one, from its bytes or from the lists of the message. */
function substituted(raw: RawTensor, { elementType, shape }: TensorType, bytes: Uint8Array | undefined, where: string): Tensor {
  const count = elementCount(shape)
  const view = bytes === undefined ? undefined : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const listed = raw.dataType === 11 ? raw.floats.length : raw.integers.length
  if (view === undefined && listed !== (isFourBit(raw.dataType) ? Math.ceil(count / 2) : count))
    throw new MalformedOnnxError(where, 'has data that does not fit its shape')
  const word = (i: number) => (view === undefined ? Number(raw.integers[i] ?? 0n) & 0xffff : view.getUint16(2 * i, true))
  const value = (i: number): number => {
    switch (raw.dataType) {
      case 10:
        return fromHalf(word(i))
      case 16:
        return fromBrainFloat(word(i))
      case 11:
        return narrowed(view === undefined ? (raw.floats[i] ?? 0) : view.getFloat64(8 * i, true))
      default: {
        const pair = view === undefined ? Number(raw.integers[i >> 1] ?? 0n) : view.getUint8(i >> 1)
        const nibble = (pair >> (4 * (i & 1))) & 15
        return raw.dataType === 22 && nibble > 7 ? nibble - 16 : nibble
      }
    }
  }
  const data = allocate(elementType, count)
  for (let i = 0; i < count; i++) setElement(data, i, value(i))
  return { elementType, shape, data }
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

function loadExternal(raw: RawTensor, length: number, context: TensorContext): Uint8Array {
  const location = raw.location.get('location') ?? ''
  const fail = (reason: string, cause?: unknown) => new ExternalDataError(raw.name, location, reason, cause)
  if (context.externalData === undefined) throw fail('no loader was given')
  if (location === '' || /^[/\\]|^[a-z]+:|(?:^|[/\\])\.\.(?:[/\\]|$)|\0/i.test(location))
    throw fail('the location is not a path inside the model folder')
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
  const values: readonly (number | bigint)[] = elementType === 'float32' ? raw.floats : raw.integers
  if (values.length !== elementCount(shape)) throw new MalformedOnnxError(where, 'has data that does not fit its shape')
  const data = allocate(elementType, values.length)
  for (const [index, value] of values.entries()) setElement(data, index, elementType === 'bool' ? Number(value !== 0n) : value)
  return { elementType, shape, data }
}
