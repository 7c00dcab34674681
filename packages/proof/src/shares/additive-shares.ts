// Additive secret sharing over the scalar field between two parties: either share alone is uniform, whatever the secret is.
import type { RandomSource } from '../hedged-random.ts'
import { bytesToNumber, mod, ORDER } from '../kernels/field.ts'

/** A committed vector and its blinder, or one share of both. */
export type SharedOpening = { readonly vector: readonly bigint[]; readonly blinder: bigint }

/** What the first and the second party get. */
export type Pair<T> = readonly [first: T, second: T]

/** n uniform residues, by rejection. */
export function drawResidues(random: RandomSource, n: number): bigint[] {
  return Array.from({ length: n }, () => {
    for (;;) {
      const value = bytesToNumber(random(32))
      if (value < ORDER) return value
    }
  })
}

/** Splits values: the second share is drawn, the first is what is missing. */
export function splitVector(values: readonly bigint[], random: RandomSource): Pair<readonly bigint[]> {
  const second = drawResidues(random, values.length)
  return [values.map((value, k) => mod(value - (second[k] ?? 0n))), second]
}

/** Splits the openings of one tensor's commitments. */
export function splitOpenings(openings: readonly SharedOpening[], random: RandomSource): Pair<readonly SharedOpening[]> {
  const first: SharedOpening[] = []
  const second: SharedOpening[] = []
  for (const { vector, blinder } of openings) {
    const [a, b] = splitVector([...vector, blinder], random)
    first.push({ vector: a.slice(0, -1), blinder: a.at(-1) ?? 0n })
    second.push({ vector: b.slice(0, -1), blinder: b.at(-1) ?? 0n })
  }
  return [first, second]
}
