// The client's end of one job's pair of sealed streams: messages in, chunks out, and the other way round. No I/O, no clock.
import type { JobId } from '@tacit/protocol'
import {
  CellReader,
  type Opener,
  packCells,
  type RandomSource,
  type ReleaseMode,
  type Sealer,
  type Session,
  UpstreamPacer,
} from '@tacit/session'
import { maxMessageBytes } from './messages.ts'
import { StreamLog } from './stream-log.ts'

/** What a chunk from the worker brought, and what must be sent in return, at once. */
export type Received = { readonly messages: readonly Uint8Array[]; readonly final: boolean; readonly replies: readonly Uint8Array[] }

/** Smallest first burst of a paced stream, in cells: all short orders look alike. */
const minBurstCells = 4

export class ClientStream {
  readonly log: StreamLog = new StreamLog()
  readonly #session: Session
  readonly #jobId: JobId
  readonly #mode: ReleaseMode
  readonly #sealer: Sealer
  readonly #pacer: UpstreamPacer
  readonly #reader = new CellReader({ maxMessageBytes })
  #opener: Opener | undefined
  #openerNonce: Uint8Array | undefined

  constructor(session: Session, jobId: JobId, mode: ReleaseMode, random: RandomSource) {
    this.#session = session
    this.#jobId = jobId
    this.#mode = mode
    this.#sealer = session.sealStream({ jobId, attempt: 0 }, { random })
    this.#pacer = new UpstreamPacer({ cellBytes: mode.cellBytes })
  }

  /** Goes into the START frame. */
  get attemptNonce(): Uint8Array {
    return this.#sealer.attemptNonce
  }

  /** How many chunks have been opened: where a resumed stream goes on. */
  get received(): number {
    return this.#opener?.nextCounter ?? 0
  }

  /** Whether the worker's final chunk was opened. */
  get finished(): boolean {
    return this.#opener?.finished ?? false
  }

  /** The first message, as a burst whose size is a class of its own. */
  begin(message: Uint8Array): readonly Uint8Array[] {
    const minCells = this.#mode.mode === 'paced' ? minBurstCells : 1
    return packCells(message, { cellBytes: this.#mode.cellBytes, minCells }).map((cell) => this.#seal(cell, false))
  }

  /** A later message: sent at once in an immediate stream, in the next slot of a paced one. */
  send(message: Uint8Array): readonly Uint8Array[] {
    if (this.#mode.mode === 'immediate')
      return packCells(message, { cellBytes: this.#mode.cellBytes }).map((cell) => this.#seal(cell, false))
    this.#pacer.enqueue(message)
    return []
  }

  /**
   * A last message, sealed at once whatever the mode: the channel is closed after it, so there is no schedule left to keep.
   * Nothing when another message waits for its slot: it would come out of order.
   */
  interrupt(message: Uint8Array): readonly Uint8Array[] {
    if (this.log.complete || this.#pacer.queuedBytes > 0) return []
    return packCells(message, { cellBytes: this.#mode.cellBytes }).map((cell) => this.#seal(cell, false))
  }

  /** The worker's nonce came (STARTED or RESUMED). The first one counts; another one would be another stream. */
  bind(attemptNonce: Uint8Array): void {
    // Once a chunk has opened, the stream is this one: a relay that says otherwise changes nothing.
    if (this.received > 0) return
    if (this.#openerNonce?.every((byte, index) => byte === attemptNonce[index])) return
    this.#openerNonce = attemptNonce
    this.#opener = this.#session.openStream({ jobId: this.#jobId, attempt: 0 }, { attemptNonce })
  }

  /**
   * Opens a chunk. `answer` turns its messages into replies before the slot that the chunk gives is filled, so that a voucher
   * leaves in the very slot of the step that asked for it.
   */
  receive(chunk: Uint8Array, answer: (messages: readonly Uint8Array[]) => readonly Uint8Array[]): Received {
    if (this.#opener === undefined) return { messages: [], final: false, replies: [] }
    const { plaintext, final } = this.#opener.open(chunk)
    const messages = this.#reader.push(plaintext)
    if (final) this.#reader.end()
    const replies = answer(messages).flatMap((message) => this.send(message))
    if (this.#mode.mode === 'paced') {
      const slot = this.#pacer.onDownstreamCell({ final })
      return { messages, final, replies: slot === undefined ? replies : [...replies, this.#seal(slot.cell, slot.final)] }
    }
    return { messages, final, replies: final ? [...replies, this.#seal(new Uint8Array(2), true)] : replies }
  }

  #seal(cell: Uint8Array, final: boolean): Uint8Array {
    const chunk = final ? this.#sealer.sealFinal(cell) : this.#sealer.seal(cell)
    this.log.append(chunk, { final })
    return chunk
  }
}
