// The header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 2 and 3, little endian):
// read with every count and length bounded by the bytes that are really there, so garbage costs bounded time and memory.

/** What the header says. Arrays longer than a few entries are not kept, only where they lie. */
export type GgufHeader = {
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: readonly GgufTensor[]
  /** Where tensor data begins. */
  readonly dataOffset: number
}

/** Where a tensor lies in the file, fastest dimension first. */
export type GgufTensor = {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: number
  readonly offset: number
}

/** One metadata value with the byte range of its encoding; `array` values are read on demand with `ggufStrings`. */
export type GgufValue =
  | { readonly kind: 'number'; readonly value: number; readonly start: number; readonly end: number }
  | { readonly kind: 'boolean'; readonly value: boolean; readonly start: number; readonly end: number }
  | { readonly kind: 'string'; readonly value: string; readonly start: number; readonly end: number }
  | { readonly kind: 'array'; readonly elementType: number; readonly count: number; readonly start: number; readonly end: number }

/** `more`: the bytes are a beginning of a header, read on with more of them. */
export type GgufParse =
  | { readonly ok: true; readonly header: GgufHeader }
  | { readonly ok: false; readonly more: boolean; readonly reason: string }

const magic = 0x46554747
const typeString = 8
const typeArray = 9
const maxEntries = 1 << 16
const maxDimensions = 4
/** Bytes of one value by type number; 0 for strings and arrays, which have a length of their own. */
const valueBytes: readonly number[] = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8]

/** Reads the header from the first bytes of a file. */
export function parseGgufHeader(bytes: Uint8Array): GgufParse {
  try {
    return { ok: true, header: readHeader(new Cursor(bytes)) }
  } catch (problem) {
    if (!(problem instanceof HeaderProblem)) throw problem
    return { ok: false, more: problem.more, reason: problem.message }
  }
}

/** The strings of an array value, which must be one of strings. */
export function ggufStrings(bytes: Uint8Array, value: GgufValue): readonly string[] {
  if (value.kind !== 'array' || value.elementType !== typeString) return []
  const cursor = new Cursor(bytes, value.start + 12)
  return Array.from({ length: value.count }, () => cursor.string())
}

class HeaderProblem extends Error {
  readonly more: boolean
  constructor(reason: string, more = false) {
    super(reason)
    this.more = more
  }
}

function readHeader(cursor: Cursor): GgufHeader {
  if (cursor.u32() !== magic) throw new HeaderProblem('it does not begin with GGUF')
  const version = cursor.u32()
  if (version !== 2 && version !== 3) throw new HeaderProblem(`GGUF version ${version} is not supported`)
  const tensorCount = cursor.count('tensors')
  const metadataCount = cursor.count('metadata entries')
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < metadataCount; i++) {
    const key = cursor.string()
    if (metadata.has(key)) throw new HeaderProblem('a metadata key occurs twice')
    metadata.set(key, cursor.value())
  }
  const tensors = Array.from({ length: tensorCount }, () => readTensor(cursor))
  const alignment = metadata.get('general.alignment')
  const step = alignment?.kind === 'number' && alignment.value > 0 ? alignment.value : 32
  return { version, metadata, tensors, dataOffset: Math.ceil(cursor.offset / step) * step }
}

function readTensor(cursor: Cursor): GgufTensor {
  const name = cursor.string()
  const dimensions = cursor.u32()
  if (dimensions > maxDimensions) throw new HeaderProblem('a tensor has too many dimensions')
  const shape = Array.from({ length: dimensions }, () => cursor.u64())
  return { name, shape, type: cursor.u32(), offset: cursor.u64() }
}

class Cursor {
  offset: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #text = new TextDecoder()

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.offset = offset
  }

  #advance(count: number): number {
    const start = this.offset
    if (count > this.#bytes.length - start) throw new HeaderProblem('the header is cut short', true)
    this.offset = start + count
    return start
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }

  u64(): number {
    const value = this.#view.getBigUint64(this.#advance(8), true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new HeaderProblem('a length is out of range')
    return Number(value)
  }

  count(what: string): number {
    const count = this.u64()
    if (count > maxEntries) throw new HeaderProblem(`it claims ${count} ${what}`)
    return count
  }

  string(): string {
    const length = this.u64()
    const start = this.#advance(length)
    return this.#text.decode(this.#bytes.subarray(start, start + length))
  }

  value(): GgufValue {
    const type = this.u32()
    const start = this.offset
    if (type === typeString) return { kind: 'string', value: this.string(), start, end: this.offset }
    if (type === typeArray) return this.#array(start)
    const size = valueBytes[type]
    if (size === undefined) throw new HeaderProblem(`a metadata value has the unknown type ${type}`)
    const at = this.#advance(size)
    if (type === 7) return { kind: 'boolean', value: this.#view.getUint8(at) !== 0, start, end: this.offset }
    return { kind: 'number', value: this.#number(type, at), start, end: this.offset }
  }

  #array(start: number): GgufValue {
    const elementType = this.u32()
    const count = this.u64()
    const size = valueBytes[elementType]
    if (size === undefined || elementType === typeArray) throw new HeaderProblem(`an array has the element type ${elementType}`)
    if (elementType !== typeString) this.#advance(count * size)
    // Each string takes at least its length field, so the bytes that are there bound this loop.
    else for (let i = 0; i < count; i++) this.#advance(this.u64())
    return { kind: 'array', elementType, count, start, end: this.offset }
  }

  #number(type: number, at: number): number {
    const view = this.#view
    switch (type) {
      case 0:
        return view.getUint8(at)
      case 1:
        return view.getInt8(at)
      case 2:
        return view.getUint16(at, true)
      case 3:
        return view.getInt16(at, true)
      case 4:
        return view.getUint32(at, true)
      case 5:
        return view.getInt32(at, true)
      case 6:
        return view.getFloat32(at, true)
      case 10:
        return Number(view.getBigUint64(at, true))
      case 11:
        return Number(view.getBigInt64(at, true))
      default:
        return view.getFloat64(at, true)
    }
  }
}
