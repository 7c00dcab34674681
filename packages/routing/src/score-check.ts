import { concatBytes, utf8 } from '@tacit/protocol'
import type { ScoredTable } from './directory.ts'
import { at } from './internal/at.ts'
import { largestSquaredNorm } from './parameters.ts'
import { uniformWords } from './reference-string.ts'

// Freivalds, "Probabilistic machines can use less running time" (IFIP 1977): z (D v) = (z D) v. On the decoded integers, modulo two
// primes independently: a false vector of scores passes with probability at most 2^-61 for a solver that does not know z. Accepted
// answers reveal nothing, so one check serves a whole version of the directory.

/** The two moduli: 2^31 - 1 and 2^31 - 19. */
export const checkPrimes: readonly [number, number] = [2147483647, 2147483629]

/** Secret of a check: 32 bytes that never reach the solver that answers. */
export type CheckSeed = Uint8Array

/** z D modulo both primes: what a checker returns for a seed. */
export type CheckVector = readonly [BigInt64Array, BigInt64Array]

/** Whether this is a pair of equally long vectors of at most 1024 entries. Unknown input is fine. */
export function isCheckVector(value: unknown): value is CheckVector {
  if (!Array.isArray(value) || value.length !== 2) return false
  return value.every((half: unknown) => half instanceof BigInt64Array && half.length === value[0].length && half.length <= 1024)
}

/** Weights z for a directory of that many rows, modulo both primes. */
export function expandCheckSeed(seed: CheckSeed, count: number): readonly [Uint32Array, Uint32Array] {
  const weights = (k: 0 | 1): Uint32Array => uniformWords(concatBytes(seed, utf8(`check${k}`)), count, checkPrimes[k])
  return [weights(0), weights(1)]
}

/** A checker's work: z D for its seed, over a directory that it built and checked itself. */
export function computeCheckVector({ dimensions, table }: ScoredTable, seed: CheckSeed): CheckVector {
  const count = table.length / dimensions
  const weights = expandCheckSeed(seed, count)
  const vector = (k: 0 | 1): BigInt64Array => {
    // |z| < 2^31 and |entry| < 2^7: a sum of 2^14 rows stays exact in a double.
    const sums = new BigInt64Array(dimensions)
    const chunk = 1 << 14
    for (let start = 0; start < count; start += chunk) {
      const part = new Float64Array(dimensions)
      for (let i = start; i < Math.min(count, start + chunk); i++) {
        const z = at(weights[k], i)
        const row = i * dimensions
        for (let j = 0; j < dimensions; j++) part[j] = (part[j] as number) + z * (table[row + j] as number)
      }
      for (let j = 0; j < dimensions; j++) sums[j] = modulo(at(sums, j) + BigInt(at(part, j)), BigInt(checkPrimes[k]))
    }
    return sums
  }
  return [vector(0), vector(1)]
}

/** Adds checkers' vectors: sound as long as one of them does not collude with the solver. */
export function addCheckVectors(vectors: readonly CheckVector[]): CheckVector {
  const sum = (k: 0 | 1): BigInt64Array => {
    const [first, ...rest] = vectors.map((vector) => vector[k])
    const total = BigInt64Array.from(first ?? [])
    for (const vector of rest) total.forEach((value, j) => (total[j] = modulo(value + at(vector, j), BigInt(checkPrimes[k]))))
    return total
  }
  return [sum(0), sum(1)]
}

/** A check of a version: accepts exactly the true scores, up to 2^-61. */
export class ScoreCheck {
  readonly #weights: readonly [Uint32Array, Uint32Array]
  readonly #vector: CheckVector

  /** `seeds` are those that the checkers got, in any order; `vectors` what they returned. */
  constructor(seeds: readonly CheckSeed[], vectors: readonly CheckVector[], count: number) {
    const all = seeds.map((seed) => expandCheckSeed(seed, count))
    const sum = (k: 0 | 1): Uint32Array =>
      Uint32Array.from({ length: count }, (_, i) => all.reduce((total, weights) => (total + at(weights[k], i)) % checkPrimes[k], 0))
    this.#weights = [sum(0), sum(1)]
    this.#vector = addCheckVectors(vectors)
  }

  /** Whether these are the scores of that intent. */
  accepts(intent: Int8Array, scores: Int32Array): boolean {
    return this.#side(0, intent, scores) && this.#side(1, intent, scores)
  }

  #side(k: 0 | 1, intent: Int8Array, scores: Int32Array): boolean {
    const prime = BigInt(checkPrimes[k])
    const weights = this.#weights[k]
    if (scores.length !== weights.length || this.#vector[k].length !== intent.length) return false
    // A product is below 2^52, so two of them are exact in a double; sums are taken in two halves to stay exact for any count.
    let [high, low] = [0, 0]
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i] as number
      // No true score is larger, and products with larger ones would be rounded.
      if (score < -largestSquaredNorm || score > largestSquaredNorm) return false
      const product = (weights[i] as number) * score
      const top = Math.floor(product / 2 ** 26)
      high += top
      low += product - top * 2 ** 26
    }
    const left = modulo(BigInt(high) * 2n ** 26n + BigInt(low), prime)
    const right = intent.reduce((sum, value, j) => sum + at(this.#vector[k], j) * BigInt(value), 0n)
    return left === modulo(right, prime)
  }
}

function modulo(value: bigint, prime: bigint): bigint {
  const rest = value % prime
  return rest < 0n ? rest + prime : rest
}
