import canonicalize from 'canonicalize'
import { utf8 } from './bytes.ts'
import { MalformedError } from './errors.ts'

/** What a signed document may hold. Integers that can be large are decimal strings; numbers are safe integers. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * RFC 8785 canonical JSON (JCS).
 * @throws MalformedError for numbers that are not safe integers (their text form differs between implementations), for
 * strings that are not well-formed Unicode, and for nesting deeper than 64.
 */
export function canonicalJson(value: Json): string {
  assertCanonicalizable(value, 0)
  const text = canonicalize(value)
  if (text === undefined) throw new MalformedError('A document', 'has no JSON form')
  return text
}

/** The canonical bytes, which is what gets hashed, signed and sealed. */
export function canonicalBytes(value: Json): Uint8Array<ArrayBuffer> {
  return utf8(canonicalJson(value))
}

/**
 * Parses untrusted JSON of bounded size.
 * @throws MalformedError when it is too long, not UTF-8 or not JSON.
 */
export function parseJson(bytes: Uint8Array, what: string, maxBytes: number): unknown {
  if (bytes.length > maxBytes) throw new MalformedError(what, `is longer than ${maxBytes} bytes`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw new MalformedError(what, 'is not JSON')
  }
}

const maxDepth = 64

function assertCanonicalizable(value: Json | undefined, depth: number): void {
  if (typeof value === 'string' && !value.isWellFormed()) throw new MalformedError('A string in a document', 'is not well-formed Unicode')
  if (depth > maxDepth) throw new MalformedError('A document', `is nested deeper than ${maxDepth}`)
  if (typeof value === 'number' && (!Number.isSafeInteger(value) || Object.is(value, -0)))
    throw new MalformedError('A number in a document', 'is not a safe integer')
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    if (!key.isWellFormed()) throw new MalformedError('A key in a document', 'is not well-formed Unicode')
    assertCanonicalizable(item as Json | undefined, depth + 1)
  }
}
