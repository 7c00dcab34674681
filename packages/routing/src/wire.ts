import { concatBytes, equalBytes } from '@tacit/protocol'
import { DirectoryChangedError, MalformedRoutingError } from './errors.ts'
import { route1 } from './parameters.ts'

// Eight bytes (four letters, version, parameter set, two zero bytes), the directory's root, then the body.
const headerBytes = 40
const version = 1
const parameterSet = 1

type Kind = 'TRqu' | 'TRan'

/** Puts a header before a body. */
export function frame(kind: Kind, root: Uint8Array, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const letters = Array.from(kind, (letter) => letter.charCodeAt(0))
  return concatBytes(Uint8Array.of(...letters, version, parameterSet, 0, 0), root, body)
}

/**
 * The body behind a header.
 * @throws MalformedRoutingError, DirectoryChangedError when it is for another root
 */
export function unframe(kind: Kind, root: Uint8Array, bytes: Uint8Array, size: number): Uint8Array {
  const what = kind === 'TRqu' ? 'The query' : 'The answer'
  const head = [...Array.from(kind, (letter) => letter.charCodeAt(0)), version, parameterSet, 0, 0]
  if (bytes.length < headerBytes || head.some((byte, i) => bytes[i] !== byte)) throw new MalformedRoutingError(what, 'is something else')
  if (!equalBytes(bytes.subarray(8, headerBytes), root)) throw new DirectoryChangedError()
  if (bytes.length !== headerBytes + size) throw new MalformedRoutingError(what, 'does not have its length')
  return bytes.subarray(headerBytes)
}

/** Bytes of the body of a query for that many dimensions. */
export function queryBodyBytes(dimensions: number): number {
  const { degree, digits, fold, keyWordBytes, queryWordBytes } = route1
  return degree * ((dimensions / fold) * queryWordBytes + digits * keyWordBytes)
}

/** Bytes of the body of an answer for that many rows. */
export function answerBodyBytes(count: number): number {
  return Math.ceil((count * route1.answerBits) / 8)
}

/** Bytes of a whole query, a whole answer and the hints of a directory. */
export function routingSizes(count: number, dimensions: number): { readonly up: number; readonly down: number; readonly hint: number } {
  const blocks = Math.ceil(count / route1.degree)
  return { up: headerBytes + queryBodyBytes(dimensions), down: headerBytes + answerBodyBytes(count), hint: 4 * route1.degree * blocks }
}
