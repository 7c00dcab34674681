import { MalformedDigitsError } from './errors.ts'

/** One handwritten digit: 8 x 8 pixels, row by row, 0 (paper) to 16 (ink), and the digit it shows. */
export type Digit = { readonly pixels: Uint8Array; readonly label: number }

const pixelCount = 64
const maxInk = 16

/**
 * Parses the text of `zoo/data/digits/digits.csv.gz`, unpacked: 64 pixels and the label per line.
 * @throws MalformedDigitsError
 */
export function parseDigits(text: string): Digit[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line, index) => {
    const cells = line.split(',').map((cell) => (/^\d{1,2}$/.test(cell) ? Number(cell) : Number.NaN))
    const [pixels, label] = [cells.slice(0, pixelCount), cells[pixelCount]]
    if (cells.length !== pixelCount + 1) throw new MalformedDigitsError(index + 1, `it has ${cells.length} columns, not 65`)
    if (!pixels.every((pixel) => pixel >= 0 && pixel <= maxInk)) throw new MalformedDigitsError(index + 1, 'a pixel is not within 0..16')
    if (label === undefined || !(label >= 0 && label <= 9)) throw new MalformedDigitsError(index + 1, 'the label is not a digit')
    return { pixels: Uint8Array.from(pixels), label }
  })
}

/** The input that the digit classifiers expect: ink from 0 to 1. */
export function digitInput(digit: Digit): Float32Array {
  return Float32Array.from(digit.pixels, (pixel) => pixel / maxInk)
}

/**
 * The fixed split: shuffled by Fisher-Yates from the end with mulberry32 seeded 42; the last 360 rows are held out.
 */
export function splitDigits(digits: readonly Digit[]): { readonly train: readonly Digit[]; readonly heldOut: readonly Digit[] } {
  const order = [...digits]
  const random = mulberry32(42)
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [order[i], order[j]]
    if (a !== undefined && b !== undefined) [order[i], order[j]] = [b, a]
  }
  const heldOut = Math.min(360, order.length)
  return { train: order.slice(0, order.length - heldOut), heldOut: order.slice(order.length - heldOut) }
}

/**
 * Tommy Ettinger's mulberry32 (public domain): numbers in [0, 1) from a 32-bit seed. Reproducible, not secret: for
 * training and data splits only.
 */
export function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
