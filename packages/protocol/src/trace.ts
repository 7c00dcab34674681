// Layer traces (docs/spec/trace.md): a Merkle tree over the boundary activations of one run. Leaves are salted, so that a
// published root or the path of one opened layer says nothing about the other layers.
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes, parseHex, toHex, utf8 } from './bytes.ts'
import { type Bytes32, type JobId, parseBytes32, type SessionId } from './identifiers.ts'
import { MalformedError } from './errors.ts'
import type { ModuleElementType } from './manifest.ts'
import { bytes32, integer, list, object, oneOf, type Schema } from './schema.ts'

/** One boundary activation by its hash: what a leaf commits to. */
export type TraceEntry = {
  /** Canonical index of the boundary. */
  readonly index: number
  readonly elementType: ModuleElementType
  readonly shape: readonly number[]
  /** SHA-256 of its canonical bytes. */
  readonly activationHash: Bytes32
}

/** Shows that an entry is part of a trace. */
export type TraceOpening = {
  readonly entry: TraceEntry
  readonly salt: Bytes32
  readonly layerCount: number
  readonly path: readonly Bytes32[]
}

const typeCodes: Readonly<Record<ModuleElementType, number>> = { float32: 1, int8: 2, uint8: 3, int32: 4, int64: 5, bool: 6 }
const leafTag = utf8('tacit/trace/leaf/v1')
const nodeTag = utf8('tacit/trace/node/v1')
const rootTag = utf8('tacit/trace/root/v1')
const saltTag = utf8('tacit/trace/salt/v1')
const keyTag = utf8('tacit/trace/key/v1')

/** The franking keys of a job's input and output, and the ids that they are bound to. */
export type TraceKeySource = {
  readonly requestKey: Uint8Array
  readonly responseKey: Uint8Array
  readonly session: SessionId
  readonly job: JobId
}

/**
 * HMAC-SHA-256(request key, "tacit/trace/key/v1" | response key | session id | job id): the trace key of a job, which whoever can open
 * both its input and its output can derive, and nobody else.
 */
export function deriveTraceKey({ requestKey, responseKey, session, job }: TraceKeySource): Uint8Array {
  const ids = [parseHex(session, 'A session id', 32), parseHex(job, 'A job id', 32)]
  return hmac(sha256, requestKey, concatBytes(keyTag, responseKey, ...ids))
}

/** HMAC-SHA-256(traceKey, "tacit/trace/salt/v1" | index): a salt per layer from one secret of the run. */
export function traceSalt(traceKey: Uint8Array, index: number): Bytes32 {
  return asBytes32(hmac(sha256, traceKey, concatBytes(saltTag, u32(index))))
}

/** H("tacit/trace/leaf/v1" | salt | index | type | rank | dimensions | activation hash) */
export function traceLeaf(entry: TraceEntry, salt: Bytes32): Bytes32 {
  const header = Uint8Array.of(typeCodes[entry.elementType], entry.shape.length)
  return hash(leafTag, parse(salt), u32(entry.index), header, ...entry.shape.map(u32), parse(entry.activationHash))
}

/** The root over entries 0 to n - 1 in canonical order: H("tacit/trace/root/v1" | n | tree). */
export function traceRoot(entries: readonly TraceEntry[], traceKey: Uint8Array): Bytes32 {
  return close(entries.length, treeOf(leavesOf(entries, traceKey)))
}

/**
 * The opening of one layer.
 * @throws MalformedError when the entries are not 0 to n - 1 in order, or the index is not among them.
 */
export function openTrace(entries: readonly TraceEntry[], traceKey: Uint8Array, index: number): TraceOpening {
  const leaves = leavesOf(entries, traceKey)
  const entry = entries[index]
  if (entry === undefined) throw new MalformedError('A trace', `has no layer ${index}`)
  return { entry, salt: traceSalt(traceKey, index), layerCount: entries.length, path: pathOf(leaves, index) }
}

/** Whether an opening leads to the root. */
export function verifyTraceOpening(root: Bytes32, opening: TraceOpening): boolean {
  const { entry, salt, layerCount, path } = opening
  if (entry.index < 0 || entry.index >= layerCount) return false
  const tree = climb(traceLeaf(entry, salt), { index: entry.index, count: layerCount, path })
  return tree !== undefined && equalBytes(parse(close(layerCount, tree)), parse(root))
}

/** Reads an untrusted opening. */
export const traceOpeningSchema: Schema<TraceOpening> = object<TraceOpening>({
  entry: object<TraceEntry>({
    index: integer(0, 99_999),
    elementType: oneOf('float32', 'int8', 'uint8', 'int32', 'int64', 'bool'),
    shape: list(integer(0, 2 ** 31 - 1), 16),
    activationHash: bytes32,
  }),
  salt: bytes32,
  layerCount: integer(1, 100_000),
  path: list(bytes32, 20),
})

function leavesOf(entries: readonly TraceEntry[], traceKey: Uint8Array): readonly Bytes32[] {
  if (entries.length === 0) throw new MalformedError('A trace', 'has no layers')
  return entries.map((entry, place) => {
    if (entry.index !== place) throw new MalformedError('A trace', 'is not in canonical order')
    return traceLeaf(entry, traceSalt(traceKey, place))
  })
}

// The shape of RFC 6962, section 2.1: the left subtree is the largest power of two smaller than the count.
function treeOf(leaves: readonly Bytes32[]): Bytes32 {
  const [first] = leaves
  if (leaves.length === 1 && first !== undefined) return first
  const split = splitAt(leaves.length)
  return node(treeOf(leaves.slice(0, split)), treeOf(leaves.slice(split)))
}

function pathOf(leaves: readonly Bytes32[], index: number): readonly Bytes32[] {
  if (leaves.length === 1) return []
  const split = splitAt(leaves.length)
  return index < split
    ? [...pathOf(leaves.slice(0, split), index), treeOf(leaves.slice(split))]
    : [...pathOf(leaves.slice(split), index - split), treeOf(leaves.slice(0, split))]
}

type Climb = { readonly index: number; readonly count: number; readonly path: readonly Bytes32[] }

function climb(leaf: Bytes32, { index, count, path }: Climb): Bytes32 | undefined {
  if (count === 1) return path.length === 0 ? leaf : undefined
  const sibling = path.at(-1)
  if (sibling === undefined) return undefined
  const split = splitAt(count)
  const rest = path.slice(0, -1)
  if (index < split) {
    const left = climb(leaf, { index, count: split, path: rest })
    return left === undefined ? undefined : node(left, sibling)
  }
  const right = climb(leaf, { index: index - split, count: count - split, path: rest })
  return right === undefined ? undefined : node(sibling, right)
}

function splitAt(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

function node(left: Bytes32, right: Bytes32): Bytes32 {
  return hash(nodeTag, parse(left), parse(right))
}

function close(count: number, tree: Bytes32): Bytes32 {
  return hash(rootTag, u32(count), parse(tree))
}

function hash(...parts: readonly Uint8Array[]): Bytes32 {
  return asBytes32(sha256(concatBytes(...parts)))
}

function parse(value: Bytes32): Uint8Array {
  return parseHex(value, 'A hash', 32)
}

function asBytes32(bytes: Uint8Array): Bytes32 {
  return parseBytes32(toHex(bytes))
}

/** Four bytes, big-endian. */
function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
