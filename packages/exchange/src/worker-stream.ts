// The worker's end of one job's pair of sealed streams. It sets the pace; time comes in as an argument.
import type { JobId } from '@tacit/protocol'
import { CellReader, type Opener, Pacer, type RandomSource, type ReleaseMode, type Sealer, type Session } from '@tacit/session'
import { maxMessageBytes } from './messages.ts'
import { StreamLog } from './stream-log.ts'

/** Chunks to send now, and when to come back (undefined: when there is something new to say, or never). */
export type Due = { readonly chunks: readonly Uint8Array[]; readonly nextMs: number | undefined }

export class WorkerStream {
  readonly log: StreamLog = new StreamLog()
  readonly #sealer: Sealer
  readonly #opener: Opener
  readonly #pacer: Pacer
  readonly #reader = new CellReader({ maxMessageBytes })

  constructor(options: {
    readonly session: Session
    readonly jobId: JobId
    /** From the START frame. */
    readonly attemptNonce: Uint8Array
    readonly mode: ReleaseMode
    readonly startMs: number
    readonly random: RandomSource
  }) {
    const { session, jobId, attemptNonce, mode, startMs, random } = options
    this.#opener = session.openStream({ jobId, attempt: 0 }, { attemptNonce })
    this.#sealer = session.sealStream({ jobId, attempt: 0 }, { random })
    this.#pacer = new Pacer(mode, { startMs })
  }

  /** Goes into the STARTED frame. */
  get attemptNonce(): Uint8Array {
    return this.#sealer.attemptNonce
  }

  /** How many chunks have been opened: where the client goes on when it resumes. */
  get received(): number {
    return this.#opener.nextCounter
  }

  /** Whether the final chunk has been released. */
  get done(): boolean {
    return this.#pacer.done
  }

  /** Bytes that wait for a cell; the producer slows down when this grows. */
  get queuedBytes(): number {
    return this.#pacer.queuedBytes
  }

  /** Opens a chunk and gives the messages it completes. */
  receive(chunk: Uint8Array): { readonly messages: readonly Uint8Array[]; readonly final: boolean } {
    const { plaintext, final } = this.#opener.open(chunk)
    const messages = this.#reader.push(plaintext)
    if (final) this.#reader.end()
    return { messages, final }
  }

  send(message: Uint8Array): void {
    this.#pacer.enqueue(message)
  }

  /** Nothing more will be said; a paced stream runs on to the end of its size class. */
  finish(): void {
    this.#pacer.finish()
  }

  /** What is due at `nowMs`, sealed. */
  release(nowMs: number): Due {
    const { cells, nextMs } = this.#pacer.release(nowMs)
    const chunks = cells.map(({ cell, final }) => {
      const chunk = final ? this.#sealer.sealFinal(cell) : this.#sealer.seal(cell)
      this.log.append(chunk, { final })
      return chunk
    })
    return { chunks, nextMs }
  }
}
