import { sha256 } from '@noble/hashes/sha2.js'
import { equalBytes } from '@tacit/protocol'
import { assertVector } from './directory.ts'
import { MalformedRoutingError, QueryUsedError } from './errors.ts'
import { at, range } from './internal/at.ts'
import { createScoreRing, type ScoreRing, toCoefficients, toEvaluations } from './internal/score-ring.ts'
import { largestCount, route1 } from './parameters.ts'
import { expandReferenceString, type ReferenceString } from './reference-string.ts'
import type { EpochRecord } from './solver.ts'
import { answerBodyBytes, frame, queryBodyBytes, unframe } from './wire.ts'

/** That many unpredictable bytes. */
export type RandomSource = (sizeBytes: number) => Uint8Array

// Set by the static block below: the only way to a query's secret.
let takeSecret: (query: IntentQuery) => readonly Uint32Array[] | undefined

/** One encrypted intent: the bytes for the solver, and a secret of its own that is erased when the answer is decoded. */
export class IntentQuery {
  readonly bytes: Uint8Array<ArrayBuffer>
  #secret: readonly Uint32Array[] | undefined
  static {
    takeSecret = (query) => {
      const secret = query.#secret
      query.#secret = undefined
      return secret
    }
  }
  /** Not for callers: {@link IntentScorer.query} makes queries. */
  constructor(bytes: Uint8Array<ArrayBuffer>, secret: readonly Uint32Array[]) {
    this.bytes = bytes
    this.#secret = secret
  }
  /** Overwrites the secret of a query that will not be decoded. */
  erase(): void {
    for (const part of this.#secret ?? []) part.fill(0)
    this.#secret = undefined
  }
  toJSON(): string {
    return '[IntentQuery: redacted]'
  }
  toString(): string {
    return '[IntentQuery: redacted]'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[IntentQuery: redacted]'
  }
}

/** Encrypts intents for one version of a directory and decodes the answers. */
export class IntentScorer {
  readonly #ring: ScoreRing = createScoreRing()
  readonly #record: EpochRecord
  readonly #reference: ReferenceString
  readonly #hints: readonly (readonly number[])[]
  readonly #random: RandomSource
  readonly #buffers: ReturnType<typeof allocateBuffers>
  #noise = 0

  /** @throws MalformedRoutingError when the hints are not those of the record; they may come from anywhere. */
  constructor(record: EpochRecord, hints: Uint8Array, random: RandomSource) {
    const size = 4 * route1.degree
    const { count, dimensions, referenceSeed, root } = record
    if (!(Number.isSafeInteger(count) && count >= 1 && count <= largestCount && dimensions >= route1.fold && dimensions <= 1024))
      throw new MalformedRoutingError('The record', 'is of a size that no directory has')
    if (dimensions % route1.fold !== 0 || root.length !== 32 || referenceSeed.length !== 32)
      throw new MalformedRoutingError('The record', 'is not of this parameter set')
    const blocks = Math.ceil(record.count / route1.degree)
    if (hints.length !== size * blocks || record.hintHashes.length !== blocks)
      throw new MalformedRoutingError('The hints', 'do not have their length')
    this.#record = record
    this.#random = random
    this.#reference = expandReferenceString(this.#ring, record.referenceSeed, record.dimensions)
    this.#buffers = allocateBuffers(this.#ring)
    this.#hints = range(blocks).map((index) => {
      const bytes = hints.slice(index * size, (index + 1) * size)
      if (!equalBytes(sha256(bytes), at(record.hintHashes, index)))
        throw new MalformedRoutingError('The hints', 'are not those of the record')
      return this.#transformHint(bytes)
    })
  }

  /** The largest noise seen so far, as a share of half a score unit: scores would become wrong at 1. Only meaningful for honest answers. */
  get noiseShare(): number {
    return this.#noise / 2 ** (31 - route1.scoreBits)
  }

  /**
   * Encrypts an intent under a fresh secret.
   * @throws VectorRuleError for an intent that breaks the rules of the directory
   */
  query(intent: Int8Array): IntentQuery {
    assertVector(intent, this.#record.dimensions)
    const { degree, digits, fold, queryDrop, queryWordBytes, keyDrop, keyWordBytes } = route1
    const { error, packed, products, secret, small, turned } = this.#buffers
    this.#sampleTernary(small)
    this.#ring.primes.forEach(({ value }, k) => {
      this.#ring.kernels.liftSigned(small, at(secret, k), degree, value)
      toEvaluations(this.#ring, at(secret, k), k)
      this.#turn(at(secret, k), at(turned, k))
    })
    const groups = this.#record.dimensions / fold
    const body = new Uint8Array(queryBodyBytes(this.#record.dimensions))
    for (const group of range(groups)) {
      this.#encrypt(this.#reference.query, group, intent.subarray(group * fold, (group + 1) * fold))
      this.#ring.kernels.packWords(this.#ring.wide, packed, degree, queryDrop, queryWordBytes)
      body.set(this.#ring.bytes(packed, degree * queryWordBytes), group * degree * queryWordBytes)
    }
    for (const digit of range(digits)) {
      this.#encrypt(this.#reference.key, digit)
      this.#ring.kernels.packWords(this.#ring.wide, packed, degree, keyDrop, keyWordBytes)
      body.set(this.#ring.bytes(packed, degree * keyWordBytes), degree * (groups * queryWordBytes + digit * keyWordBytes))
    }
    const kept = secret.map((address) => this.#ring.words(address, degree).slice())
    // With the public part, what a secret was multiplied or added to gives it away as well.
    for (const address of [...secret, ...turned, ...products, small, error, this.#ring.scratch]) this.#ring.words(address, degree).fill(0)
    return new IntentQuery(frame('TRqu', this.#record.root, body), kept)
  }

  /**
   * All scores of an answer, exact if the solver is honest (verify.ts decides that), and erases the query's secret.
   * @throws MalformedRoutingError, DirectoryChangedError, QueryUsedError
   */
  decode(query: IntentQuery, answer: Uint8Array): Int32Array {
    const secret = takeSecret(query)
    if (secret === undefined) throw new QueryUsedError()
    try {
      return this.#decodeWith(secret, answer)
    } finally {
      // Also after a malformed answer.
      const { products, scores, secret: residues, words } = this.#buffers
      for (const part of secret) part.fill(0)
      for (const address of [...residues, ...products, words, scores, this.#ring.scratch]) this.#ring.words(address, route1.degree).fill(0)
    }
  }

  #decodeWith(secret: readonly Uint32Array[], answer: Uint8Array): Int32Array {
    const { answerBits, degree, scoreBits } = route1
    const { count, root } = this.#record
    const body = unframe('TRan', root, answer, answerBodyBytes(count))
    const { products, words, packed, scores, secret: residues } = this.#buffers
    const { kernels, primes } = this.#ring
    secret.forEach((part, k) => this.#ring.words(at(residues, k), degree).set(part))
    const all = new Int32Array(count)
    this.#hints.forEach((hint, index) => {
      const rows = Math.min(degree, count - index * degree)
      const offset = (index * degree * answerBits) / 8
      this.#ring.bytes(packed, 8 * degree).fill(0)
      this.#ring.bytes(packed, 8 * degree).set(body.subarray(offset, offset + Math.ceil((rows * answerBits) / 8)))
      kernels.unpackBits(packed, words, rows, answerBits)
      primes.forEach(({ value }, k) => {
        kernels.multiply(at(hint, k), at(residues, k), at(products, k), degree, value)
        toCoefficients(this.#ring, at(products, k), k)
      })
      const [x, y] = [at(products, 0), at(products, 1)]
      const noise = Number(kernels.decode(x, y, words, rows, ...this.#ring.joining, answerBits, scoreBits, scores)) >>> 0
      this.#noise = Math.max(this.#noise, noise)
      all.set(new Int32Array(this.#ring.words(scores, rows).slice().buffer), index * degree)
    })
    return all
  }

  // b = -a s + e, plus the scaled intent in the lowest coefficients, or the gadget times tau(s): 64-bit coefficients in `ring.wide`.
  #encrypt(polynomials: readonly (readonly number[])[], index: number, message?: Int8Array): void {
    const { degree, digitBits, droppedBits, scoreBits } = route1
    const { kernels, modulus, primes } = this.#ring
    const { secret, turned, small, error, products } = this.#buffers
    this.#sampleError(small)
    const scaled = modulus >> BigInt(scoreBits)
    primes.forEach(({ value }, k) => {
      const sum = at(products, k)
      kernels.multiply(at(at(polynomials, k), index), at(secret, k), sum, degree, value)
      this.#ring.words(error, degree).fill(0)
      if (message === undefined) {
        const gadget = Number((1n << BigInt(droppedBits + digitBits * index)) % BigInt(value))
        kernels.scale(at(turned, k), error, degree, gadget, Number((BigInt(gadget) << 32n) / BigInt(value)), value)
      }
      kernels.subtract(error, sum, sum, degree, value)
      toCoefficients(this.#ring, sum, k)
      kernels.liftSigned(small, error, degree, value)
      if (message !== undefined) addMessage(this.#ring.words(error, degree), message, Number(scaled % BigInt(value)), value)
      kernels.add(sum, error, sum, degree, value)
    })
    kernels.chinese(at(products, 0), at(products, 1), this.#ring.wide, degree, ...this.#ring.joining)
  }

  // tau shifts evaluation rows by one.
  #turn(from: number, to: number): void {
    const { cosets, degree } = route1
    const [source, target] = [this.#ring.words(from, degree), this.#ring.words(to, degree)]
    target.set(source.subarray(cosets))
    target.set(source.subarray(0, cosets), degree - cosets)
  }

  #sampleTernary(address: number): void {
    const words = new Uint32Array(drawBytes(this.#random, 4 * route1.degree).buffer)
    const target = new Int32Array(this.#ring.words(address, route1.degree).buffer, address, route1.degree)
    // floor(3 x / 2^32) - 1: uniform up to 2^-31, without branches.
    words.forEach((word, i) => {
      target[i] = Math.floor((word * 3) / 2 ** 32) - 1
    })
    words.fill(0)
  }

  // Centred binomial with parameter 21: deviation 3.24.
  #sampleError(address: number): void {
    const words = new Uint32Array(drawBytes(this.#random, 8 * route1.degree).buffer)
    const target = new Int32Array(this.#ring.words(address, route1.degree).buffer, address, route1.degree)
    for (let i = 0; i < route1.degree; i++) target[i] = countBits(at(words, 2 * i) & 0x1fffff) - countBits(at(words, 2 * i + 1) & 0x1fffff)
    words.fill(0)
  }

  #transformHint(bytes: Uint8Array): readonly number[] {
    const { degree } = route1
    this.#ring.bytes(this.#buffers.words, 4 * degree).set(bytes)
    return this.#ring.primes.map(({ value }, k) => {
      const address = this.#ring.allocate(4 * degree)
      this.#ring.kernels.reduceSigned(this.#buffers.words, address, degree, value)
      toEvaluations(this.#ring, address, k)
      return address
    })
  }
}

/** A copy of that many bytes; a source that gives fewer would leave a secret of zeros. */
export function drawBytes(random: RandomSource, size: number): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(random(size))
  if (bytes.length !== size) throw new MalformedRoutingError('The randomness', `is ${bytes.length} bytes, not ${size}`)
  return bytes
}

function addMessage(words: Uint32Array, message: Int8Array, scale: number, prime: number): void {
  message.forEach((entry, i) => {
    // scale < 2^25 and |entry| < 2^7: exact in a double.
    words[i] = (((at(words, i) + scale * entry) % prime) + prime) % prime
  })
}

function countBits(x: number): number {
  const pairs = x - ((x >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

function allocateBuffers(ring: ScoreRing) {
  const { degree } = route1
  const vector = (): number => ring.allocate(4 * degree)
  return {
    secret: ring.primes.map(vector),
    turned: ring.primes.map(vector),
    products: ring.primes.map(vector),
    ...{ small: vector(), error: vector(), words: vector(), scores: vector(), packed: ring.allocate(8 * degree) },
  }
}
