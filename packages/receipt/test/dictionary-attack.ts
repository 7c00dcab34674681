// What somebody does who holds a published receipt, the model, and a list of inputs it might be about: computes everything
// that the formats of this project, or common sense, derive from a candidate, and looks for it in the file.
import { createHmac, hash } from 'node:crypto'
import { canonicalBytes, concatBytes, type Hex, type Json, keccak, parseHex, toHex, utf8 } from '@tacit/protocol'
import { leafPaths } from './mutate.ts'

/** One guess: some encodings of the same input (and of what the model answers to it). */
export type Candidate = { readonly name: string; readonly encodings: readonly Uint8Array[] }

/** Everything in a published file that a guess could be compared with: every string of at least 8 bytes, and all text. */
type Target = { readonly values: ReadonlySet<string>; readonly keys: readonly Uint8Array[]; readonly contexts: readonly Uint8Array[] }

/** Names of the candidates for which something computable from public data occurs in the file. */
export function findMatches(file: Json, candidates: readonly Candidate[]): readonly string[] {
  const target = readTarget(file)
  const known = new Map<string, boolean>() // many candidates share an answer
  const matches = (encoding: Uint8Array) => {
    const id = toHex(encoding)
    const match = known.get(id) ?? guess(encoding, target)
    known.set(id, match)
    return match
  }
  return candidates.filter(({ encodings }) => encodings.some(matches)).map(({ name }) => name)
}

function readTarget(file: Json): Target {
  const strings = leafPaths(file).map((path) => path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[String(key)], file))
  const hex = strings.filter((value): value is Hex => typeof value === 'string' && /^0x(?:[0-9a-f]{2}){8,}$/.test(value))
  const words = hex.filter((value) => value.length === 66)
  const core = (file as { receipt: { document: { session: Hex; job: Hex } } }).receipt.document
  return {
    values: new Set(hex.flatMap((value) => [value, value.slice(0, 66)])),
    // Every 32-byte value of the file, and what a lazy implementation might use, as key or salt.
    keys: [new Uint8Array(32), new Uint8Array(32).fill(0xff), ...new Set(words)].map((key) =>
      typeof key === 'string' ? parseHex(key, 'key') : key,
    ),
    contexts: [0, 1].map((direction) =>
      concatBytes(utf8('tacit/franking/1'), parseHex(core.session, 'x'), parseHex(core.job, 'x'), Uint8Array.of(direction)),
    ),
  }
}

function guess(encoding: Uint8Array, target: Target): boolean {
  const digest = hash('sha256', encoding, 'buffer')
  const frankings = target.contexts.map((context) => Buffer.concat([context, digest]))
  if (digestsOf(encoding).some((digest) => target.values.has(digest))) return true
  return target.keys.some((key) => {
    const keyed = [
      hash('sha256', Buffer.concat([key, encoding])),
      hash('sha256', Buffer.concat([encoding, key])),
      createHmac('sha256', key).update(encoding).digest('hex'),
      // The franking commitment, with a key that is no secret.
      ...frankings.map((message) => createHmac('sha256', key).update(message).digest('hex')),
    ]
    return keyed.some((digest) => target.values.has(`0x${digest}`))
  })
}

function digestsOf(encoding: Uint8Array): readonly string[] {
  const named = ['sha256', 'sha512', 'sha3-256', 'blake2s256'].map((name) => hash(name, encoding).slice(0, 64))
  const leaf = hash('sha256', Buffer.concat([Uint8Array.of(0), encoding])) // of a Merkle tree (RFC 6962)
  return [...[...named, leaf].map((digest) => `0x${digest}`), toHex(encoding), keccak(encoding)]
}

/** The encodings of a tensor input that this project and others use. */
export function encodePixels(pixels: readonly number[], name = 'input'): readonly Uint8Array[] {
  const scaled = Float32Array.from(pixels, (pixel) => pixel / 16)
  const raw = Float32Array.from(pixels)
  const int8 = Uint8Array.from(pixels)
  const wire = (data: Uint8Array, type: string) =>
    canonicalBytes({ kind: 'tensors', tensors: [{ name, type, shape: [1, pixels.length], data: toHex(data) }] })
  const bytes = (values: Float32Array) => new Uint8Array(values.buffer)
  return [wire(bytes(scaled), 'f32'), wire(bytes(raw), 'f32'), int8]
}
