import type { AeadKey } from './aead.ts'
import { encodeChunk, maxChunkPlaintextBytes } from './chunk.ts'
import { ChunkMalformedError, CounterExhaustedError, StreamFinishedError } from './errors.ts'
import { Redacted } from './internal/redacted.ts'
import { chunkAad, chunkNonce } from './internal/stream-keys.ts'

const maxCounter = 2 ** 32 - 1

/**
 * Seals the chunks of one stream in order. It cannot be copied, stored or rewound, so no (key, nonce) pair is used twice;
 * to send a chunk again, keep and re-send its ciphertext.
 */
export class Sealer extends Redacted {
  /** 32 fresh random bytes that the other side needs to derive this stream's keys. Public. */
  readonly attemptNonce: Uint8Array
  #key: AeadKey | undefined
  #baseNonce: Uint8Array
  #next: number

  /** Use `session.sealStream`. */
  constructor(options: {
    readonly attemptNonce: Uint8Array
    readonly key: AeadKey
    readonly baseNonce: Uint8Array
    readonly firstCounter?: number
  }) {
    super()
    this.attemptNonce = Uint8Array.from(options.attemptNonce)
    this.#key = options.key
    this.#baseNonce = Uint8Array.from(options.baseNonce)
    this.#next = options.firstCounter ?? 0
  }

  /** How many chunks have been sealed. */
  get sealedChunks(): number {
    return this.#next
  }

  /** Whether the final chunk has been sealed. */
  get finished(): boolean {
    return this.#key === undefined
  }

  /**
   * The next chunk, with more to come.
   * @throws StreamFinishedError after the final chunk, CounterExhaustedError when only a final chunk has room left.
   */
  seal(plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    if (this.#key !== undefined && this.#next >= maxCounter) throw new CounterExhaustedError('chunks')
    return this.#sealNext(plaintext, false)
  }

  /**
   * The last chunk (it may be empty). The key is dropped afterwards.
   * @throws StreamFinishedError after the final chunk.
   */
  sealFinal(plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    const chunk = this.#sealNext(plaintext, true)
    this.#key = undefined
    this.#baseNonce.fill(0)
    return chunk
  }

  #sealNext(plaintext: Uint8Array, isFinal: boolean): Uint8Array<ArrayBuffer> {
    if (this.#key === undefined) throw new StreamFinishedError()
    if (plaintext.length > maxChunkPlaintextBytes) throw new ChunkMalformedError('is longer than a chunk may be')
    const counter = this.#next
    // Counted before sealing: even a backend that throws half-way never sees this nonce again.
    this.#next = counter + 1
    const ciphertext = this.#key.seal(chunkNonce(this.#baseNonce, counter), chunkAad(isFinal), plaintext)
    return encodeChunk({ final: isFinal, counter, ciphertext })
  }
}
