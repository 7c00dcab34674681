// The shapes of untrusted documents. A schema parses once, at the boundary, into a typed value; unknown keys are refused,
// so that nothing can travel beside what was signed.
import type { Hex } from './bytes.ts'
import { parseHex } from './bytes.ts'
import { MalformedError } from './errors.ts'
import {
  type Address,
  type Bytes32,
  type ChannelId,
  type JobId,
  type ModelId,
  parseAddress,
  parseBytes32,
  parseChannelId,
  parseJobId,
  parseModelId,
  parseSessionId,
  type SessionId,
} from './identifiers.ts'
import { parseUint, type UintString } from './uint.ts'

/** Reads an untrusted value as T or throws MalformedError naming the path. */
export type Schema<T> = (value: unknown, path: string) => T

/** A string of at most `maxLength` UTF-16 units. */
export function text(maxLength: number): Schema<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw new MalformedError(path, 'is not a string')
    if (value.length > maxLength) throw new MalformedError(path, `is longer than ${maxLength} characters`)
    return value
  }
}

/** Exactly one of the given strings. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Schema<T> {
  return (value, path) => {
    const found = allowed.find((item) => item === value)
    if (found === undefined) throw new MalformedError(path, `is not one of ${allowed.join(', ')}`)
    return found
  }
}

/** A canonical decimal integer below 2^bits, kept as its string. */
export function uint(bits: number): Schema<UintString> {
  return (value, path) => {
    const string = text(78)(value, path)
    parseUint(string, path, bits)
    return string
  }
}

/** A JSON number that is an integer in [min, max]. */
export function integer(min: number, max: number): Schema<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
      throw new MalformedError(path, `is not an integer in [${min}, ${max}]`)
    return value
  }
}

/** Lower-case hex of between `minBytes` and `maxBytes`. */
export function hex(minBytes: number, maxBytes = minBytes): Schema<Hex> {
  return (value, path) => {
    const string = text(2 + 2 * maxBytes)(value, path)
    const bytes = parseHex(string, path)
    if (bytes.length < minBytes) throw new MalformedError(path, `is shorter than ${minBytes} bytes`)
    return string as Hex // parseHex accepted it
  }
}

const branded =
  <T>(parse: (text: string) => T): Schema<T> =>
  (value, path) => {
    try {
      return parse(text(66)(value, path))
    } catch (cause) {
      throw cause instanceof MalformedError ? new MalformedError(path, 'is not an identifier of the right length in lower-case hex') : cause
    }
  }

export const address: Schema<Address> = branded((value) => parseAddress(value))
export const bytes32: Schema<Bytes32> = branded((value) => parseBytes32(value))
export const sessionId: Schema<SessionId> = branded(parseSessionId)
export const jobId: Schema<JobId> = branded(parseJobId)
export const channelId: Schema<ChannelId> = branded(parseChannelId)
export const modelId: Schema<ModelId> = branded(parseModelId)

/** An array of at most `maxItems`. */
export function list<T>(item: Schema<T>, maxItems: number): Schema<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new MalformedError(path, 'is not a list')
    if (value.length > maxItems) throw new MalformedError(path, `has more than ${maxItems} entries`)
    return value.map((entry, index) => item(entry, `${path}[${index}]`))
  }
}

/** `T` or null. */
export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return (value, path) => (value === null ? null : inner(value, path))
}

/** An object with exactly these keys. */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: Schema<T[K]> }): Schema<T> {
  const keys = Object.keys(fields) as (keyof T & string)[]
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new MalformedError(path, 'is not an object')
    for (const key of Object.keys(value))
      if (!Object.hasOwn(fields, key)) throw new MalformedError(path, `has the unknown key ${JSON.stringify(key.slice(0, 40))}`)
    const parsed: Partial<T> = {}
    for (const key of keys) {
      if (!Object.hasOwn(value, key)) throw new MalformedError(path, `lacks ${key}`)
      parsed[key] = fields[key]((value as Record<string, unknown>)[key], `${path}.${key}`)
    }
    return parsed as T // every key of T was read by its schema
  }
}

/** One of several objects, told apart by a string under `key`. */
export function variant<T extends object>(key: string, variants: { readonly [name: string]: Schema<T> }): Schema<T> {
  return (value, path) => {
    const tag = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
    const schema = typeof tag === 'string' && Object.hasOwn(variants, tag) ? variants[tag] : undefined
    if (schema === undefined) throw new MalformedError(`${path}.${key}`, `is not one of ${Object.keys(variants).join(', ')}`)
    return schema(value, path)
  }
}
