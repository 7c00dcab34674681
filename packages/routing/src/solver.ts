import { sha256 } from '@noble/hashes/sha2.js'
import type { ScoredTable } from './directory.ts'
import { MalformedRoutingError } from './errors.ts'
import { at, range } from './internal/at.ts'
import { createScoreRing, type ScoreRing, toCoefficients, toEvaluations } from './internal/score-ring.ts'
import { route1 } from './parameters.ts'
import { allocateBlock, createPreparationTables, type PreparationTables, type PreparedBlock, prepareBlock } from './prepared-block.ts'
import { expandReferenceString, type ReferenceString } from './reference-string.ts'
import { answerBodyBytes, frame, queryBodyBytes, unframe } from './wire.ts'

/** What everybody can check about a version: the root, and the hash of every block's public part. */
export type EpochRecord = {
  readonly root: Uint8Array
  readonly count: number
  readonly dimensions: number
  readonly referenceSeed: Uint8Array
  readonly hintHashes: readonly Uint8Array[]
}

/**
 * Scores encrypted intents against one version of a directory. Its work does not depend on the intent, and the same query gives the
 * same bytes everywhere, so anybody can re-execute an answer.
 */
export class DirectorySolver {
  readonly #ring: ScoreRing = createScoreRing()
  readonly #reference: ReferenceString
  readonly #tables: PreparationTables
  readonly #blocks: readonly PreparedBlock[]
  readonly #buffers: ReturnType<typeof allocateBuffers>
  #directory: ScoredTable

  /** Prepares every block: about a fifth of a second per 2048 rows. */
  constructor(directory: ScoredTable, referenceSeed: Uint8Array) {
    this.#directory = directory
    this.#reference = expandReferenceString(this.#ring, referenceSeed, directory.dimensions)
    this.#tables = createPreparationTables(this.#ring)
    this.#blocks = range(Math.ceil(rowCount(directory) / route1.degree)).map(() => allocateBlock(this.#ring, directory.dimensions))
    this.#buffers = allocateBuffers(this.#ring, directory.dimensions)
    this.#blocks.forEach((_, index) => this.#prepare(index))
  }

  /** Of the version that is served. */
  get root(): Uint8Array {
    return this.#directory.root
  }

  /** The public part of every answer, one after the other: fetched once per version, from anywhere. */
  get hints(): Uint8Array {
    const bytes = new Uint8Array(4 * route1.degree * this.#blocks.length)
    this.#blocks.forEach(({ hint }, index) => bytes.set(new Uint8Array(hint.buffer), 4 * route1.degree * index))
    return bytes
  }

  /** The record of this version. */
  get record(): EpochRecord {
    const { dimensions, root } = this.#directory
    const hintHashes = this.#blocks.map(({ hint }) => sha256(new Uint8Array(hint.buffer)))
    return { root, count: rowCount(this.#directory), dimensions, referenceSeed: this.#reference.seed, hintHashes }
  }

  /**
   * Moves to another version of the same size; only the blocks that changed are prepared again. Returns how many did.
   * @throws MalformedRoutingError when the size differs
   */
  update(directory: ScoredTable): number {
    const before = this.#directory
    if (rowCount(directory) !== rowCount(before) || directory.dimensions !== before.dimensions)
      throw new MalformedRoutingError('The directory', 'has another size')
    this.#directory = directory
    const size = route1.degree * directory.dimensions
    const changed = range(this.#blocks.length).filter((index) => {
      const [old, now] = [before, directory].map(({ table }) => table.subarray(index * size, (index + 1) * size))
      return old?.some((value, i) => value !== now?.[i])
    })
    for (const index of changed) this.#prepare(index)
    return changed.length
  }

  /**
   * The answer to a query.
   * @throws MalformedRoutingError, DirectoryChangedError before any work
   */
  answer(query: Uint8Array): Uint8Array<ArrayBuffer> {
    const { dimensions, root } = this.#directory
    const rows = rowCount(this.#directory)
    const body = unframe('TRqu', root, query, queryBodyBytes(dimensions))
    this.#readQuery(body)
    const { degree, answerBits } = route1
    const words = new Uint32Array(degree * this.#blocks.length)
    this.#blocks.forEach((block, index) => words.set(this.#answerBlock(block), index * degree))
    const { packed } = this.#buffers
    const bytes = new Uint8Array(answerBodyBytes(rows))
    // Whole blocks are multiples of eight words, so each ends on a byte.
    this.#blocks.forEach((_, index) => {
      const count = Math.min(degree, rows - index * degree)
      this.#ring.words(this.#buffers.words, degree).set(words.subarray(index * degree, (index + 1) * degree))
      this.#ring.kernels.packBits(this.#buffers.words, packed, count, answerBits)
      bytes.set(this.#ring.bytes(packed, Math.ceil((count * answerBits) / 8)), (index * degree * answerBits) / 8)
    })
    return frame('TRan', root, bytes)
  }

  #prepare(index: number): void {
    const { dimensions, table } = this.#directory
    prepareBlock(this.#ring, this.#tables, this.#reference, table, dimensions, index, at(this.#blocks, index))
  }

  #readQuery(body: Uint8Array): void {
    const { degree, digits, fold, queryDrop, queryWordBytes, keyDrop, keyWordBytes } = route1
    const groups = this.#directory.dimensions / fold
    for (const group of range(groups)) {
      this.#readWords(body, group * degree * queryWordBytes, queryWordBytes, queryDrop)
      this.#ring.primes.forEach(({ value }, k) => {
        const target = at(this.#buffers.query, k) + 4 * degree * group
        this.#ring.kernels.reduceWide(this.#ring.wide, target, degree, queryDrop, value)
        toEvaluations(this.#ring, target, k)
      })
    }
    for (const digit of range(digits)) {
      this.#readWords(body, degree * (groups * queryWordBytes + digit * keyWordBytes), keyWordBytes, keyDrop)
      this.#ring.primes.forEach(({ value }, k) => this.#placeKey(k, digit, value))
    }
  }

  // Key rows are kept twice in a row, so that a shift of rows never wraps.
  #placeKey(k: number, digit: number, prime: number): void {
    const { cosets, degree, digits, fold, keyDrop } = route1
    const { words, keys } = this.#buffers
    this.#ring.kernels.reduceWide(this.#ring.wide, words, degree, keyDrop, prime)
    toEvaluations(this.#ring, words, k)
    const key = this.#ring.words(words, degree)
    const target = this.#ring.words(at(keys, k), 2 * degree * digits)
    for (let t = 0; t < 2 * fold; t++)
      target.set(key.subarray((t % fold) * cosets, ((t % fold) + 1) * cosets), (t * digits + digit) * cosets)
  }

  #readWords(body: Uint8Array, offset: number, width: number, drop: number): void {
    const { degree } = route1
    const { packed } = this.#buffers
    this.#ring.bytes(packed, degree * width).set(body.subarray(offset, offset + degree * width))
    const limit = ((this.#ring.modulus + (1n << BigInt(drop)) / 2n) >> BigInt(drop)) + 1n
    if (this.#ring.kernels.unpackWords(packed, this.#ring.wide, degree, width, limit) !== 0)
      throw new MalformedRoutingError('The query', 'holds a word that is not canonical')
  }

  #answerBlock(block: PreparedBlock): Uint32Array {
    const { kernels, primes } = this.#ring
    const { answerBits, degree, digits, fold } = route1
    const { scratch, words, keys, query, sums, switched } = this.#buffers
    primes.forEach(({ value }, k) => {
      const [sum, change] = [at(sums, k), at(switched, k)]
      kernels.projectQuery(
        at(block.rows, k),
        at(query, k),
        fold,
        this.#directory.dimensions,
        value,
        at(this.#tables.points, k),
        scratch,
        sum,
      )
      kernels.switchKeys(at(block.digits, k), at(keys, k), fold, (fold - 1) * digits, digits, value, change)
      toCoefficients(this.#ring, change, k)
      kernels.add(sum, change, sum, degree, value)
    })
    kernels.chinese(at(sums, 0), at(sums, 1), this.#ring.wide, degree, ...this.#ring.joining)
    kernels.roundTo(this.#ring.wide, words, degree, this.#ring.modulus, answerBits)
    return this.#ring.words(words, degree)
  }
}

function rowCount({ dimensions, table }: ScoredTable): number {
  return table.length / dimensions
}

function allocateBuffers(ring: ScoreRing, dimensions: number) {
  const { degree, digits, fold } = route1
  const vector = (): number => ring.allocate(4 * degree)
  return {
    query: ring.primes.map(() => ring.allocate((4 * degree * dimensions) / fold)),
    keys: ring.primes.map(() => ring.allocate(8 * degree * digits)),
    sums: ring.primes.map(vector),
    switched: ring.primes.map(vector),
    words: vector(),
    packed: ring.allocate(8 * degree),
    scratch: ring.allocate(4096),
  }
}
