import type { AeadKey } from './aead.ts'
import { parseChunk } from './chunk.ts'
import {
  ChunkAlteredError,
  ChunkOutOfOrderError,
  ChunkReplayedError,
  StreamFinishedError,
  StreamTruncatedError,
  WrongSessionError,
} from './errors.ts'
import { Redacted } from './internal/redacted.ts'
import { chunkAad, chunkNonce } from './internal/stream-keys.ts'

/** What one chunk held. */
export type OpenedChunk = { readonly plaintext: Uint8Array; readonly final: boolean }

/**
 * Opens the chunks of one stream in order. A refused chunk changes nothing, so that a resumed stream can go on with the
 * right one.
 */
export class Opener extends Redacted {
  #key: AeadKey | undefined
  #baseNonce: Uint8Array
  #next = 0
  #claim: () => void

  /** Use `session.openStream`. */
  constructor(options: { readonly key: AeadKey; readonly baseNonce: Uint8Array; readonly claim: () => void }) {
    super()
    this.#key = options.key
    this.#baseNonce = Uint8Array.from(options.baseNonce)
    this.#claim = options.claim
  }

  /** The counter of the chunk that comes next: what a resumed stream asks for. */
  get nextCounter(): number {
    return this.#next
  }

  /** Whether the final chunk has been opened. */
  get finished(): boolean {
    return this.#key === undefined
  }

  /**
   * Opens the next chunk.
   * @throws ChunkMalformedError, ChunkReplayedError, ChunkOutOfOrderError, WrongSessionError (first chunk), ChunkAlteredError
   * (later chunks), StreamFinishedError, AttemptReusedError when the whole stream was opened before.
   */
  open(bytes: Uint8Array): OpenedChunk {
    const { final, counter, ciphertext } = parseChunk(bytes)
    if (counter < this.#next) throw new ChunkReplayedError({ counter, expected: this.#next })
    if (this.#key === undefined) throw new StreamFinishedError()
    if (counter > this.#next) throw new ChunkOutOfOrderError({ counter, expected: this.#next })
    const plaintext = this.#key.open(chunkNonce(this.#baseNonce, counter), chunkAad(final), ciphertext)
    if (plaintext === undefined) throw counter === 0 ? new WrongSessionError() : new ChunkAlteredError({ counter })
    if (counter === 0) this.#claim()
    this.#next = counter + 1
    if (final) {
      this.#key = undefined
      this.#baseNonce.fill(0)
    }
    return { plaintext, final }
  }

  /**
   * Call when the transport has nothing more.
   * @throws StreamTruncatedError when the final chunk has not come.
   */
  end(): void {
    if (!this.finished) throw new StreamTruncatedError({ receivedChunks: this.#next })
  }
}
