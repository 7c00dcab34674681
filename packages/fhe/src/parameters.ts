import { InsecureParametersError, UnknownParametersError } from './errors.ts'

/** The parameter sets that exist. The numbers are the ring degree and the bits of the largest modulus. */
export type ParameterSetName = 'ckks-8192-180' | 'ckks-16384-240' | 'ckks-16384-300'

declare const checked: unique symbol

/** One named parameter set. Only {@link getParameters} makes them, so every one of them passed the security table. */
export type CkksParameters = {
  readonly name: ParameterSetName
  /** N: the ring is Z[X]/(X^N + 1). */
  readonly polyDegree: number
  /** q_i, each below 2^30 and 1 modulo 2N. A ciphertext of level l lives modulo the first l. */
  readonly coefficientModuli: readonly number[]
  /** p_0, p_1: only keys and intermediate sums of key switching live modulo these as well. */
  readonly specialModuli: readonly [number, number]
  /** Bits of all moduli together: what the security table bounds. */
  readonly logModulus: number
  readonly securityLevel: 128
  readonly [checked]: true
}

// log2 of the largest modulus for 128 bits of classical security with a ternary secret and an error of standard deviation 3.2:
// Albrecht et al., "Homomorphic Encryption Standard" (2018, ePrint 2019/939), as in SEAL's native/src/seal/util/hestdparms.h.
const largestLogModulus: ReadonlyMap<number, number> = new Map([
  [1024, 27],
  [2048, 54],
  [4096, 109],
  [8192, 218],
  [16384, 438],
  [32768, 881],
])

// The largest primes below 2^30 that are 1 modulo 2N; the two largest are special. test/parameters.test.ts derives them again.
const primes8192 = [1073692673, 1073643521, 1073479681, 1073430529, 1073299457, 1073233921]
const primes16384 = [1073643521, 1073479681, 1073184769, 1073053697, 1072857089, 1072496641, 1071513601, 1071415297, 1071087617, 1070727169]

const definitions: Readonly<Record<ParameterSetName, { readonly polyDegree: number; readonly primes: readonly number[] }>> = {
  'ckks-8192-180': { polyDegree: 8192, primes: primes8192 },
  'ckks-16384-240': { polyDegree: 16384, primes: primes16384.slice(0, 8) },
  'ckks-16384-300': { polyDegree: 16384, primes: primes16384 },
}

/** Names of all parameter sets, smallest first. */
export const parameterSetNames: readonly ParameterSetName[] = ['ckks-8192-180', 'ckks-16384-240', 'ckks-16384-300']

/**
 * The parameter set of that name.
 * @throws UnknownParametersError for any other name.
 */
export function getParameters(name: ParameterSetName): CkksParameters {
  const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined
  if (definition === undefined) throw new UnknownParametersError(String(name))
  const [first = 0, second = 0, ...coefficientModuli] = definition.primes
  const logModulus = definition.primes.reduce((sum, prime) => sum + Math.log2(prime), 0)
  assertSecure(definition.polyDegree, logModulus)
  const fields = {
    name,
    polyDegree: definition.polyDegree,
    coefficientModuli,
    specialModuli: [first, second],
    logModulus,
    securityLevel: 128,
  }
  // The brand only records that this function, and with it the check above, was passed.
  return Object.freeze(fields) as unknown as CkksParameters
}

/**
 * Refuses a ring degree that the table does not know and a modulus above its bound.
 * @throws InsecureParametersError
 */
export function assertSecure(polyDegree: number, logModulus: number): void {
  const bound = largestLogModulus.get(polyDegree)
  if (bound === undefined || !(logModulus <= bound)) throw new InsecureParametersError({ polyDegree, logModulus })
}
