// Session set-up: one HPKE context in base mode (RFC 9180 section 5.1.1) to the worker's prekey. HPKE is asynchronous in
// the library; everything that follows is not.
import { concatBytes, parseHex, utf8 } from '@tacit/protocol'
import type { RecipientContext, SenderContext } from 'hpke'
import type { AeadBackend } from './aead.ts'
import { EncapsulationRejectedError, PrekeyInvalidError, RandomSourceError } from './errors.ts'
import { hpkeSuite } from './internal/hpke.ts'
import { exporterContext } from './internal/stream-keys.ts'
import { assertPrekeyUsable, encodePrekey, type PrekeyRecord, PrekeySecret } from './prekey.ts'
import type { RandomSource } from './random.ts'
import { type Role, Session } from './session.ts'
import { encodeSessionInfo, type SessionInfo } from './session-info.ts'
import { suites } from './suite.ts'

/** The empty message under the HPKE context: tells a worker at once whether an encapsulation is for it. */
const confirmationBytes = 16
const confirmationAad = utf8('tacit/session/1 confirm')
const nothing = new Uint8Array(0)

/**
 * Opens a session to a worker's prekey, whose signature the caller has checked.
 * @example
 * const { enc, session } = await openSession({ prekey, info, nowSeconds, random })
 * @throws PrekeyExpiredError outside the prekey's window, PrekeyInvalidError when it is not a key or names another worker.
 */
export async function openSession(options: {
  readonly prekey: PrekeyRecord
  readonly info: SessionInfo
  readonly nowSeconds: number
  readonly random: RandomSource
  readonly aead?: AeadBackend
}): Promise<{ readonly enc: Uint8Array<ArrayBuffer>; readonly session: Session }> {
  const { prekey, info, nowSeconds, random, aead } = options
  encodePrekey(prekey)
  assertPrekeyUsable(prekey, { nowSeconds })
  if (prekey.worker !== info.worker) throw new PrekeyInvalidError('it belongs to another worker')
  const encodedInfo = encodeSessionInfo(info)
  const suite = hpkeSuite(prekey.suite, random)
  const { encapsulatedSecret, ctx } = await setUpSender(suite, parseHex(prekey.publicKey, 'The public key'), encodedInfo)
  const confirmation = await ctx.Seal(nothing, confirmationAad)
  const session = await exportSession(ctx, { info, role: 'client', encapsulation: encapsulatedSecret, aead })
  return { enc: concatBytes(encapsulatedSecret, confirmation), session }
}

/**
 * Accepts a session that was opened to `prekeySecret` with the same `info`.
 * @throws EncapsulationRejectedError for anything else, garbage included; PrekeyErasedError after erasure.
 */
export async function acceptSession(options: {
  readonly prekeySecret: PrekeySecret
  readonly enc: Uint8Array
  readonly info: SessionInfo
  readonly aead?: AeadBackend
}): Promise<Session> {
  const { prekeySecret, enc, info, aead } = options
  const { encapsulationBytes } = suites[prekeySecret.suite]
  const secretKey = Uint8Array.from(PrekeySecret.seedOf(prekeySecret))
  const encodedInfo = encodeSessionInfo(info)
  if (enc.length !== encapsulationBytes + confirmationBytes) throw new EncapsulationRejectedError()
  const encapsulation = Uint8Array.from(enc.subarray(0, encapsulationBytes))
  const suite = hpkeSuite(prekeySecret.suite, drawsNothing)
  let context: RecipientContext
  try {
    context = await suite.SetupRecipient(await suite.DeserializePrivateKey(secretKey), encapsulation, { info: encodedInfo })
    await context.Open(Uint8Array.from(enc.subarray(encapsulationBytes)), confirmationAad)
  } catch {
    // One answer for every reason: which step failed is nobody's business, and no cause may carry key material.
    throw new EncapsulationRejectedError()
  } finally {
    secretKey.fill(0)
  }
  return exportSession(context, { info, role: 'worker', encapsulation, aead })
}

async function setUpSender(suite: ReturnType<typeof hpkeSuite>, publicKey: Uint8Array, info: Uint8Array) {
  try {
    return await suite.SetupSender(await suite.DeserializePublicKey(publicKey), { info })
  } catch (cause) {
    if (cause instanceof Error && cause.cause instanceof RandomSourceError) throw cause.cause
    throw new PrekeyInvalidError('its public key is not a point of its suite')
  }
}

async function exportSession(
  context: SenderContext | RecipientContext,
  options: {
    readonly info: SessionInfo
    readonly role: Role
    readonly encapsulation: Uint8Array
    readonly aead: AeadBackend | undefined
  },
): Promise<Session> {
  const { info, role, encapsulation, aead } = options
  const roots = {
    request: await context.Export(exporterContext('request'), 32),
    response: await context.Export(exporterContext('response'), 32),
  }
  return new Session({ info, role, encapsulation, roots, ...(aead === undefined ? {} : { aead }) })
}

function drawsNothing(): never {
  throw new Error('decapsulation draws no randomness')
}
