import { concatBytes } from '@tacit/protocol'
import { encodeCell, frameMessage } from '../cells.ts'

/** Messages waiting to leave in cells, first in first out. */
export class CellQueue {
  readonly #cellBytes: number
  #waiting: Uint8Array[] = []
  #queuedBytes = 0

  constructor({ cellBytes }: { readonly cellBytes: number }) {
    this.#cellBytes = cellBytes
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Cells that the waiting bytes fill. */
  get queuedCells(): number {
    return Math.ceil(this.#queuedBytes / (this.#cellBytes - 2))
  }

  enqueue(message: Uint8Array): void {
    const framed = frameMessage(message)
    this.#waiting.push(framed)
    this.#queuedBytes += framed.length
  }

  /** The next cell of full size: as much waiting content as fits, or a dummy. */
  takeCell(): Uint8Array<ArrayBuffer> {
    return encodeCell(this.#take(this.#cellBytes - 2), { cellBytes: this.#cellBytes })
  }

  /** The next cell without padding. */
  takeUnpaddedCell(): Uint8Array<ArrayBuffer> {
    const content = this.#take(this.#cellBytes - 2)
    const cell = new Uint8Array(2 + content.length)
    new DataView(cell.buffer).setUint16(0, content.length)
    cell.set(content, 2)
    return cell
  }

  #take(room: number): Uint8Array {
    const parts: Uint8Array[] = []
    let left = room
    let whole = 0
    for (const piece of this.#waiting) {
      if (left === 0) break
      if (piece.length > left) {
        parts.push(piece.subarray(0, left))
        this.#waiting[whole] = piece.subarray(left)
        left = 0
        break
      }
      parts.push(piece)
      left -= piece.length
      whole++
    }
    this.#waiting.splice(0, whole)
    this.#queuedBytes -= room - left
    return concatBytes(...parts)
  }
}
