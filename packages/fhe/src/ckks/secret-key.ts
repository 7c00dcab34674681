import { SecretDestroyedError } from '../errors.ts'
import { at } from '../internal/at.ts'
import { allocateLimbs, type Limbs, type Ring } from '../internal/ring.ts'
import { purposes, sampleTernary, smallToSlots } from '../internal/streams.ts'

const redacted = '[SecretKey: redacted]'

// Set by the static block below: the only way to the residues, for this package alone.
let residuesOf: (key: SecretKey) => Uint32Array | undefined

/** A secret key. It shows nothing of itself when logged, serialised or concatenated, and can be destroyed. */
export class SecretKey {
  #residues: Uint32Array | undefined
  static {
    residuesOf = (key) => key.#residues
  }

  /** Not for callers: {@link generateSecret} makes secret keys. */
  constructor(residues: Uint32Array) {
    this.#residues = residues
  }

  /** Whether {@link destroy} was called. */
  get destroyed(): boolean {
    return this.#residues === undefined
  }

  /** Overwrites the key; every later use throws. */
  destroy(): void {
    this.#residues?.fill(0)
    this.#residues = undefined
  }

  toJSON(): string {
    return redacted
  }
  toString(): string {
    return redacted
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return redacted
  }
}

/** The uniform ternary secret of a seed, kept modulo every prime in slot order and Montgomery form. The seed is cleared. */
export function generateSecret(ring: Ring, seed: Uint8Array): SecretKey {
  const mark = ring.arena.top
  const limbs = allocateLimbs(ring)
  const [coefficients, buffer] = [ring.arena.allocate(ring.coefficientBytes), ring.arena.allocate(ring.coefficientBytes)]
  sampleTernary(ring, seed, purposes.secret, coefficients)
  seed.fill(0)
  limbs.forEach((limb, t) => {
    const { value, montgomeryOne, big } = at(ring.moduli, t)
    smallToSlots(ring, coefficients, buffer, limb, t)
    const quotient = Number((BigInt(montgomeryOne) << 32n) / big)
    ring.kernels.multiplyConstant(limb, limb, montgomeryOne, quotient, value, ring.limbBytes)
  })
  const words = ring.limbBytes / 4
  const residues = new Uint32Array(limbs.length * words)
  limbs.forEach((limb, t) => residues.set(ring.arena.words.subarray(limb / 4, limb / 4 + words), t * words))
  // Clears the ring's coefficient scratch too, where the last transform left the secret.
  clearScratch(ring)
  ring.arena.release(mark)
  return new SecretKey(residues)
}

/**
 * Copies the secret (times 2^32) into working memory modulo the first `level` primes and the special ones, runs, and clears it again.
 * @throws SecretDestroyedError
 */
export function withSecret<T>(ring: Ring, key: SecretKey, use: (secret: Limbs) => T): T {
  const residues = residuesOf(key)
  if (residues === undefined) throw new SecretDestroyedError()
  const mark = ring.arena.top
  const limbs = allocateLimbs(ring)
  const words = ring.limbBytes / 4
  limbs.forEach((limb, t) => ring.arena.words.set(residues.subarray(t * words, (t + 1) * words), limb / 4))
  try {
    return use(limbs)
  } finally {
    ring.arena.release(mark)
    clearScratch(ring)
  }
}

function clearScratch(ring: Ring): void {
  for (const buffer of ring.scratch) ring.arena.bytes.fill(0, buffer, buffer + ring.coefficientBytes)
}
