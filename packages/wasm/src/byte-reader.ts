import { MalformedModuleError } from './errors.ts'

/**
 * Reads the number encodings of the binary format (Core Specification 2.0, section 5.2), strictly: a LEB128 may not be
 * longer than its type allows, nor carry bits outside it.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly end: number
  offset: number

  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.offset = offset
    this.end = end
  }

  get done(): boolean {
    return this.offset >= this.end
  }

  fail(reason: string): never {
    throw new MalformedModuleError(reason, this.offset)
  }

  byte(): number {
    if (this.offset >= this.end) this.fail('ends too early')
    return this.bytes[this.offset++] ?? 0
  }

  take(length: number): Uint8Array {
    if (length > this.end - this.offset) this.fail('ends too early')
    this.offset += length
    return this.bytes.subarray(this.offset - length, this.offset)
  }

  u32(): number {
    let result = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      if (shift === 28 && (byte & 0xf0) !== 0) this.fail('has an unsigned number that does not fit 32 bits')
      result += (byte & 127) * 2 ** shift
      if ((byte & 128) === 0) return result
    }
    return this.fail('has a number that is too long')
  }

  s32(): number {
    return Number(this.#signed(32))
  }

  s64(): bigint {
    return this.#signed(64)
  }

  // Block types are 33-bit signed numbers (section 5.4.1).
  s33(): number {
    return Number(this.#signed(33))
  }

  name(): string {
    const raw = this.take(this.u32())
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw)
    } catch {
      return this.fail('has a name that is not UTF-8')
    }
  }

  #signed(bits: number): bigint {
    let small = 0
    let shift = 0
    // Four bytes stay inside 28 bits: the common case without bigints.
    for (; shift < 28; shift += 7) {
      const byte = this.byte()
      small |= (byte & 127) << shift
      if ((byte & 128) === 0) return BigInt((byte & 64) !== 0 ? small | (-1 << (shift + 7)) : small)
    }
    let result = BigInt(small)
    for (; shift < bits; shift += 7) {
      const byte = this.byte()
      result |= BigInt(byte & 127) << BigInt(shift)
      if ((byte & 128) !== 0) continue
      const left = bits - shift
      if (left < 7) {
        const sign = (byte >> (left - 1)) & 1
        const spare = (byte & 127) >> left
        if (spare !== (sign === 1 ? 127 >> left : 0)) this.fail('has a signed number outside its type')
      }
      return BigInt.asIntN(Math.min(shift + 7, bits), result)
    }
    return this.fail('has a number that is too long')
  }
}
