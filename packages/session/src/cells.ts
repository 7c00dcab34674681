// Fixed-size cells: what a stream looks like from outside when its shape must say nothing. Messages are laid end to end, each
// behind its u32 length, and cut into cells of one size; a cell without content is a dummy. All of it is then sealed, so that
// an observer cannot tell a dummy from data.
import { concatBytes } from '@tacit/protocol'
import { CellMalformedError, PacingInvalidError } from './errors.ts'

const headerBytes = 2
const lengthBytes = 4

/** Smallest and largest cell. */
export const cellBytesRange = { minimum: 16, maximum: 65_537 } as const

/** Number of cells on the wire for `cells` that carry data: the next power of two, at least `minCells` (itself one). */
export function sizeClass(cells: number, { minCells = 1 }: { readonly minCells?: number } = {}): number {
  let total = minCells
  while (total < cells) total *= 2
  return total
}

/** How many cells of `cellBytes` the messages need, before rounding up to a class. */
export function dataCells(messageBytes: readonly number[], { cellBytes }: { readonly cellBytes: number }): number {
  const streamBytes = messageBytes.reduce((sum, bytes) => sum + lengthBytes + bytes, 0)
  return Math.ceil(streamBytes / (cellBytes - headerBytes))
}

/** One message as it lies in the cell stream: u32 length, bytes. */
export function frameMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(lengthBytes)
  new DataView(length.buffer).setUint32(0, message.length)
  return concatBytes(length, message)
}

/** A cell: u16 count of used bytes, the bytes, zeros to the end. Without content it is a dummy. */
export function encodeCell(content: Uint8Array, { cellBytes }: { readonly cellBytes: number }): Uint8Array<ArrayBuffer> {
  assertCellBytes(cellBytes)
  const cell = new Uint8Array(cellBytes)
  if (content.length > cellBytes - headerBytes) throw new CellMalformedError('has no room for its content')
  new DataView(cell.buffer).setUint16(0, content.length)
  cell.set(content, headerBytes)
  return cell
}

/**
 * One payload as cells, padded with dummies to its size class.
 * @example
 * for (const cell of packCells(prompt, { cellBytes: 512, minCells: 4 })) chunks.push(sealer.seal(cell))
 */
export function packCells(
  payload: Uint8Array,
  options: { readonly cellBytes: number; readonly minCells?: number },
): readonly Uint8Array<ArrayBuffer>[] {
  const { cellBytes, minCells = 1 } = options
  assertCellBytes(cellBytes)
  assertMinCells(minCells)
  const stream = frameMessage(payload)
  const room = cellBytes - headerBytes
  const total = sizeClass(Math.ceil(stream.length / room), { minCells })
  return Array.from({ length: total }, (_, i) => encodeCell(stream.subarray(i * room, (i + 1) * room), { cellBytes }))
}

/**
 * The one payload that {@link packCells} packed.
 * @throws CellMalformedError when the cells hold anything but exactly one message.
 */
export function unpackCells(cells: Iterable<Uint8Array>, options: { readonly maxMessageBytes: number }): Uint8Array {
  const reader = new CellReader(options)
  const messages: Uint8Array[] = []
  for (const cell of cells) messages.push(...reader.push(cell))
  reader.end()
  const [message] = messages
  if (message === undefined || messages.length !== 1) throw new CellMalformedError('sequence does not hold exactly one message')
  return message
}

/** Puts messages together again from cells in order. Holds at most one message of `maxMessageBytes` and one cell. */
export class CellReader {
  readonly #maxMessageBytes: number
  readonly #length = new Uint8Array(lengthBytes)
  #lengthFilled = 0
  #message: Uint8Array<ArrayBuffer> | undefined
  #filled = 0

  constructor({ maxMessageBytes }: { readonly maxMessageBytes: number }) {
    this.#maxMessageBytes = maxMessageBytes
  }

  /**
   * The messages that this cell completes, oldest first.
   * @throws CellMalformedError when the cell has not its form or announces a message that is too long.
   */
  push(cell: Uint8Array): readonly Uint8Array[] {
    let rest = usedBytes(cell)
    const messages: Uint8Array[] = []
    while (rest.length > 0) {
      rest = this.#message === undefined ? this.#readLength(rest) : this.#readBody(rest, this.#message)
      if (this.#message !== undefined && this.#filled === this.#message.length) {
        messages.push(this.#message)
        this.#message = undefined
      }
    }
    return messages
  }

  /**
   * Call after the last cell.
   * @throws CellMalformedError when a message is incomplete.
   */
  end(): void {
    if (this.#message !== undefined || this.#lengthFilled > 0) throw new CellMalformedError('sequence ends inside a message')
  }

  #readLength(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, lengthBytes - this.#lengthFilled)
    this.#length.set(taken, this.#lengthFilled)
    this.#lengthFilled += taken.length
    if (this.#lengthFilled === lengthBytes) {
      const length = new DataView(this.#length.buffer).getUint32(0)
      if (length > this.#maxMessageBytes) throw new CellMalformedError(`announces a message longer than ${this.#maxMessageBytes} bytes`)
      this.#message = new Uint8Array(length)
      this.#filled = 0
      this.#lengthFilled = 0
    }
    return bytes.subarray(taken.length)
  }

  #readBody(bytes: Uint8Array, message: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, message.length - this.#filled)
    message.set(taken, this.#filled)
    this.#filled += taken.length
    return bytes.subarray(taken.length)
  }
}

function usedBytes(cell: Uint8Array): Uint8Array {
  if (cell.length < headerBytes) throw new CellMalformedError('is shorter than its header')
  const used = new DataView(cell.buffer, cell.byteOffset, cell.byteLength).getUint16(0)
  if (used > cell.length - headerBytes) throw new CellMalformedError('claims more content than it has')
  for (let i = headerBytes + used; i < cell.length; i++) if (cell[i] !== 0) throw new CellMalformedError('has padding that is not zero')
  return cell.subarray(headerBytes, headerBytes + used)
}

export function assertCellBytes(cellBytes: number): void {
  const { minimum, maximum } = cellBytesRange
  if (!Number.isInteger(cellBytes) || cellBytes < minimum || cellBytes > maximum) {
    throw new PacingInvalidError(`cells must have ${minimum} to ${maximum} bytes`)
  }
}

export function assertMinCells(minCells: number): void {
  if (!Number.isInteger(minCells) || minCells < 1 || Math.log2(minCells) % 1 !== 0) {
    throw new PacingInvalidError('the smallest class must be a power of two')
  }
}
