// Generators as the constants of a program.
import type { ProofEngine } from '../engine.ts'
import { POINT_BYTES } from '../kernels/kernels.ts'
import { readPoint } from './point-lane.ts'
import type { Value } from './value.ts'

/** G_0 .. G_(n-1), U and H as 64 bytes each. */
export function generatorPoints(
  engine: ProofEngine,
  n: number,
): { readonly generators: readonly Value[]; readonly U: Value; readonly H: Value } {
  const { kernels } = engine
  return kernels.scoped(() => {
    const at = engine.placeGenerators(n)
    const bases = engine.placeBases()
    return {
      generators: Array.from({ length: n }, (_, k) => readPoint(kernels, at + POINT_BYTES * k)),
      U: readPoint(kernels, bases),
      H: readPoint(kernels, bases + POINT_BYTES),
    }
  })
}
