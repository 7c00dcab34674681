/** A growing byte buffer with the number encodings of the binary format (Core Specification 2.0, section 5.2). */
export class ByteWriter {
  #bytes = new Uint8Array(64)
  #length = 0

  get length(): number {
    return this.#length
  }

  byte(value: number): this {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
    return this
  }

  bytes(values: Uint8Array | readonly number[]): this {
    this.#reserve(values.length)
    this.#bytes.set(values, this.#length)
    this.#length += values.length
    return this
  }

  /** Unsigned LEB128 of an integer from 0 to 2^32 - 1. */
  u32(value: number): this {
    let rest = value >>> 0
    while (rest > 127) {
      this.byte((rest & 127) | 128)
      rest >>>= 7
    }
    return this.byte(rest)
  }

  /** Signed LEB128 of a 32-bit integer. */
  s32(value: number): this {
    return this.s64(BigInt(value | 0))
  }

  /** Signed LEB128 of a 64-bit integer. */
  s64(value: bigint): this {
    let rest = BigInt.asIntN(64, value)
    for (;;) {
      const low = Number(rest & 127n)
      rest >>= 7n
      if ((rest === 0n && (low & 64) === 0) || (rest === -1n && (low & 64) !== 0)) return this.byte(low)
      this.byte(low | 128)
    }
  }

  f32(value: number): this {
    return this.bytes(new Uint8Array(new Float32Array([value]).buffer))
  }

  f64(value: number): this {
    return this.bytes(new Uint8Array(new Float64Array([value]).buffer))
  }

  /** A UTF-8 name with its length in front. */
  name(text: string): this {
    return this.vector(new TextEncoder().encode(text))
  }

  /** Bytes with their length in front. */
  vector(values: Uint8Array): this {
    return this.u32(values.length).bytes(values)
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
