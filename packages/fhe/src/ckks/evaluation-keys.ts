import { concatBytes } from '@tacit/protocol'
import { MalformedEncryptionError } from '../errors.ts'
import { at } from '../internal/at.ts'
import { digitPrimes } from '../internal/base-conversion.ts'
import { factor } from '../internal/modular.ts'
import { packLimb } from '../internal/packed-limbs.ts'
import { allocateLimbs, ciphertextLimbs, extendedLimbs, type Limbs, productOf, type Ring, specialLimbs } from '../internal/ring.ts'
import { drawSeeds, expandUniform, purposes, type RandomSource, sampleError, smallToSlots } from '../internal/streams.ts'
import type { ParameterSetName } from '../parameters.ts'
import { type Automorphism, automorphismId, automorphismOf } from './automorphism.ts'
import { generateSecret, type SecretKey, withSecret } from './secret-key.ts'
import { encodeHeader, headerBytes, packedLimbBytes, parseHeader, seedBytes } from './wire.ts'

/** Which keys an evaluator needs, each at the highest level at which it is used. */
export type KeyNeeds = {
  readonly galois: readonly { readonly automorphism: Automorphism; readonly level: number }[]
  /** Level of the product that is relinearised; 0 for none. */
  readonly relinearization: number
  /** Level of encryptions under the public key; 0 for none. */
  readonly publicKey: number
}

/** One key as it travels: its own half of every pair; the other half comes from the seed of the set. */
export type PackedKey = { readonly purpose: number; readonly id: number; readonly level: number; readonly body: Uint8Array }

/** The public keys of one secret: what the evaluator gets, once. */
export type EvaluationKeys = { readonly parameters: ParameterSetName; readonly seed: Uint8Array; readonly keys: readonly PackedKey[] }

/** A secret and the evaluation keys that were made with it. */
export type KeyPair = { readonly secretKey: SecretKey; readonly evaluationKeys: EvaluationKeys }

/**
 * Draws a fresh secret and its evaluation keys. There is no way to make a second set for one secret: repeating the random halves
 * with new errors gives the secret away after about a thousand sets. A lost upload is sent again as the same bytes.
 * @throws MalformedEncryptionError when a key is asked for twice (that would be such a repetition), or is not one of this ring.
 * @throws WeakRandomnessError
 */
export function generateKeys(ring: Ring, needs: KeyNeeds, random: RandomSource): KeyPair {
  assertNeeds(ring, needs)
  const [secretSeed, seed, errorSeed] = drawSeeds(random, 3) as readonly [Uint8Array, Uint8Array, Uint8Array]
  const secretKey = generateSecret(ring, secretSeed)
  const mark = ring.arena.top
  const keys = withSecret(ring, secretKey, (secret) => {
    const maker = createKeyMaker(ring, secret, seed, errorSeed)
    const made: PackedKey[] = []
    if (needs.publicKey > 0) made.push(maker.publicKey(needs.publicKey))
    if (needs.relinearization > 0) made.push(maker.relinearizationKey(needs.relinearization))
    for (const { automorphism, level } of needs.galois) made.push(maker.galoisKey(automorphism, level))
    return made
  })
  errorSeed.fill(0)
  ring.arena.release(mark)
  return { secretKey, evaluationKeys: { parameters: ring.parameters.name, seed, keys } }
}

/** The most keys of one set: their number travels in one byte. */
export const maximumKeys = 255

function assertNeeds({ levels, slots }: Ring, { galois, relinearization, publicKey }: KeyNeeds): void {
  const what = 'The list of keys'
  const isLevel = (level: number): boolean => Number.isSafeInteger(level) && level >= 1 && level <= levels
  for (const level of [relinearization, publicKey].filter((level) => level !== 0)) {
    if (!isLevel(level)) throw new MalformedEncryptionError(what, 'asks for an impossible level')
  }
  const ids = galois.map(({ automorphism, level }) => {
    const { rotation } = automorphism
    if (!isLevel(level) || !Number.isSafeInteger(rotation) || rotation < 0 || rotation >= slots || automorphismId(automorphism) === 0)
      throw new MalformedEncryptionError(what, 'asks for an impossible key')
    return automorphismId(automorphism)
  })
  if (new Set(ids).size !== ids.length) throw new MalformedEncryptionError(what, 'asks for one key twice')
  if (ids.length + 2 > maximumKeys) throw new MalformedEncryptionError(what, 'is too long')
}

type KeyMaker = {
  readonly publicKey: (level: number) => PackedKey
  readonly relinearizationKey: (level: number) => PackedKey
  readonly galoisKey: (automorphism: Automorphism, level: number) => PackedKey
}

// Hybrid key switching: Han, Ki, "Better Bootstrapping for Approximate Homomorphic Encryption" (CT-RSA 2020, ePrint 2019/688),
// its generalised key switching. For every digit d the key holds
// b_d = -a_d s + e_d + P g_d s', with g_d = 1 modulo the primes of digit d and 0 modulo the others.
function createKeyMaker(ring: Ring, secret: Limbs, seed: Uint8Array, errorSeed: Uint8Array): KeyMaker {
  const { arena, kernels, limbBytes, moduli, slots } = ring
  const target = allocateLimbs(ring)
  const [pair, error, product] = [arena.allocate(limbBytes), arena.allocate(limbBytes), arena.allocate(limbBytes)]
  const [small, buffer] = [arena.allocate(ring.coefficientBytes), arena.allocate(ring.coefficientBytes)]
  const special = productOf(ring, specialLimbs(ring))
  let errors = 0

  // error - a s modulo the t-th prime, for an error already drawn into `small`
  const encryptZero = (purpose: number, index: number, t: number): void => {
    const { montgomeryInverse, value } = at(moduli, t)
    expandUniform(ring, seed, purpose, index, t, pair)
    kernels.multiply(pair, at(secret, t), pair, value, montgomeryInverse, limbBytes)
    smallToSlots(ring, small, buffer, error, t)
    kernels.subtract(error, pair, pair, value, limbBytes)
  }
  const switchingKey = (purpose: number, id: number, level: number): PackedKey => {
    const parts: Uint8Array[] = []
    digitPrimes(level).forEach((own, d) => {
      sampleError(ring, errorSeed, errors++, small)
      for (const t of extendedLimbs(ring, level)) {
        encryptZero(purpose, 8 * id + d, t)
        if (own.includes(t)) {
          // The target carries one Montgomery factor, which P 2^-32 takes off.
          const { big, value } = at(moduli, t)
          const [w, quotient] = factor(special * unMontgomery(big), big)
          kernels.multiplyConstant(at(target, t), product, w, quotient, value, limbBytes)
          kernels.add(pair, product, pair, value, limbBytes)
        }
        parts.push(packLimb(ring, pair))
      }
    })
    return { purpose, id, level, body: concatBytes(...parts) }
  }
  return {
    publicKey: (level) => {
      sampleError(ring, errorSeed, errors++, small)
      const parts = ciphertextLimbs(level).map((t) => {
        encryptZero(purposes.publicKey, 0, t)
        return packLimb(ring, pair)
      })
      return { purpose: purposes.publicKey, id: 0, level, body: concatBytes(...parts) }
    },
    relinearizationKey: (level) => {
      moduli.forEach(({ value, montgomeryInverse }, t) =>
        kernels.multiply(at(secret, t), at(secret, t), at(target, t), value, montgomeryInverse, limbBytes),
      )
      return switchingKey(purposes.relinearizationKey, 0, level)
    },
    galoisKey: (automorphism, level) => {
      moduli.forEach((_, t) =>
        kernels.rotate(at(secret, t), at(target, t), 4 * automorphism.rotation, automorphism.conjugate ? 1 : 0, slots),
      )
      return switchingKey(purposes.galoisKey, automorphismId(automorphism), level)
    },
  }
}

function unMontgomery(prime: bigint): bigint {
  // 2^-32 modulo an odd prime p: (k p + 1) / 2^32 for k = -p^-1 modulo 2^32 would do; a power is clearer.
  let value = 1n
  for (let i = 0; i < 32; i++) value = value & 1n ? (value + prime) >> 1n : value >> 1n
  return value
}

const entryBytes = 6

/** The key set as bytes. */
export function encodeEvaluationKeys({ parameters, seed, keys }: EvaluationKeys): Uint8Array<ArrayBuffer> {
  const header = encodeHeader({ kind: 'TFek', parameters, level: 1, extra: keys.length })
  const entries = keys.map(({ purpose, id, level }) => Uint8Array.of(purpose, level, id & 255, (id >> 8) & 255, 0, 0))
  return concatBytes(header, seed, ...entries, ...keys.map(({ body }) => body))
}

/**
 * Reads a key set: kinds, levels and lengths are checked here, residues when a session unpacks them.
 * @throws MalformedEncryptionError
 */
export function parseEvaluationKeys(bytes: Uint8Array): EvaluationKeys {
  const what = 'The key set'
  const { parameters, level: headerLevel, extra: count } = parseHeader(bytes, 'TFek', what)
  // One name for one key set: the byte that other kinds use for their level is 1 here.
  if (headerLevel !== 1) throw new MalformedEncryptionError(what, 'has another level')
  let offset = headerBytes + seedBytes + count * entryBytes
  if (offset > bytes.length) throw new MalformedEncryptionError(what, 'is too short')
  const keys: PackedKey[] = []
  for (let i = 0; i < count; i++) {
    const entry = bytes.subarray(headerBytes + seedBytes + i * entryBytes).subarray(0, entryBytes)
    const [purpose = 0, level = 0, low = 0, high = 0, zero0, zero1] = entry
    const id = low + 256 * high
    const known = keys.some((key) => key.purpose === purpose && key.id === id)
    if (known || zero0 !== 0 || zero1 !== 0 || !plausible(purpose, id, level, parameters.polyDegree, parameters.coefficientModuli.length))
      throw new MalformedEncryptionError(what, 'holds an impossible entry')
    const size = bodyBytes(purpose, level, parameters.polyDegree)
    keys.push({ purpose, id, level, body: bytes.subarray(offset, offset + size) })
    offset += size
  }
  if (offset !== bytes.length) throw new MalformedEncryptionError(what, 'does not have its length')
  return { parameters: parameters.name, seed: bytes.slice(headerBytes, headerBytes + seedBytes), keys }
}

function plausible(purpose: number, id: number, level: number, polyDegree: number, levels: number): boolean {
  if (level < 1 || level > levels) return false
  if (purpose === purposes.galoisKey) return id > 0 && id < polyDegree && automorphismOf(id).rotation < polyDegree / 2
  return (purpose === purposes.publicKey || purpose === purposes.relinearizationKey) && id === 0
}

function bodyBytes(purpose: number, level: number, polyDegree: number): number {
  const limbs = purpose === purposes.publicKey ? level : Math.ceil(level / 2) * (level + 2)
  return limbs * packedLimbBytes(polyDegree)
}
