import { evaluateSlots, type SlotValues } from '../ckks/embedding.ts'
import { type EvaluationKeys, generateKeys, type KeyNeeds, type KeyPair } from '../ckks/evaluation-keys.ts'
import { allocateIntegers, encodeSlots, type IntegerPolynomial, integersToSlots, writeIntegers } from '../ckks/plaintext.ts'
import { type SecretKey, withSecret } from '../ckks/secret-key.ts'
import { encryptSeeded, expandSecondPart, parseSeed, unpackFirstPart } from '../ckks/seeded-ciphertext.ts'
import { packedLimbBytes, parseHeader } from '../ckks/wire.ts'
import { toMontgomery } from '../circuit/stage.ts'
import { MissingKeyError } from '../errors.ts'
import { at, range } from '../internal/at.ts'
import { inverse } from '../internal/modular.ts'
import { unpackLimb } from '../internal/packed-limbs.ts'
import { allocateLimbs, ciphertextLimbs, type Ring, toCoefficients } from '../internal/ring.ts'
import { drawSeeds, expandUniform, purposes, type RandomSource, sampleError, sampleTernary, smallToSlots } from '../internal/streams.ts'
import { type Ciphertext, storeParts } from './ciphertext.ts'
import { type CkksContext, ringOf } from './context.ts'

/** An encoded vector: an integer polynomial and the scale it was multiplied by. */
export type Plaintext = { readonly coefficients: IntegerPolynomial; readonly scale: number }

/** Encodes one complex number per slot. */
export function encode(context: CkksContext, values: SlotValues, scale: number): Plaintext {
  return { coefficients: encodeSlots(2 * context.slots, values, scale), scale }
}

/** Decodes to one complex number per slot. */
export function decode(
  context: CkksContext,
  { coefficients, scale }: Plaintext,
): { readonly real: Float64Array; readonly imaginary: Float64Array } {
  return evaluateSlots(
    2 * context.slots,
    coefficients.map((value) => value / scale),
  )
}

/** A fresh secret with the keys that an evaluation needs. */
export function generateKeyPair(context: CkksContext, needs: KeyNeeds, random: RandomSource): KeyPair {
  return generateKeys(ringOf(context), needs, random)
}

/** Encrypts under the secret key into the compact form: a seed and one polynomial. The seed is drawn here, once per message. */
export function encryptCompact(
  context: CkksContext,
  secretKey: SecretKey,
  plaintext: Plaintext,
  random: RandomSource,
): Uint8Array<ArrayBuffer> {
  return encryptSeeded(ringOf(context), secretKey, plaintext.coefficients, { level: context.levels, random })
}

/**
 * Expands a compact ciphertext, whose scale travels with the circuit.
 * @throws MalformedEncryptionError
 */
export function expandCompact(context: CkksContext, bytes: Uint8Array, scale: number): Ciphertext {
  const ring = ringOf(context)
  const { level } = parseHeader(bytes, 'TFcs', 'The ciphertext')
  const seed = parseSeed(ring, bytes, level)
  const mark = ring.arena.top
  try {
    const [first, second] = [allocateLimbs(ring), allocateLimbs(ring)]
    for (const t of ciphertextLimbs(level)) unpackFirstPart(ring, bytes, t, at(first, t))
    expandSecondPart(ring, seed, level, second)
    return storeParts(ring, [first, second], level, scale)
  } finally {
    ring.arena.rewind(mark)
  }
}

// Lyubashevsky, Peikert, Regev, "On Ideal Lattices and Learning with Errors over Rings" (EUROCRYPT 2010): (b u + e0 + m, a u + e1).
/**
 * Encrypts under the public key of a key set, at the level of that key.
 * @throws MissingKeyError
 */
export function encryptPublic(context: CkksContext, keys: EvaluationKeys, plaintext: Plaintext, random: RandomSource): Ciphertext {
  const ring = ringOf(context)
  const { arena, kernels, limbBytes, moduli } = ring
  const key = keys.keys.find(({ purpose }) => purpose === purposes.publicKey)
  if (key === undefined) throw new MissingKeyError('encryption')
  const mark = arena.top
  const [seed] = drawSeeds(random, 1) as readonly [Uint8Array]
  const [first, second] = [allocateLimbs(ring), allocateLimbs(ring)]
  const [u, e0, e1, buffer] = range(4).map(() => arena.allocate(ring.coefficientBytes)) as [number, number, number, number]
  const [masked, term] = [arena.allocate(limbBytes), arena.allocate(limbBytes)]
  const integers = allocateIntegers(ring)
  writeIntegers(ring, plaintext.coefficients, integers)
  integersToSlots(ring, integers, buffer, first, ciphertextLimbs(key.level))
  sampleTernary(ring, seed, purposes.mask, u)
  sampleError(ring, seed, 0, e0)
  sampleError(ring, seed, 1, e1)
  seed.fill(0)
  for (const t of ciphertextLimbs(key.level)) {
    const { value, montgomeryInverse } = at(moduli, t)
    smallToSlots(ring, u, buffer, masked, t)
    toMontgomery(ring, masked, t)
    unpackLimb(ring, key.body, t * packedLimbBytes(ring.polyDegree), term, t, 'The key set')
    kernels.multiplyAdd(term, masked, at(first, t), value, montgomeryInverse, limbBytes)
    smallToSlots(ring, e0, buffer, term, t)
    kernels.add(at(first, t), term, at(first, t), value, limbBytes)
    expandUniform(ring, keys.seed, purposes.publicKey, 0, t, term)
    kernels.multiply(term, masked, at(second, t), value, montgomeryInverse, limbBytes)
    smallToSlots(ring, e1, buffer, term, t)
    kernels.add(at(second, t), term, at(second, t), value, limbBytes)
  }
  const ciphertext = storeParts(ring, [first, second], key.level, plaintext.scale)
  arena.release(mark)
  return ciphertext
}

/**
 * Decrypts. Whatever is done with the result must not reach whoever made the ciphertext: CKKS is not secure against an adversary that
 * sees decryptions (Li, Micciancio, EUROCRYPT 2021, ePrint 2020/1533). {@link EncryptedModelClient} keeps the rules for a worker's answers.
 */
export function decryptUnsafe(context: CkksContext, secretKey: SecretKey, ciphertext: Ciphertext): Plaintext {
  const ring = ringOf(context)
  const { level, parts, scale } = ciphertext
  const limbs = withSecret(ring, secretKey, (secret) =>
    ciphertextLimbs(level).map((t) => {
      const { value, montgomeryInverse } = at(ring.moduli, t)
      const [sum, term] = [ring.arena.allocate(ring.limbBytes), ring.arena.allocate(ring.limbBytes)]
      // Horner: ((c2 s) + c1) s + c0
      ring.arena.words.set(at(at(parts, parts.length - 1), t), sum / 4)
      for (const part of [...parts].reverse().slice(1)) {
        ring.kernels.multiply(sum, at(secret, t), sum, value, montgomeryInverse, ring.limbBytes)
        ring.arena.words.set(at(part, t), term / 4)
        ring.kernels.add(sum, term, sum, value, ring.limbBytes)
      }
      toCoefficients(ring, sum, term, t)
      return ring.arena.words.slice(term / 4, term / 4 + ring.polyDegree)
    }),
  )
  return { coefficients: joinResidues(ring, limbs), scale }
}

/** Chinese remainder to centred integers, as doubles. */
function joinResidues(ring: Ring, limbs: readonly Uint32Array[]): Float64Array {
  const primes = limbs.map((_, t) => at(ring.moduli, t).big)
  const modulus = primes.reduce((product, prime) => product * prime, 1n)
  const lifts = primes.map((prime) => (modulus / prime) * inverse((modulus / prime) % prime, prime))
  return Float64Array.from({ length: ring.polyDegree }, (_, i) => {
    const sum = limbs.reduce((total, limb, t) => total + BigInt(at(limb, i)) * at(lifts, t), 0n) % modulus
    return Number(sum > modulus / 2n ? sum - modulus : sum)
  })
}
