// Writes GGUF version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
/** A metadata value of one of the types that are needed here. */
export type GgufMetadata =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'u32' | 'f32'; readonly value: number }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'i32s'; readonly value: readonly number[] }

/** `shape` has the fastest dimension first, as the format wants it. */
export type GgufTensorData = {
  readonly name: string
  readonly shape: readonly number[]
  readonly tensorType: number
  readonly bytes: Uint8Array
}

const alignment = 32

/** The whole file. */
export function writeGguf(metadata: ReadonlyMap<string, GgufMetadata>, tensors: readonly GgufTensorData[]): Uint8Array<ArrayBuffer> {
  const out = new ByteSink()
  out.bytes(new TextEncoder().encode('GGUF'))
  out.u32(3)
  out.u64(tensors.length)
  out.u64(metadata.size)
  for (const [key, value] of metadata) {
    out.text(key)
    writeValue(out, value)
  }
  let offset = 0
  for (const { name, shape, tensorType, bytes } of tensors) {
    out.text(name)
    out.u32(shape.length)
    for (const dimension of shape) out.u64(dimension)
    out.u32(tensorType)
    out.u64(offset)
    offset += bytes.length + padding(bytes.length)
  }
  for (const { bytes } of [{ bytes: new Uint8Array(0) }, ...tensors]) {
    out.bytes(bytes)
    out.bytes(new Uint8Array(padding(out.length)))
  }
  return out.join()
}

const typeNumbers = { u32: 4, i32: 5, f32: 6, boolean: 7, string: 8, array: 9 } as const

function writeValue(out: ByteSink, entry: GgufMetadata): void {
  if (entry.type === 'strings' || entry.type === 'i32s') {
    out.u32(typeNumbers.array)
    out.u32(entry.type === 'strings' ? typeNumbers.string : typeNumbers.i32)
    out.u64(entry.value.length)
    for (const value of entry.value) typeof value === 'string' ? out.text(value) : out.u32(value)
    return
  }
  out.u32(typeNumbers[entry.type])
  if (entry.type === 'string') out.text(entry.value)
  else if (entry.type === 'u32') out.u32(entry.value)
  else if (entry.type === 'f32') out.f32(entry.value)
  else out.bytes(Uint8Array.of(entry.value ? 1 : 0))
}

function padding(length: number): number {
  return (alignment - (length % alignment)) % alignment
}

class ByteSink {
  length = 0
  readonly #parts: Uint8Array[] = []

  bytes(part: Uint8Array): void {
    this.#parts.push(part)
    this.length += part.length
  }

  u32(value: number): void {
    this.#number(4, (view) => view.setUint32(0, value >>> 0, true))
  }

  u64(value: number): void {
    this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true))
  }

  f32(value: number): void {
    this.#number(4, (view) => view.setFloat32(0, value, true))
  }

  text(text: string): void {
    const encoded = new TextEncoder().encode(text)
    this.u64(encoded.length)
    this.bytes(encoded)
  }

  join(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.length)
    let offset = 0
    for (const part of this.#parts) {
      joined.set(part, offset)
      offset += part.length
    }
    return joined
  }

  #number(size: number, write: (view: DataView) => void): void {
    const bytes = new Uint8Array(size)
    write(new DataView(bytes.buffer))
    this.bytes(bytes)
  }
}
