// Single values between BigInt and kernel memory.
import { bytesToNumber, mod, scalarBytes } from './field.ts'
import { type Kernels, SCALAR_BYTES } from './kernels.ts'

/** Writes residues one after the other. */
export function writeScalars(kernels: Kernels, at: number, values: readonly bigint[]): void {
  kernels.scoped(() => {
    const buffer = kernels.allocate(32 * values.length)
    values.forEach((value, i) => kernels.bytes(buffer + 32 * i, 32).set(scalarBytes(mod(value))))
    kernels.x.scalarsFromBE(at, buffer, values.length)
  })
}

/** Allocates and writes residues. */
export function placeScalars(kernels: Kernels, values: readonly bigint[]): number {
  const at = kernels.allocate(SCALAR_BYTES * values.length)
  writeScalars(kernels, at, values)
  return at
}

/** Reads residues. */
export function readScalars(kernels: Kernels, at: number, n: number): readonly bigint[] {
  return kernels.scoped(() => {
    const buffer = kernels.allocate(32 * n)
    kernels.x.scalarsToBE(buffer, at, n)
    return Array.from({ length: n }, (_, i) => bytesToNumber(kernels.bytes(buffer + 32 * i, 32)))
  })
}

/** Reads one residue. */
export function readScalar(kernels: Kernels, at: number): bigint {
  return readScalars(kernels, at, 1)[0] ?? 0n
}
