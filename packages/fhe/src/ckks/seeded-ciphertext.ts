import { concatBytes, equalBytes } from '@tacit/protocol'
import { MalformedEncryptionError, WeakRandomnessError } from '../errors.ts'
import { at } from '../internal/at.ts'
import { packLimb, unpackLimb } from '../internal/packed-limbs.ts'
import { ciphertextLimbs, type Limbs, type Ring, type RingLayout, toSlots } from '../internal/ring.ts'
import { drawSeeds, expandUniform, purposes, type RandomSource, sampleError } from '../internal/streams.ts'
import { allocateIntegers, type IntegerPolynomial, writeIntegers } from './plaintext.ts'
import { type SecretKey, withSecret } from './secret-key.ts'
import { encodeHeader, headerBytes, packedLimbBytes, parseHeader, seedBytes } from './wire.ts'

/** Size of a symmetric ciphertext of that level. */
export function seededCiphertextBytes(polyDegree: number, level: number): number {
  return headerBytes + seedBytes + level * packedLimbBytes(polyDegree)
}

/**
 * Encrypts under the secret key: a seed for c1 and c0 = m + e - c1 s. The seed is drawn here unless it is a ticket's; a seed
 * serves one message only, since two reveal their difference.
 */
export function encryptSeeded(
  ring: Ring,
  secretKey: SecretKey,
  message: IntegerPolynomial,
  options: { readonly level: number; readonly random: RandomSource; readonly seed?: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const { level, random } = options
  const [seed, errorSeed] = drawPair(random, options.seed)
  const { arena, kernels, limbBytes, coefficientBytes, moduli } = ring
  const limbs = withSecret(ring, secretKey, (secret) => {
    const integers = allocateIntegers(ring)
    const [small, buffer, sum] = [0, 0, 0].map(() => arena.allocate(coefficientBytes)) as [number, number, number]
    const [masked, pair] = [arena.allocate(limbBytes), arena.allocate(limbBytes)]
    writeIntegers(ring, message, integers)
    sampleError(ring, errorSeed, 0, small)
    return ciphertextLimbs(level).map((t) => {
      const { value, montgomeryInverse } = at(moduli, t)
      kernels.liftDouble(integers, sum, value, ring.polyDegree)
      kernels.liftSigned(small, buffer, value, coefficientBytes)
      kernels.add(sum, buffer, sum, value, coefficientBytes)
      toSlots(ring, sum, masked, t)
      expandUniform(ring, seed, purposes.ciphertext, 0, t, pair)
      kernels.multiply(pair, at(secret, t), pair, value, montgomeryInverse, limbBytes)
      kernels.subtract(masked, pair, masked, value, limbBytes)
      return packLimb(ring, masked)
    })
  })
  errorSeed.fill(0)
  return concatBytes(encodeHeader({ kind: 'TFcs', parameters: ring.parameters.name, level }), seed, ...limbs)
}

// The public seed and that of the error, which must differ: a source that repeats itself would publish the error.
function drawPair(random: RandomSource, given: Uint8Array | undefined): readonly [Uint8Array, Uint8Array] {
  if (given === undefined) return drawSeeds(random, 2) as readonly [Uint8Array, Uint8Array]
  const [errorSeed] = drawSeeds(random, 1) as readonly [Uint8Array]
  if (equalBytes(errorSeed, given)) throw new WeakRandomnessError('it gave the same bytes twice')
  return [Uint8Array.from(given), errorSeed]
}

/**
 * Checks everything of a symmetric ciphertext but its residues and returns its seed.
 * @throws MalformedEncryptionError
 */
export function parseSeed(ring: RingLayout, bytes: Uint8Array, level: number): Uint8Array {
  const what = 'The ciphertext'
  const header = parseHeader(bytes, 'TFcs', what)
  if (header.parameters.name !== ring.parameters.name) throw new MalformedEncryptionError(what, 'is for another parameter set')
  if (header.level !== level || header.extra !== 0) throw new MalformedEncryptionError(what, 'has another level')
  if (bytes.length !== seededCiphertextBytes(ring.polyDegree, level)) throw new MalformedEncryptionError(what, 'does not have its length')
  return bytes.slice(headerBytes, headerBytes + seedBytes)
}

/** Expands c1 of a seed. */
export function expandSecondPart(ring: Ring, seed: Uint8Array, level: number, out: Limbs): void {
  for (const t of ciphertextLimbs(level)) expandSecondLimb(ring, seed, t, at(out, t))
}

/** Expands limb t of c1 of a seed. */
export function expandSecondLimb(ring: Ring, seed: Uint8Array, t: number, limb: number): void {
  expandUniform(ring, seed, purposes.ciphertext, 0, t, limb)
}

/**
 * Unpacks limb t of c0.
 * @throws MalformedEncryptionError when a residue is not canonical.
 */
export function unpackFirstPart(ring: Ring, bytes: Uint8Array, t: number, limb: number): void {
  const offset = headerBytes + seedBytes + t * packedLimbBytes(ring.polyDegree)
  unpackLimb(ring, bytes, offset, limb, t, 'The ciphertext')
}
