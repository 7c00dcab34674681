import { assertSecure } from '@tacit/fhe'

/** A parameter set of encrypted scoring. Only {@link route1} exists. */
export type RouteParameters = typeof definition

const definition = {
  name: 'route-1',
  /** n: the ring is Z_q[X]/(X^n + 1). */
  degree: 2048,
  /** q is their product; both are 1 modulo 2n. */
  primes: [33550337, 33538049],
  /** S: dimensions per ring element of a query; X -> X^33 generates the group of that order that fixes X^S. */
  fold: 128,
  /** r = n / S: rows per ring element. */
  cosets: 16,
  generator: 33,
  /** Scores are read modulo 2^scoreBits. */
  scoreBits: 21,
  /** Key switching: base 2^digitBits, so many digits, lowest bits dropped. */
  digitBits: 13,
  digits: 3,
  droppedBits: 11,
  /** Query words are rounded to multiples of 2^10, key words to multiples of 2^2. */
  queryDrop: 10,
  queryWordBytes: 5,
  keyDrop: 2,
  keyWordBytes: 6,
  /** Bits of an answer word and of a hint word. */
  answerBits: 23,
  hintBits: 32,
} as const

/**
 * The one parameter set: n = 2048, log q = 50, ternary secret, error of deviation 3.24. The table of the Homomorphic Encryption Standard
 * allows 54 bits (ePrint 2019/939); a set outside it cannot be built.
 */
export const route1: RouteParameters = checkedSet()

function checkedSet(): RouteParameters {
  assertSecure(
    definition.degree,
    definition.primes.reduce((sum, prime) => sum + Math.log2(prime), 0),
  )
  return definition
}

/** Most rows of a directory: what a record may say. */
export const largestCount: number = 2 ** 22

/** Largest squared norm of a row or an intent: with it every score is below 2^20 by Cauchy and Schwarz. */
export const largestSquaredNorm = 1_000_000
