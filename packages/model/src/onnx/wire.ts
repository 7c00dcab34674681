import { MalformedOnnxError } from '../errors.ts'

/** One protobuf field: its number, and its payload as a range of bytes or a 64-bit integer. */
export type Field = {
  readonly number: number
  readonly wireType: 0 | 1 | 2 | 5
  /** Varint, or the little-endian bits of a fixed field. */
  readonly integer: bigint
  /** Payload of a length-delimited field; empty otherwise. */
  readonly bytes: Uint8Array
}

const nothing = new Uint8Array(0)
const textDecoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The fields of one protobuf message, in order. Nested messages are views, not copies, so reading costs no memory beyond
 * the fields themselves; every step consumes at least one byte.
 * @throws MalformedOnnxError on truncated, oversized or unknown encodings.
 */
export function* readFields(bytes: Uint8Array, what: string): Generator<Field> {
  let offset = 0
  while (offset < bytes.length) {
    const tag = readVarint(bytes, offset, what)
    offset = tag.end
    const number = Number(tag.value >> 3n)
    if (number < 1 || number > 0x1fffffff) throw new MalformedOnnxError(what, 'has a field number out of range')
    const wireType = Number(tag.value & 7n)
    if (wireType === 0) {
      const { value, end } = readVarint(bytes, offset, what)
      offset = end
      yield { number, wireType, integer: value, bytes: nothing }
    } else if (wireType === 2) {
      const length = readVarint(bytes, offset, what)
      if (length.value > BigInt(bytes.length - length.end)) throw new MalformedOnnxError(what, 'is cut off inside a field')
      offset = length.end + Number(length.value)
      yield { number, wireType, integer: 0n, bytes: bytes.subarray(length.end, offset) }
    } else if (wireType === 1 || wireType === 5) {
      const size = wireType === 1 ? 8 : 4
      if (size > bytes.length - offset) throw new MalformedOnnxError(what, 'is cut off inside a fixed field')
      yield { number, wireType, integer: littleEndian(bytes, offset, size), bytes: nothing }
      offset += size
    } else throw new MalformedOnnxError(what, `uses wire type ${wireType}, which ONNX does not`)
  }
}

/** A string field. */
export function fieldText(field: Field, what: string): string {
  try {
    return textDecoder.decode(fieldBytes(field, what))
  } catch (cause) {
    if (cause instanceof MalformedOnnxError) throw cause
    throw new MalformedOnnxError(what, 'is not UTF-8')
  }
}

/** A length-delimited field's payload. */
export function fieldBytes(field: Field, what: string): Uint8Array {
  if (field.wireType !== 2) throw new MalformedOnnxError(what, 'should be length-delimited')
  return field.bytes
}

/** An int64 field as bigint. */
export function fieldInt64(field: Field, what: string): bigint {
  if (field.wireType !== 0) throw new MalformedOnnxError(what, 'should be an integer')
  return BigInt.asIntN(64, field.integer)
}

/** An integer field that must be exact as a number. */
export function fieldInteger(field: Field, what: string): number {
  return exactNumber(fieldInt64(field, what), what)
}

/** A float field. */
export function fieldFloat(field: Field, what: string): number {
  if (field.wireType !== 5) throw new MalformedOnnxError(what, 'should be a float')
  return floatFromBits(field.integer)
}

/** A repeated integer field, packed or not. */
export function pushIntegers(into: bigint[], field: Field, what: string): void {
  if (field.wireType === 0) {
    into.push(BigInt.asIntN(64, field.integer))
    return
  }
  const bytes = fieldBytes(field, what)
  for (let offset = 0; offset < bytes.length; ) {
    const { value, end } = readVarint(bytes, offset, what)
    into.push(BigInt.asIntN(64, value))
    offset = end
  }
}

/** A repeated float (4 bytes) or double (8 bytes) field, packed or not. */
export function pushFloats(into: number[], field: Field, sizeBytes: 4 | 8, what: string): void {
  if (field.wireType === 5 || field.wireType === 1) {
    if ((field.wireType === 5) !== (sizeBytes === 4)) throw new MalformedOnnxError(what, 'has elements of the wrong size')
    into.push(sizeBytes === 4 ? floatFromBits(field.integer) : doubleFromBits(field.integer))
    return
  }
  const bytes = fieldBytes(field, what)
  if (bytes.length % sizeBytes !== 0) throw new MalformedOnnxError(what, 'is not a whole number of elements')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let offset = 0; offset < bytes.length; offset += sizeBytes)
    into.push(sizeBytes === 4 ? view.getFloat32(offset, true) : view.getFloat64(offset, true))
}

/** A bigint as a number, refused when that would round. */
export function exactNumber(value: bigint, what: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new MalformedOnnxError(what, 'is too large an integer')
  return number
}

function readVarint(bytes: Uint8Array, start: number, what: string): { readonly value: bigint; readonly end: number } {
  let low = 0
  for (let i = 0; i < 4; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) throw new MalformedOnnxError(what, 'is cut off inside a number')
    low += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value: BigInt(low), end: start + i + 1 }
  }
  let value = BigInt(low)
  for (let i = 4; i < 10; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) throw new MalformedOnnxError(what, 'is cut off inside a number')
    value |= BigInt(byte & 0x7f) << BigInt(7 * i)
    if (byte < 0x80) {
      if (value >= 1n << 64n) break
      return { value, end: start + i + 1 }
    }
  }
  throw new MalformedOnnxError(what, 'contains a number longer than 64 bits')
}

function littleEndian(bytes: Uint8Array, offset: number, size: number): bigint {
  let value = 0n
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[offset + i] ?? 0)
  return value
}

function floatFromBits(integer: bigint): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, Number(integer))
  return view.getFloat32(0)
}

function doubleFromBits(integer: bigint): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, integer)
  return view.getFloat64(0)
}
