// Release schedules against traffic analysis of token streams (McDonald and Bar Or 2025, "Whisper Leak", arXiv:2511.03675:
// packet sizes and timings of encrypted answers reveal their topic). A paced stream has one cell size, one rate, and a total that is a power of
// two; everything else about it stays inside. Time comes in as an argument.
import { assertCellBytes, assertMinCells, sizeClass } from './cells.ts'
import { PacingInvalidError, StreamFinishedError, UpstreamOverflowError } from './errors.ts'
import { CellQueue } from './internal/cell-queue.ts'

/**
 * How a stream is released. `paced`: one cell of `cellBytes` every `intervalMs`, dummies where there is nothing to say, total
 * padded to `minCells` times a power of two. `immediate`: at once, no dummies, no padding; sizes and times show.
 */
export type ReleaseMode =
  | { readonly mode: 'paced'; readonly cellBytes: number; readonly intervalMs: number; readonly minCells: number }
  | { readonly mode: 'immediate'; readonly cellBytes: number }

/** One cell to seal and send now; `final` says which call seals it. */
export type ReleasedCell = { readonly cell: Uint8Array<ArrayBuffer>; readonly final: boolean }

/** What a tick gives: cells to send now, and when to come back (undefined: when something is enqueued, or never again). */
export type Release = { readonly cells: readonly ReleasedCell[]; readonly nextMs: number | undefined }

/**
 * Decides what leaves when, for the direction that sets the pace (the worker's).
 * @example
 * const pacer = new Pacer({ mode: 'paced', cellBytes: 256, intervalMs: 20, minCells: 16 }, { startMs: now() })
 * pacer.enqueue(token)
 * const { cells, nextMs } = pacer.release(now())
 */
export class Pacer {
  readonly #mode: ReleaseMode
  readonly #startMs: number
  readonly #queue: CellQueue
  #released = 0
  #finishing = false
  #done = false

  /** @throws PacingInvalidError when an option makes no sense. */
  constructor(mode: ReleaseMode, { startMs }: { readonly startMs: number }) {
    assertCellBytes(mode.cellBytes)
    if (mode.mode === 'paced') {
      assertMinCells(mode.minCells)
      if (!(mode.intervalMs > 0)) throw new PacingInvalidError('the interval must be positive')
    }
    this.#mode = mode
    this.#startMs = startMs
    this.#queue = new CellQueue(mode)
  }

  /** Bytes that wait for a cell: the producer slows down when this grows. */
  get queuedBytes(): number {
    return this.#queue.queuedBytes
  }

  get releasedCells(): number {
    return this.#released
  }

  /** Whether the final cell has been released. */
  get done(): boolean {
    return this.#done
  }

  /**
   * Adds a message to what must leave.
   * @throws StreamFinishedError after {@link finish}.
   */
  enqueue(message: Uint8Array): void {
    if (this.#finishing) throw new StreamFinishedError()
    this.#queue.enqueue(message)
  }

  /** Nothing more will be enqueued. A paced stream runs on until its total is a size class. */
  finish(): void {
    this.#finishing = true
  }

  /** What is due at `nowMs`. A paced stream gives at most one cell per call; when late, it asks to be called again at once. */
  release(nowMs: number): Release {
    if (this.#done) return { cells: [], nextMs: undefined }
    return this.#mode.mode === 'immediate' ? this.#releaseAll() : this.#releaseDue(nowMs, this.#mode)
  }

  #releaseAll(): Release {
    const cells: ReleasedCell[] = []
    while (this.#queue.queuedBytes > 0)
      cells.push(this.#count(this.#queue.takeUnpaddedCell(), this.#finishing && this.#queue.queuedBytes === 0))
    if (this.#finishing && !this.#done) cells.push(this.#count(this.#queue.takeUnpaddedCell(), true))
    return { cells, nextMs: undefined }
  }

  #releaseDue(nowMs: number, { intervalMs, minCells }: ReleaseMode & { readonly mode: 'paced' }): Release {
    // The schedule hangs on the start, never on when content arrived or a tick was late.
    const dueMs = this.#startMs + this.#released * intervalMs
    if (nowMs < dueMs) return { cells: [], nextMs: dueMs }
    const total = sizeClass(this.#released + Math.max(1, this.#queue.queuedCells), { minCells })
    const released = this.#count(this.#queue.takeCell(), this.#finishing && this.#released + 1 === total)
    return { cells: [released], nextMs: released.final ? undefined : dueMs + intervalMs }
  }

  #count(cell: Uint8Array<ArrayBuffer>, final: boolean): ReleasedCell {
    this.#released++
    this.#done ||= final
    return { cell, final }
  }
}

/**
 * The other direction (the client's): one cell for every `downstreamPerUpstream` cells that arrive, so that its number, size and
 * schedule repeat what an observer has already seen.
 */
export class UpstreamPacer {
  readonly #every: number
  readonly #queue: CellQueue
  #arrived = 0
  #done = false

  /** @throws PacingInvalidError when an option makes no sense. */
  constructor({ cellBytes, downstreamPerUpstream = 1 }: { readonly cellBytes: number; readonly downstreamPerUpstream?: number }) {
    assertCellBytes(cellBytes)
    if (!Number.isInteger(downstreamPerUpstream) || downstreamPerUpstream < 1) {
      throw new PacingInvalidError('the ratio must be a positive whole number')
    }
    this.#every = downstreamPerUpstream
    this.#queue = new CellQueue({ cellBytes })
  }

  get queuedBytes(): number {
    return this.#queue.queuedBytes
  }

  /**
   * Adds a message for the next slots.
   * @throws StreamFinishedError after the final downstream cell.
   */
  enqueue(message: Uint8Array): void {
    if (this.#done) throw new StreamFinishedError()
    this.#queue.enqueue(message)
  }

  /**
   * Call for each downstream cell that was opened; send what it returns at once. The final downstream cell always gives the final
   * upstream cell.
   * @throws UpstreamOverflowError when the final slot cannot take everything that waits.
   */
  onDownstreamCell({ final }: { readonly final: boolean }): ReleasedCell | undefined {
    if (this.#done) throw new StreamFinishedError()
    this.#arrived++
    if (!final && this.#arrived % this.#every !== 0) return undefined
    if (final && this.#queue.queuedCells > 1) throw new UpstreamOverflowError({ queuedBytes: this.#queue.queuedBytes })
    this.#done = final
    return { cell: this.#queue.takeCell(), final }
  }
}
