import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes } from '@tacit/protocol'
import { MalformedRoutingError, VectorRuleError } from './errors.ts'
import { at } from './internal/at.ts'
import { largestCount, largestSquaredNorm, route1 } from './parameters.ts'

/** One worker's row: what it can do, and the hash of its contact card. Price and health live elsewhere, so that the root rarely moves. */
export type DirectoryRow = { readonly worker: Uint8Array; readonly vector: Int8Array; readonly cardHash: Uint8Array }

/** What a solver can score: int8 rows one after the other, committed by a root. */
export type ScoredTable = { readonly dimensions: number; readonly table: Int8Array; readonly root: Uint8Array }

/** A version of the directory: rows keep their index while their worker stays, a removed row is null. */
export type Directory = ScoredTable & {
  /** Removed rows are null here and zero in the table. */
  readonly rows: readonly (DirectoryRow | null)[]
  readonly leaves: readonly Uint8Array[]
}

/** Proof that a row is in the directory with that root. */
export type RowProof = { readonly index: number; readonly count: number; readonly row: DirectoryRow; readonly path: readonly Uint8Array[] }

/**
 * Builds a version. Every solver, checker and downloader does this for itself before it serves or trusts one: a row that breaks a rule
 * would make an honest solver look like a liar for chosen intents.
 * @throws VectorRuleError, MalformedRoutingError
 */
export function buildDirectory(dimensions: number, rows: readonly (DirectoryRow | null)[]): Directory {
  if (!(dimensions > 0 && dimensions <= 1024 && dimensions % route1.fold === 0))
    throw new MalformedRoutingError('The directory', `has ${dimensions} dimensions, not a multiple of ${route1.fold} up to 1024`)
  if (rows.length === 0) throw new MalformedRoutingError('The directory', 'is empty')
  if (rows.length > largestCount) throw new MalformedRoutingError('The directory', `has more than ${largestCount} rows`)
  const table = new Int8Array(rows.length * dimensions)
  rows.forEach((row, index) => {
    if (row === null) return
    assertRow(row, dimensions)
    table.set(row.vector, index * dimensions)
  })
  const leaves = rows.map((row, index) => hashLeaf(index, row, dimensions))
  return { dimensions, rows, table, root: rootOf(leaves), leaves }
}

/** @throws VectorRuleError unless all entries lie in [-127, 127] and the squared norm is at most 1,000,000. */
export function assertVector(vector: Int8Array, dimensions: number): void {
  // Anything else may hash as one vector and score as another: hashing wraps to bytes, multiplying does not.
  if (!(vector instanceof Int8Array)) throw new VectorRuleError('it is not a vector of int8 values')
  if (vector.length !== dimensions) throw new VectorRuleError(`it has ${vector.length} dimensions, not ${dimensions}`)
  if (vector.includes(-128)) throw new VectorRuleError('an entry is -128')
  if (squaredNorm(vector) > largestSquaredNorm) throw new VectorRuleError('its norm is above 1000')
}

/** The sum of the squares. */
export function squaredNorm(vector: Int8Array): number {
  return vector.reduce((sum, value) => sum + value * value, 0)
}

/** Scales a real vector to the largest int8 vector that keeps the rules. */
export function quantizeVector(values: ArrayLike<number>): Int8Array {
  if (values.length > 1024) throw new VectorRuleError(`it has ${values.length} dimensions, more than 1024`)
  const numbers = Float64Array.from(values)
  const largest = numbers.reduce((most, value) => (Number.isNaN(value) ? value : Math.max(most, Math.abs(value))), 0)
  if (!(largest > 0 && Number.isFinite(largest))) throw new VectorRuleError('it is zero or not finite')
  // Powers of two are exact and keep sums of huge values and quotients by tiny ones finite.
  const shift = largest > 2 ** 500 ? 2 ** -600 : largest < 2 ** -500 ? 2 ** 600 : 1
  const shifted = numbers.map((value) => value * shift)
  const norm = Math.hypot(...shifted)
  // 990 leaves room for rounding: half a unit in each of 384 entries is a norm below 10. More entries may need more.
  for (let target = 990; ; target -= 10) {
    const scale = Math.min(127 / (largest * shift), target / norm)
    const vector = Int8Array.from(shifted, (value) => Math.round(value * scale))
    if (squaredNorm(vector) <= largestSquaredNorm) return vector
  }
}

/** Proves that a row is part of the version. */
export function proveRow({ leaves, rows }: Directory, index: number): RowProof {
  const row = rows[index]
  if (row === undefined || row === null) throw new MalformedRoutingError('The row', 'does not exist')
  const path: Uint8Array[] = []
  let [level, position] = [leaves, index]
  while (level.length > 1) {
    const sibling = level[position ^ 1]
    if (sibling !== undefined) path.push(sibling)
    ;[level, position] = [parents(level), position >> 1]
  }
  return { index, count: leaves.length, row, path }
}

/**
 * Whether the row keeps the rules and hashes up to the root. Unknown input is fine. The root does not bind the count: compare the proof's with the
 * committed one, as {@link Router.verifyWinner} does.
 */
export function verifyRow(proof: RowProof, root: Uint8Array, dimensions: number): boolean {
  try {
    return hashesUp(proof, root, dimensions)
  } catch {
    return false
  }
}

function hashesUp({ index, count, row, path }: RowProof, root: Uint8Array, dimensions: number): boolean {
  if (!(Number.isSafeInteger(count) && count <= largestCount && Number.isSafeInteger(index) && index >= 0 && index < count)) return false
  assertRow(row, dimensions)
  let hash = hashLeaf(index, row, dimensions)
  let used = 0
  for (let [position, size] = [index, count]; size > 1; position >>= 1, size = Math.ceil(size / 2)) {
    if ((position ^ 1) >= size) continue
    const sibling = path[used++]
    if (!(sibling instanceof Uint8Array) || sibling.length !== 32) return false
    hash = position & 1 ? hashPair(sibling, hash) : hashPair(hash, sibling)
  }
  return used === path.length && equalBytes(hash, root)
}

function assertRow({ worker, vector, cardHash }: DirectoryRow, dimensions: number): void {
  if (![worker, cardHash].every((id) => id instanceof Uint8Array && id.length === 32))
    throw new MalformedRoutingError('The row', 'has an identifier that is not 32 bytes')
  assertVector(vector, dimensions)
}

// SHA-256 with a prefix byte for leaves and one for inner nodes (as RFC 6962, section 2.1); a node without a sibling moves up.
function hashLeaf(index: number, row: DirectoryRow | null, dimensions: number): Uint8Array {
  const place = new Uint8Array(new Uint32Array([index, row === null ? 0 : squaredNorm(row.vector)]).buffer)
  const body = row === null ? new Uint8Array(64 + dimensions) : concatBytes(row.worker, row.cardHash, new Uint8Array(row.vector))
  return sha256(concatBytes(Uint8Array.of(0), place, body))
}

function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(1), left, right))
}

function parents(level: readonly Uint8Array[]): readonly Uint8Array[] {
  const next: Uint8Array[] = []
  for (let i = 0; i < level.length; i += 2) {
    const [left, right] = [at(level, i), level[i + 1]]
    next.push(right === undefined ? left : hashPair(left, right))
  }
  return next
}

function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
  let level = leaves
  while (level.length > 1) level = parents(level)
  return at(level, 0)
}
