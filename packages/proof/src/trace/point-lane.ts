// Points of a run in kernel memory: thousands of multiplications in fractions of a second. The step that a chain executes has a model of
// its own (execute.ts); tests hold that both give the same value at every node.
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import { type Kernels, POINT_BYTES, SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { mod } from '../kernels/field.ts'
import { toNumber, type Value, wordBytes } from './value.ts'

const LIMBS = 9
const LIMB_BITS = 29n
const LIMB_MASK = (1n << LIMB_BITS) - 1n

/** An affine point of kernel memory as 64 bytes; the identity is all zero in both forms. */
export function readPoint(kernels: Kernels, at: number): Value {
  const value = new Uint8Array(64)
  const limbs = kernels.uint32(at, 2 * LIMBS)
  for (const half of [0, 1]) {
    let number = 0n
    for (let k = LIMBS - 1; k >= 0; k--) number = (number << LIMB_BITS) | BigInt(limbs[LIMBS * half + k] ?? 0)
    value.set(wordBytes(number), 32 * half)
  }
  return value
}

/** Writes 64 bytes as an affine point. */
export function writePoint(kernels: Kernels, at: number, value: Value): void {
  const limbs = kernels.uint32(at, 2 * LIMBS)
  for (const half of [0, 1]) {
    let number = toNumber(value.subarray(32 * half, 32 * half + 32))
    for (let k = 0; k < LIMBS; k++, number >>= LIMB_BITS) limbs[LIMBS * half + k] = Number(number & LIMB_MASK)
  }
}

/** Decompresses n encodings into n affine points; what is no canonical point becomes the identity. */
export function decompressAll(kernels: Kernels, encodings: Uint8Array): number {
  const n = encodings.length / ENCODED_POINT_BYTES
  const at = kernels.allocate(POINT_BYTES * Math.max(1, n))
  kernels.scoped(() => {
    const encoded = kernels.allocate(encodings.length)
    kernels.bytes(encoded, encodings.length).set(encodings)
    for (let k = 0; k < n; k++) {
      k += kernels.x.decodePoints(at + POINT_BYTES * k, encoded + ENCODED_POINT_BYTES * k, n - k)
      if (k < n) kernels.bytes(at + POINT_BYTES * k, POINT_BYTES).fill(0)
    }
  })
  return at
}

/** into = sum + scalar P: the running sum (0 for none) in projective form, P affine. */
export function multiplyAdd(
  kernels: Kernels,
  into: number,
  parts: { readonly sum: number; readonly scalar: bigint; readonly point: number },
): void {
  const { x } = kernels
  x.xyzzZero(into)
  for (const digit of signedDigits(mod(parts.scalar))) {
    x.xyzzDouble(into)
    if (digit !== 0) x.xyzzAddAffine(into, parts.point, digit < 0 ? 1 : 0)
  }
  if (parts.sum !== 0) x.xyzzAdd(into, parts.sum)
}

// Non-adjacent form, most significant digit first: two thirds of the digits are zero.
function signedDigits(scalar: bigint): Int8Array {
  const tripled = (3n * scalar).toString(2)
  const single = scalar.toString(2).padStart(tripled.length, '0')
  const digits = new Int8Array(tripled.length - 1)
  for (let k = 0; k < digits.length; k++) digits[k] = Number(tripled[k]) - Number(single[k])
  return digits
}

/** n sums as affine points. */
export function affineSums(kernels: Kernels, sums: number, n: number): number {
  const at = kernels.allocate(POINT_BYTES * Math.max(1, n))
  kernels.scoped(() => kernels.x.toAffine(at, sums, n, kernels.allocate(SCALAR_BYTES * Math.max(1, n))))
  return at
}

/** Space for n running sums. */
export function placeSums(kernels: Kernels, n: number): number {
  return kernels.allocate(SUM_BYTES * Math.max(1, n))
}
