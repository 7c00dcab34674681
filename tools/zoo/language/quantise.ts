// Tensor encodings of GGUF as llama.cpp defines them (ggml-quants: block_q8_0, block_q4_0), little endian.
import { fromHalf, toHalf } from './half.ts'

/** How weights are stored. */
export type Encoding = 'f32' | 'f16' | 'q8_0' | 'q4_0'

/** ggml's number for each tensor type, and the value of `general.file_type` for a file that is mostly of it. */
export const encodings: Readonly<Record<Encoding, { readonly tensorType: number; readonly fileType: number }>> = {
  f32: { tensorType: 0, fileType: 0 },
  f16: { tensorType: 1, fileType: 1 },
  q8_0: { tensorType: 8, fileType: 7 },
  q4_0: { tensorType: 2, fileType: 2 },
}

/** Weights that share one scale. */
export const blockLength = 32

/** The bytes of a tensor; for the block formats its length must be a multiple of 32. */
export function encodeTensor(weights: Float32Array, encoding: Encoding): Uint8Array<ArrayBuffer> {
  switch (encoding) {
    case 'f32':
      return new Uint8Array(weights.slice().buffer)
    case 'f16':
      return new Uint8Array(Uint16Array.from(weights, toHalf).buffer)
    case 'q8_0':
      return encodeBlocks(weights, 34, encodeQ8)
    case 'q4_0':
      return encodeBlocks(weights, 18, encodeQ4)
  }
}

/** What a reader gets back: for tests, and for measuring what an encoding costs. */
export function decodeTensor(bytes: Uint8Array, encoding: Encoding): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (encoding === 'f32') return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true))
  if (encoding === 'f16') return Float32Array.from({ length: bytes.length / 2 }, (_, i) => fromHalf(view.getUint16(2 * i, true)))
  const blockBytes = encoding === 'q8_0' ? 34 : 18
  return Float32Array.from({ length: (bytes.length / blockBytes) * blockLength }, (_, i) => {
    const start = Math.floor(i / blockLength) * blockBytes
    const scale = fromHalf(view.getUint16(start, true))
    const at = i % blockLength
    if (encoding === 'q8_0') return scale * view.getInt8(start + 2 + at)
    const pair = view.getUint8(start + 2 + (at % 16))
    return scale * ((at < 16 ? pair & 15 : pair >> 4) - 8)
  })
}

function encodeBlocks(
  weights: Float32Array,
  blockBytes: number,
  encodeBlock: (block: Float32Array, view: DataView, start: number) => void,
): Uint8Array<ArrayBuffer> {
  if (weights.length % blockLength !== 0) throw new RangeError('A tensor in blocks needs a multiple of 32 weights.')
  const bytes = new Uint8Array((weights.length / blockLength) * blockBytes)
  const view = new DataView(bytes.buffer)
  for (let block = 0; block < weights.length / blockLength; block++) {
    encodeBlock(weights.subarray(block * blockLength, (block + 1) * blockLength), view, block * blockBytes)
  }
  return bytes
}

/** Scale = largest magnitude / 127, then 32 signed bytes. */
function encodeQ8(block: Float32Array, view: DataView, start: number): void {
  const scale = Math.abs(extreme(block)) / 127
  view.setUint16(start, toHalf(scale), true)
  block.forEach((weight, i) => view.setInt8(start + 2 + i, scale === 0 ? 0 : Math.max(-127, Math.min(127, Math.round(weight / scale)))))
}

/** Scale = the weight of largest magnitude / -8, so that it is met exactly; then 16 bytes, weight i low and i + 16 high. */
function encodeQ4(block: Float32Array, view: DataView, start: number): void {
  const scale = extreme(block) / -8
  view.setUint16(start, toHalf(scale), true)
  const level = (i: number): number => (scale === 0 ? 8 : Math.max(0, Math.min(15, Math.floor((block[i] ?? 0) / scale + 8.5))))
  for (let i = 0; i < 16; i++) view.setUint8(start + 2 + i, level(i) | (level(i + 16) << 4))
}

function extreme(block: Float32Array): number {
  return block.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0)
}
