import { shake256 } from '@noble/hashes/sha3.js'
import { concatBytes, utf8 } from '@tacit/protocol'
import { at, range } from './internal/at.ts'
import type { ScoreRing } from './internal/score-ring.ts'
import { route1 } from './parameters.ts'

/** The random polynomials of a day, shared by all clients: addresses per prime and index, in evaluation order. */
export type ReferenceString = {
  readonly seed: Uint8Array
  readonly query: readonly (readonly number[])[]
  readonly key: readonly (readonly number[])[]
}

/** The day's seed: of parameter set, chain and the day's beacon; never the solver's choice. Clients compute it themselves. */
export function referenceSeed({ chainId, beacon }: { readonly chainId: bigint; readonly beacon: Uint8Array }): Uint8Array {
  return shake256(concatBytes(utf8(`tacit/routing/${route1.name}/${chainId}/`), beacon), { dkLen: 32 })
}

/** Expands a seed for intents of that many dimensions, by SHAKE-256 with rejection. */
export function expandReferenceString(ring: ScoreRing, seed: Uint8Array, dimensions: number): ReferenceString {
  const { degree, digits, fold } = ring.parameters
  const expand = (label: string, count: number): readonly (readonly number[])[] =>
    ring.primes.map(({ value }, k) => {
      const words = uniformWords(concatBytes(seed, utf8(`${label}${k}`)), count * degree, value)
      return range(count).map((i) => {
        const address = ring.allocate(4 * degree)
        ring.words(address, degree).set(words.subarray(i * degree, (i + 1) * degree))
        return address
      })
    })
  return { seed, query: expand('query', dimensions / fold), key: expand('key', digits) }
}

/** Uniform words below a bound, by rejection from SHAKE-256. */
export function uniformWords(seed: Uint8Array, count: number, bound: number): Uint32Array {
  const words = new Uint32Array(count)
  const limit = Math.floor(2 ** 32 / bound) * bound
  const stream = shake256.create({}).update(seed)
  for (let filled = 0; filled < count; ) {
    const chunk = new Uint32Array(Uint8Array.from(stream.xof(4 * Math.max(64, count - filled))).buffer)
    for (const word of chunk) {
      if (filled === count) break
      if (word < limit) words[filled++] = word % bound
    }
  }
  return words
}

/** A polynomial of the string. */
export function polynomialOf(polynomials: readonly (readonly number[])[], k: number, index: number): number {
  return at(at(polynomials, k), index)
}
