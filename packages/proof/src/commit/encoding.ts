// Points in kernel memory and their 33-byte encodings (SEC 1, compressed).
import { type Hex, MalformedError, parseHex } from '@tacit/protocol'
import { type Kernels, POINT_BYTES, SCALAR_BYTES } from '../kernels/kernels.ts'

/** Bytes of an encoded point. */
export const ENCODED_POINT_BYTES = 33

/** Affine points of n sums. */
export function affineOf(kernels: Kernels, sums: number, n: number): number {
  const at = kernels.allocate(POINT_BYTES * n)
  kernels.scoped(() => kernels.x.toAffine(at, sums, n, kernels.allocate(SCALAR_BYTES * n)))
  return at
}

/** Encodings of n affine points. */
export function encodePoints(kernels: Kernels, points: number, n: number): Uint8Array<ArrayBuffer> {
  return kernels.scoped(() => {
    const at = kernels.allocate(ENCODED_POINT_BYTES * n)
    kernels.x.encodePoints(at, points, n)
    return Uint8Array.from(kernels.bytes(at, ENCODED_POINT_BYTES * n))
  })
}

/** Decodes points, or returns undefined if one is not canonical or not on the curve. */
export function decodePoints(kernels: Kernels, bytes: Uint8Array): number | undefined {
  const n = bytes.length / ENCODED_POINT_BYTES
  const at = kernels.allocate(POINT_BYTES * Math.max(1, n))
  return kernels.scoped(() => {
    const encoded = kernels.allocate(bytes.length)
    kernels.bytes(encoded, bytes.length).set(bytes)
    return kernels.x.decodePoints(at, encoded, n) === n ? at : undefined
  })
}

/** The bytes of hexadecimal points, or undefined if the text is none: a verifier answers whatever it is asked. */
export function bytesOfPoints(points: Hex): Uint8Array | undefined {
  try {
    return parseHex(points, 'A commitment')
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
}
