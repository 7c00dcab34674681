import { type Hex, MalformedError } from '@tacit/protocol'
import { type AeadBackend, nobleAead } from './aead.ts'
import { AttemptReusedError, CounterExhaustedError, SessionErasedError } from './errors.ts'
import { Redacted } from './internal/redacted.ts'
import { deriveStreamKeys } from './internal/stream-keys.ts'
import { Opener } from './opener.ts'
import { drawRandom, type RandomSource } from './random.ts'
import { Sealer } from './sealer.ts'
import type { SessionInfo } from './session-info.ts'

/** `request` flows from client to worker, `response` back. */
export type Direction = 'request' | 'response'

/** Which end of the session this is: it seals its own direction and opens the other. */
export type Role = 'client' | 'worker'

/** Bytes of the attempt nonce: max(Nn, Nk) of AES-256-GCM, as in RFC 9458 section 4.4. */
export const attemptNonceBytes = 32

// Bounds what a session remembers about its streams.
const maxStreams = 2 ** 16

/** Names one stream within a session and direction. `attempt` counts from 0; a retry is a new attempt. */
export type StreamId = { readonly jobId: Hex; readonly attempt: number }

/** An open session: derives the keys of each attempt, synchronously. Holds secrets, so it prints as "[redacted]". */
export class Session extends Redacted {
  readonly info: SessionInfo
  readonly role: Role
  readonly #aead: AeadBackend
  readonly #encapsulation: Uint8Array
  #roots: Readonly<Record<Direction, Uint8Array>> | undefined
  readonly #sealed = new Set<string>()
  readonly #opened = new Set<string>()

  /** Use {@link openSession} or {@link acceptSession}. */
  constructor(options: {
    readonly info: SessionInfo
    readonly role: Role
    readonly encapsulation: Uint8Array
    readonly roots: Readonly<Record<Direction, Uint8Array>>
    readonly aead?: AeadBackend
  }) {
    super()
    this.info = options.info
    this.role = options.role
    this.#encapsulation = Uint8Array.from(options.encapsulation)
    this.#roots = options.roots
    this.#aead = options.aead ?? nobleAead
  }

  /**
   * Starts sealing this end's direction of an attempt, under keys that no other attempt has.
   * @example
   * const sealer = session.sealStream({ jobId, attempt: 0 }, { random })
   * await channel.send(sealer.sealFinal(prompt))
   * @throws AttemptReusedError when this attempt was sealed before, CounterExhaustedError after 65,536 streams.
   */
  sealStream(stream: StreamId, { random }: { readonly random: RandomSource }): Sealer {
    const attemptNonce = drawRandom(random, attemptNonceBytes)
    const keys = this.#deriveKeys(stream, attemptNonce, this.role === 'client' ? 'request' : 'response')
    claim(this.#sealed, stream)
    return new Sealer({ attemptNonce, key: this.#aead.importKey(keys.key), baseNonce: keys.baseNonce })
  }

  /**
   * Starts opening the other end's direction of an attempt. A stream that opens once is refused when it comes again.
   * @throws AttemptReusedError when a stream of this attempt was opened before.
   */
  openStream(stream: StreamId, { attemptNonce }: { readonly attemptNonce: Uint8Array }): Opener {
    if (attemptNonce.length !== attemptNonceBytes) throw new MalformedError('The attempt nonce', `must be ${attemptNonceBytes} bytes`)
    if (this.#opened.has(streamName(stream))) throw new AttemptReusedError(stream.attempt)
    const keys = this.#deriveKeys(stream, attemptNonce, this.role === 'client' ? 'response' : 'request')
    return new Opener({
      key: this.#aead.importKey(keys.key),
      baseNonce: keys.baseNonce,
      claim: () => claim(this.#opened, stream),
    })
  }

  /** Overwrites the session's secrets. Streams already started go on. */
  erase(): void {
    this.#roots?.request.fill(0)
    this.#roots?.response.fill(0)
    this.#roots = undefined
  }

  #deriveKeys({ jobId, attempt }: StreamId, attemptNonce: Uint8Array, direction: Direction) {
    if (this.#roots === undefined) throw new SessionErasedError()
    if (!Number.isInteger(attempt) || attempt < 0 || attempt >= 2 ** 32) throw new MalformedError('The attempt', 'must be a u32')
    return deriveStreamKeys({
      root: this.#roots[direction],
      encapsulation: this.#encapsulation,
      sessionId: this.info.sessionId,
      jobId,
      attempt,
      attemptNonce,
    })
  }
}

function claim(used: Set<string>, stream: StreamId): void {
  const name = streamName(stream)
  if (used.has(name)) throw new AttemptReusedError(stream.attempt)
  if (used.size >= maxStreams) throw new CounterExhaustedError('streams')
  used.add(name)
}

function streamName({ jobId, attempt }: StreamId): string {
  return `${jobId}/${attempt}`
}
