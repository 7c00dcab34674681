// The byte strings that a program reads, and how a few of their bytes are opened against a digest (docs/spec/verifier-trace.md, section 2).
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, layerContextDigest, type LayerStatement, parseHex } from '@tacit/protocol'
import { registrationDigest } from '../commit/weights.ts'
import { CHUNK_BYTES, chunkHashes, chunkRoot, dataDigest, foldChunks } from '../digest.ts'
import { wordBytes } from './value.ts'

/** Positions of the sources. */
export const [PROOF, WEIGHTS, INPUT_0, INPUT_1, OUTPUT] = [0, 1, 2, 3, 4] as const
/** Number of sources; public word 2 + k is the digest of source k. */
export const SOURCES = 5

/** Public words 0 and 1. */
export const [CONTEXT_WORD, REGISTRATION_WORD, FIRST_SOURCE_WORD] = [0, 1, 2] as const

/** What an assertion is about: seven words, and the bytes behind five of them. */
export type VerifierInput = { readonly words: readonly Uint8Array[]; readonly sources: readonly Uint8Array[] }

/**
 * The public words and sources of a statement and its proof.
 * @throws MalformedError when a commitment is no hexadecimal: a chain is given bytes, so nothing can be asserted about such a statement.
 */
export function verifierInput(statement: LayerStatement, proof: Uint8Array): VerifierInput {
  const bytes = (points: `0x${string}` | null | undefined): Uint8Array => (points ? parseHex(points, 'Commitments') : new Uint8Array(0))
  const { spec, context, inputs } = statement
  const sources = [proof, bytes(statement.weights), bytes(inputs[0]), bytes(inputs[1]), bytes(statement.output)]
  const digests = sources.map(dataDigest)
  const registration = parseHex(registrationDigest(spec, digests[WEIGHTS] ?? new Uint8Array(32), context), 'A digest', 32)
  return { words: [layerContextDigest(context), registration, ...digests], sources }
}

/** Bytes of a source; those behind its end are zero. */
export function bytesAt(source: Uint8Array, offset: number, length: number): Uint8Array {
  const out = new Uint8Array(length)
  out.set(source.subarray(Math.min(offset, source.length), Math.min(offset + length, source.length)))
  return out
}

/** One chunk of a source with the hashes beside its way to the root, from below. */
export type OpenedChunk = { readonly index: number; readonly data: Uint8Array; readonly siblings: readonly Uint8Array[] }

/** Some bytes of a source, opened. `root` is enough where only the length is read. */
export type OpenedSource = { readonly length: number; readonly root: Uint8Array; readonly chunks: readonly OpenedChunk[] }

/** Opens `length` bytes at `offset`; bytes behind the end need no chunk. */
export function openSource(source: Uint8Array, offset: number, length: number): OpenedSource {
  const chunks: OpenedChunk[] = []
  const end = Math.min(offset + length, source.length)
  for (let index = Math.floor(offset / CHUNK_BYTES); index * CHUNK_BYTES < end; index++)
    chunks.push({ index, data: source.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES), siblings: siblingsOf(source, index) })
  return { length: source.length, root: chunkRoot(source), chunks }
}

function siblingsOf(source: Uint8Array, index: number): readonly Uint8Array[] {
  const siblings: Uint8Array[] = []
  let level = chunkHashes(source)
  for (let at = index; level.length > 1; at >>= 1) {
    const sibling = level[at ^ 1]
    if (sibling !== undefined) siblings.push(sibling)
    level = foldChunks(level, (left, right) => keccak_256(concatBytes(left, right)))
  }
  return siblings
}

/** The bytes of an opening, or undefined if it does not belong to the digest or does not hold them. */
export function readOpening(
  opened: OpenedSource,
  digest: Uint8Array,
  range: { readonly offset: number; readonly length: number },
): Uint8Array | undefined {
  if (!sameBytes(keccak_256(concatBytes(wordBytes(BigInt(opened.length)), opened.root)), digest)) return undefined
  const out = new Uint8Array(range.length)
  const end = Math.min(range.offset + range.length, opened.length)
  for (let index = Math.floor(range.offset / CHUNK_BYTES), k = 0; index * CHUNK_BYTES < end; index++, k++) {
    const chunk = opened.chunks[k]
    if (chunk === undefined || chunk.index !== index || !belongs(chunk, opened)) return undefined
    const [from, to] = [Math.max(range.offset, index * CHUNK_BYTES), Math.min(end, (index + 1) * CHUNK_BYTES)]
    out.set(chunk.data.subarray(from - index * CHUNK_BYTES, to - index * CHUNK_BYTES), from - range.offset)
  }
  return out
}

function belongs({ index, data, siblings }: OpenedChunk, { length, root }: OpenedSource): boolean {
  if (data.length !== Math.min(CHUNK_BYTES, length - index * CHUNK_BYTES)) return false
  let node: Uint8Array = keccak_256(data)
  let used = 0
  for (let at = index, count = Math.ceil(length / CHUNK_BYTES); count > 1; at >>= 1, count = (count + 1) >> 1) {
    if (at % 2 === 0 && at + 1 === count) continue
    const sibling = siblings[used++] ?? new Uint8Array(0)
    node = keccak_256(at % 2 === 1 ? concatBytes(sibling, node) : concatBytes(node, sibling))
  }
  return used === siblings.length && siblings.every((sibling) => sibling.length === 32) && sameBytes(node, root)
}

/** Whether two byte strings are equal; public data. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, k) => byte === b[k])
}
