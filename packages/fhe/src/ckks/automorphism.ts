/**
 * A ring automorphism as it acts on slots: slot j takes the value of slot j + rotation, then of its conjugate if asked.
 * X -> X^(5^rotation), or X -> X^(-5^rotation).
 */
export type Automorphism = { readonly rotation: number; readonly conjugate: boolean }

/** The rotation by so many slots to the left; negative is to the right. */
export function rotation(slots: number, by: number): Automorphism {
  return { rotation: ((by % slots) + slots) % slots, conjugate: false }
}

/** A number that names the automorphism within its ring; 0 is the identity. */
export function automorphismId({ rotation, conjugate }: Automorphism): number {
  return 2 * rotation + (conjugate ? 1 : 0)
}

/** The inverse of {@link automorphismId}. */
export function automorphismOf(id: number): Automorphism {
  return { rotation: id >> 1, conjugate: (id & 1) === 1 }
}

/** Writes the table that the kernels read: shift in bytes, 1 for the swap of halves. */
export function writeMaps(words: Uint32Array, address: number, automorphisms: readonly Automorphism[]): void {
  automorphisms.forEach(({ rotation, conjugate }, k) => words.set([4 * rotation, conjugate ? 1 : 0], address / 4 + 2 * k))
}
