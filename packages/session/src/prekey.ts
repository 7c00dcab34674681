import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, type Hex, MalformedError, parseHex, toHex, utf8 } from '@tacit/protocol'
import { PrekeyErasedError, PrekeyExpiredError, PrekeyInvalidError } from './errors.ts'
import { hpkeSuite } from './internal/hpke.ts'
import { Redacted } from './internal/redacted.ts'
import { drawRandom, type RandomSource } from './random.ts'
import { type SuiteName, suites } from './suite.ts'

/** A prekey lives at most this long, so that losing a worker's disk loses at most a day of past sessions. */
export const prekeyLifetimeSeconds = 24 * 60 * 60

/** The public half of a prekey, as the worker's identity key signs it. Times are seconds since 1970, `notAfter` exclusive. */
export type PrekeyRecord = {
  readonly suite: SuiteName
  readonly publicKey: Hex
  /** The worker's 20-byte address, lower case. */
  readonly worker: Hex
  readonly notBefore: number
  readonly notAfter: number
}

/** The secret half of a prekey: opaque, never printed or serialised, erasable. */
export class PrekeySecret extends Redacted {
  readonly suite: SuiteName
  #seed: Uint8Array | undefined

  /** Use {@link generatePrekey}. */
  constructor(suite: SuiteName, seed: Uint8Array) {
    super()
    this.suite = suite
    this.#seed = Uint8Array.from(seed)
  }

  /** Overwrites the key. Sessions already accepted go on; no further one can be. */
  erase(): void {
    this.#seed?.fill(0)
    this.#seed = undefined
  }

  /** Whether {@link erase} was called. */
  get erased(): boolean {
    return this.#seed === undefined
  }

  /** @internal */
  static seedOf(secret: PrekeySecret): Uint8Array {
    if (secret.#seed === undefined) throw new PrekeyErasedError()
    return secret.#seed
  }
}

/**
 * Draws a prekey for a worker.
 * @example
 * const { record, secret } = await generatePrekey({ worker, notBefore: now, notAfter: now + 3600, random })
 * @throws PrekeyExpiredError when the window is empty or longer than a day.
 */
export async function generatePrekey(options: {
  readonly suite?: SuiteName
  readonly worker: Hex
  readonly notBefore: number
  readonly notAfter: number
  readonly random: RandomSource
}): Promise<{ readonly record: PrekeyRecord; readonly secret: PrekeySecret }> {
  const { suite = 'x-wing', worker, notBefore, notAfter, random } = options
  const seed = drawRandom(random, suites[suite].secretKeyBytes)
  const hpke = hpkeSuite(suite, () => seed)
  const { publicKey, privateKey } = await hpke.GenerateKeyPair(true)
  const record = { suite, publicKey: toHex(await hpke.SerializePublicKey(publicKey)), worker, notBefore, notAfter }
  encodePrekey(record)
  // For X25519 the drawn bytes go through DeriveKeyPair; the scalar it gives is what must be kept.
  const secretKey = await hpke.SerializePrivateKey(privateKey)
  const secret = new PrekeySecret(suite, secretKey)
  seed.fill(0)
  secretKey.fill(0)
  return { record, secret }
}

/**
 * SHA-256 over the canonical encoding of the record: what a session envelope names the prekey by.
 * @throws PrekeyInvalidError when the record is not well formed.
 */
export function prekeyId(record: PrekeyRecord): Hex {
  return toHex(sha256(encodePrekey(record)))
}

/**
 * The canonical bytes of a prekey: label, KEM id, worker, window, public key.
 * @throws PrekeyInvalidError when a field does not have its size, PrekeyExpiredError when the window is empty or too long.
 */
export function encodePrekey(record: PrekeyRecord): Uint8Array<ArrayBuffer> {
  const parameters = Object.hasOwn(suites, record.suite) ? suites[record.suite] : undefined
  if (parameters === undefined) throw new PrekeyInvalidError('its suite is unknown')
  assertWindow(record)
  const head = new DataView(new ArrayBuffer(2 + 8 + 8))
  head.setUint16(0, parameters.kemId)
  head.setBigUint64(2, BigInt(record.notBefore))
  head.setBigUint64(10, BigInt(record.notAfter))
  try {
    return concatBytes(
      utf8('tacit/prekey/1'),
      new Uint8Array(head.buffer),
      parseHex(record.worker, "The worker's address", 20),
      parseHex(record.publicKey, 'The public key', parameters.publicKeyBytes),
    )
  } catch (cause) {
    if (cause instanceof MalformedError) throw new PrekeyInvalidError(cause.message.replace(/\.$/, ''))
    throw cause
  }
}

/**
 * Refuses a prekey outside its window. Clients call it through {@link openSession}; the signature is checked elsewhere.
 * @throws PrekeyExpiredError when `nowSeconds` is not inside the window, or the window is longer than a day.
 */
export function assertPrekeyUsable(record: PrekeyRecord, { nowSeconds }: { readonly nowSeconds: number }): void {
  assertWindow(record)
  if (nowSeconds < record.notBefore) throw new PrekeyExpiredError('it is not valid yet (is this clock right?)')
  if (nowSeconds >= record.notAfter) throw new PrekeyExpiredError('it has expired')
}

function assertWindow({ notBefore, notAfter }: PrekeyRecord): void {
  if (!Number.isSafeInteger(notBefore) || !Number.isSafeInteger(notAfter) || notBefore < 0) {
    throw new PrekeyInvalidError('its times are not whole seconds')
  }
  if (notAfter <= notBefore) throw new PrekeyExpiredError('its window is empty')
  if (notAfter - notBefore > prekeyLifetimeSeconds) throw new PrekeyExpiredError('its window is longer than 24 hours')
}
