// Independent generators by hashing to the curve: try and increment (Boneh, Lynn, Shacham, "Short signatures from the Weil pairing",
// section 3.3, MapToGroup). Inputs are public constants, so the variable time does not matter.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, utf8 } from '@tacit/protocol'
import { type Kernels, POINT_BYTES } from './kernels/kernels.ts'
import { SUITE } from './transcript.ts'

/** The first compressed candidate with even y whose x = keccak256(suite/generator/label/counter) lies on the curve. */
export function* generatorCandidates(label: string): Generator<Uint8Array> {
  for (let counter = 0; ; counter++) {
    yield concatBytes(Uint8Array.of(2), keccak_256(utf8(`${SUITE}/generator/${label}/${counter}`)))
  }
}

/** Derives one generator into kernel memory. */
export function deriveGenerator(kernels: Kernels, at: number, label: string): void {
  kernels.scoped(() => {
    const bytes = kernels.allocate(33)
    for (const candidate of generatorCandidates(label)) {
      kernels.bytes(bytes, 33).set(candidate)
      if (kernels.x.decodePoints(at, bytes, 1) === 1) return
    }
  })
}

/** G_0 .. G_(n-1) as the kernels hold them. */
export function deriveGenerators(kernels: Kernels, first: number, n: number): Uint8Array {
  return kernels.scoped(() => {
    const at = kernels.allocate(POINT_BYTES * n)
    for (let i = 0; i < n; i++) deriveGenerator(kernels, at + POINT_BYTES * i, `G/${first + i}`)
    return kernels.bytes(at, POINT_BYTES * n).slice()
  })
}
