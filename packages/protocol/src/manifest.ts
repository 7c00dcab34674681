import { type Json, canonicalBytes } from './canonical-json.ts'
import { sha256Hash } from './commitments.ts'
import { MalformedError } from './errors.ts'
import type { Bytes32 } from './identifiers.ts'
import { bytes32, integer, list, nullable, object, oneOf, type Schema, text, uint, variant } from './schema.ts'
import type { UintString } from './uint.ts'

/** Element types of values that cross a module's boundary. */
export type ModuleElementType = 'float32' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'

/** Bytes of one element. */
export const moduleElementBytes: Readonly<Record<ModuleElementType, number>> = {
  float32: 4,
  int8: 1,
  uint8: 1,
  int32: 4,
  int64: 8,
  bool: 1,
}

/** What the integers of a q8 activation mean: real value = scale * (y - zeroPoint), lo <= y <= hi. */
export type ModuleQuantization = {
  /** The float32 scale as its 32 bits: canonical JSON has no floats. */
  readonly scaleBits: number
  readonly zeroPoint: number
  readonly lo: number
  readonly hi: number
}

/** A value in the module's memory: row-major, little-endian, without padding; NaN only as 0x7fc00000. */
export type ModuleTensor = {
  readonly name: string
  readonly elementType: ModuleElementType
  readonly shape: readonly number[]
  readonly offset: number
  readonly quantization: ModuleQuantization | null
}

/** A layer, in order of execution. */
export type ModuleLayer = {
  /** The place of its boundary in canonical order, which no obfuscation changes. */
  readonly index: number
  readonly operator: string
  /** The export that computes it, and the one that writes its boundary to `boundary.offset`. */
  readonly runExport: string
  readonly traceExport: string
  readonly boundary: ModuleTensor
  /** Instructions that each of the two executes: exact. */
  readonly runWork: UintString
  readonly traceWork: UintString
}

/** Where the weights are: inside the module, or in a file that the host writes to memory before the first run. */
export type ModuleWeights =
  | { readonly kind: 'inline' }
  | { readonly kind: 'external'; readonly offset: number; readonly sizeBytes: number; readonly sha256: Bytes32 }

/** What a compiled model promises, and what a host needs to run it (docs/spec/module.md). */
export type ModuleManifest = {
  readonly kind: 'tacit.module'
  readonly version: 1
  readonly profile: 'q8' | 'f32'
  readonly moduleSha256: Bytes32
  readonly moduleBytes: number
  readonly memoryPages: number
  readonly inputs: readonly ModuleTensor[]
  readonly outputs: readonly ModuleTensor[]
  readonly layers: readonly ModuleLayer[]
  /** Exports: everything at once, and the last step after all layers. */
  readonly runExport: 'run'
  readonly outputsExport: 'outputs'
  readonly runWork: UintString
  readonly weights: ModuleWeights
}

const name = text(256)
const offset = integer(0, 2 ** 32 - 1)

const quantization: Schema<ModuleQuantization> = object<ModuleQuantization>({
  scaleBits: integer(1, 2 ** 32 - 1),
  zeroPoint: integer(-128, 127),
  lo: integer(-128, 127),
  hi: integer(-128, 127),
})

const tensorSchema: Schema<ModuleTensor> = object<ModuleTensor>({
  name,
  elementType: oneOf('float32', 'int8', 'uint8', 'int32', 'int64', 'bool'),
  shape: list(integer(0, 2 ** 31 - 1), 16),
  offset,
  quantization: nullable(quantization),
})

const layerSchema: Schema<ModuleLayer> = object<ModuleLayer>({
  index: integer(0, 99_999),
  operator: text(64),
  runExport: text(32),
  traceExport: text(32),
  boundary: tensorSchema,
  runWork: uint(64),
  traceWork: uint(64),
})

const weightsSchema: Schema<ModuleWeights> = variant<ModuleWeights>('kind', {
  inline: object<ModuleWeights & { kind: 'inline' }>({ kind: oneOf('inline') }),
  external: object<ModuleWeights & { kind: 'external' }>({ kind: oneOf('external'), offset, sizeBytes: offset, sha256: bytes32 }),
})

const documentSchema: Schema<ModuleManifest> = object<ModuleManifest>({
  kind: oneOf('tacit.module'),
  version: integer(1, 1) as Schema<1>, // the bounds leave only 1
  profile: oneOf('q8', 'f32'),
  moduleSha256: bytes32,
  moduleBytes: integer(1, 2 ** 32 - 1),
  memoryPages: integer(1, 65_536),
  inputs: list(tensorSchema, 256),
  outputs: list(tensorSchema, 256),
  layers: list(layerSchema, 20_000),
  runExport: oneOf('run'),
  outputsExport: oneOf('outputs'),
  runWork: uint(64),
  weights: weightsSchema,
})

/** Reads an untrusted manifest: structure, layer order, and that every value lies inside the memory. */
export const moduleManifestSchema: Schema<ModuleManifest> = (value, path) => {
  const manifest = documentSchema(value, path)
  const limit = manifest.memoryPages * 65_536
  const tensors = [...manifest.inputs, ...manifest.outputs, ...manifest.layers.map(({ boundary }) => boundary)]
  for (const tensor of tensors)
    if (tensor.offset + moduleTensorBytes(tensor) > limit) throw new MalformedError(`${path}: ${tensor.name}`, 'lies outside the memory')
  const order = manifest.layers.map(({ index }) => index).sort((a, b) => a - b)
  if (order.some((index, place) => index !== place)) throw new MalformedError(`${path}.layers`, 'do not have the indices 0 to n - 1')
  const { weights } = manifest
  if (weights.kind === 'external' && weights.offset + weights.sizeBytes > limit)
    throw new MalformedError(`${path}.weights`, 'lie outside the memory')
  return manifest
}

/** Bytes of a value. */
export function moduleTensorBytes(tensor: Pick<ModuleTensor, 'elementType' | 'shape'>): number {
  return tensor.shape.reduce((product, size) => product * size, moduleElementBytes[tensor.elementType])
}

/** SHA-256 of the canonical JSON of a manifest. */
export function manifestHash(manifest: ModuleManifest): Bytes32 {
  return sha256Hash(canonicalBytes(manifest as Json)) // strings, integers, arrays and objects only
}
