// Message franking: a binding commitment to what a stream said, opened later by revealing its key.
// Grubbs, Lu, Ristenpart 2017 ("Message Franking via Committing Authenticated Encryption", eprint 2017/664), the
// commit-then-encrypt construction with HMAC; Dodis, Grubbs, Ristenpart, Woodage 2018 ("Fast Message Franking", eprint
// 2019/016) show why AES-GCM alone commits to nothing. Binding rests on the collision resistance of SHA-256.
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes, type Hex, MalformedError, parseHex, toHex, utf8 } from '@tacit/protocol'
import { Redacted } from './internal/redacted.ts'
import { drawRandom, type RandomSource } from './random.ts'
import type { Direction } from './session.ts'

/** Bytes of a franking key. Fixed: HMAC would pad shorter keys with zeros, and two keys could then be one. */
export const frankingKeyBytes = 32

/** Which stream a commitment is about. */
export type FrankingContext = { readonly sessionId: Hex; readonly jobId: Hex; readonly direction: Direction }

/** A fresh franking key, to be sent inside the first sealed chunk of a stream. */
export function generateFrankingKey(random: RandomSource): Uint8Array<ArrayBuffer> {
  return drawRandom(random, frankingKeyBytes)
}

/** Computes the commitment of a stream while its plaintext passes by; both ends run one. */
export class Franker extends Redacted {
  readonly #context: FrankingContext
  readonly #key: Uint8Array
  readonly #hash = sha256.create()

  /** @throws MalformedError when the key is not 32 bytes. */
  constructor(options: { readonly frankingKey: Uint8Array; readonly context: FrankingContext }) {
    super()
    assertFrankingKey(options.frankingKey)
    this.#key = Uint8Array.from(options.frankingKey)
    this.#context = options.context
  }

  /** Adds the next plaintext bytes; how they are cut into pieces does not matter. */
  update(plaintext: Uint8Array): void {
    this.#hash.update(plaintext)
  }

  /** The commitment to everything added so far; more can follow. */
  commitment(): Hex {
    return commitmentOf(this.#key, this.#context, this.#hash.clone().digest())
  }
}

/** Commits to a whole plaintext at once. */
export function frank(options: {
  readonly plaintext: Uint8Array
  readonly frankingKey: Uint8Array
  readonly context: FrankingContext
}): Hex {
  const franker = new Franker(options)
  franker.update(options.plaintext)
  return franker.commitment()
}

/**
 * Whether `frankingKey` and `plaintext` open `commitment` in this context. A judge accepts only commitments that the other
 * side signed. Never throws for garbage.
 */
export function verifyOpening(options: {
  readonly commitment: Hex
  readonly frankingKey: Uint8Array
  readonly context: FrankingContext
  readonly plaintext: Uint8Array
}): boolean {
  try {
    return equalBytes(parseHex(options.commitment, 'The commitment', 32), parseHex(frank(options), 'The commitment', 32))
  } catch (error) {
    if (error instanceof MalformedError) return false
    throw error
  }
}

function commitmentOf(key: Uint8Array, context: FrankingContext, plaintextHash: Uint8Array): Hex {
  if (context.direction !== 'request' && context.direction !== 'response') throw new MalformedError('The direction', 'is unknown')
  const message = concatBytes(
    utf8('tacit/franking/1'),
    parseHex(context.sessionId, 'The session id', 32),
    parseHex(context.jobId, 'The job id', 32),
    Uint8Array.of(context.direction === 'request' ? 0 : 1),
    plaintextHash,
  )
  return toHex(hmac(sha256, key, message))
}

function assertFrankingKey(key: Uint8Array): void {
  if (key.length !== frankingKeyBytes) throw new MalformedError('The franking key', `must be ${frankingKeyBytes} bytes`)
}
