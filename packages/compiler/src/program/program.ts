import type { FunctionBuilder } from '@tacit/wasm'
import type { ByteRanges } from './byte-ranges.ts'

/**
 * A piece of linear memory. Constants keep their bytes from the module on; pinned regions are never shared with others
 * (inputs, outputs, zero borders); transient ones live from their first write to their last read.
 */
export type Region = {
  readonly id: number
  readonly kind: 'constant' | 'pinned' | 'transient'
  readonly sizeBytes: number
  /** Of constants only. */
  readonly data?: Uint8Array
}

/** What a step may ask for while it is written. */
export type EmitContext = {
  /** Where a region was placed. */
  address(region: Region): number
  /** The index of a function, built once per key. */
  kernel(key: string, build: (functions: EmitContext) => FunctionBuilder): number
}

/** One kernel call: what it reads and writes, and how it is written into the function of its layer. */
export type Step = {
  readonly name: string
  readonly reads: readonly Region[]
  readonly writes: readonly Region[]
  emit(f: FunctionBuilder, context: EmitContext): void
  /** To the byte, where `reads` and `writes` name whole regions. */
  touches?(): Touches
  /** About how long it takes, in nanoseconds. */
  readonly costNs?: number
  /** Ways to do it in two pieces, each of whole outputs, so that no sum is cut and no bit changes. */
  divisions?(): readonly Division[]
}

/** Bytes of one region. */
export type Extent = { readonly region: Region; readonly ranges: ByteRanges }
export type Touches = { readonly reads: readonly Extent[]; readonly writes: readonly Extent[] }

/** A step in two pieces; `share` of the work is in the first. */
export type Division = { readonly pieces: readonly [Piece, Piece]; readonly share: number }
export type Piece = Pick<Step, 'emit'> & { readonly touches: Touches }

/** The bytes of memory behind a value are of one of these kinds. `i16` holds x - zeroPoint of a quantised x. */
export type Storage = 'f32' | 'i32' | 'i64' | 'u8' | 'i8' | 'i16'

/** Bytes of one stored element. */
export const storageBytes: Readonly<Record<Storage, number>> = { f32: 4, i32: 4, i64: 8, u8: 1, i8: 1, i16: 2 }

/** A value as it lies in memory: strides are in elements and may be zero (broadcast), padded or permuted. */
export type View = {
  readonly region: Region
  readonly offsetBytes: number
  readonly storage: Storage
  /** Added to a stored `i16` to get the quantised value; 0 otherwise. */
  readonly zeroPoint: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  /** Zero elements kept around the two spatial axes of an [N, C, H, W] view. */
  readonly border?: Border
  /** Where hidden units were permuted: element u of `axis` lies at place `places[u]`. */
  readonly permutation?: UnitPermutation
}

export type Border = { readonly top: number; readonly left: number; readonly bottom: number; readonly right: number }
export type UnitPermutation = { readonly axis: number; readonly places: Int32Array }

/** A group of steps that ends in one boundary activation. */
export type ProgramLayer = {
  /** The index of the boundary in canonical order, whatever the order of execution. */
  readonly index: number
  readonly name: string
  readonly operator: string
  readonly steps: readonly Step[]
  readonly output: BoundaryView
}

/** An activation with the element type that the graph gives it. */
export type BoundaryView = {
  readonly view: View
  readonly elementType: BoundaryType
  /** How permuted units are put back on the way out. */
  readonly restore?: { readonly table: Region; readonly firstMask: number }
}
export type BoundaryType = 'float32' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'

/** What is compiled: layers in execution order. */
export type Program = {
  readonly inputs: readonly (BoundaryView & { readonly name: string })[]
  readonly outputs: readonly (BoundaryView & { readonly name: string })[]
  readonly layers: readonly ProgramLayer[]
}
