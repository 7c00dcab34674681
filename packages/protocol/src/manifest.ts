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

/** `count` stretches of memory, `stepBytes` from one to the next. */
export type ModuleSpan = { readonly offset: number; readonly sizeBytes: number; readonly stepBytes: number; readonly count: number }

/** A part of a layer that two threads do at the same time, each on an instance of its own. */
export type ModuleStage = {
  /** What crosses before it: memory that the first thread gets from the second, and the other way round. */
  readonly toFirst: readonly ModuleSpan[]
  readonly toSecond: readonly ModuleSpan[]
  /** One export per thread; the same twice where both do the same. */
  readonly runExports: readonly [string, string]
  readonly runWork: readonly [UintString, UintString]
}

/** How two threads share a run. The bits are those of one thread: what is shared out is whole outputs. */
export type ModuleParallel = {
  readonly threads: 2
  /** In order of execution, one entry per layer. */
  readonly layers: readonly {
    readonly stages: readonly ModuleStage[]
    /** What the first thread lacks of the boundary after it. */
    readonly gather: readonly ModuleSpan[]
  }[]
  /** What the first thread lacks of the outputs at the end. */
  readonly closing: readonly ModuleSpan[]
}

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
  /** Present in modules that were compiled for two threads. */
  readonly parallel?: ModuleParallel
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

/** Pieces of memory in all exchanges together: a host prepares each of them. */
const maxPieces = 2 ** 18

const spans: Schema<readonly ModuleSpan[]> = list(
  object<ModuleSpan>({ offset, sizeBytes: integer(1, 2 ** 32 - 1), stepBytes: offset, count: integer(1, maxPieces) }),
  maxPieces,
)

function pair<T>(item: Schema<T>): Schema<readonly [T, T]> {
  return (value, path) => {
    const [first, second] = list(item, 2)(value, path)
    if (first === undefined || second === undefined) throw new MalformedError(path, 'is not a pair')
    return [first, second]
  }
}

const parallelSchema: Schema<ModuleParallel> = object<ModuleParallel>({
  threads: integer(2, 2) as Schema<2>, // the bounds leave only 2
  layers: list(
    object<ModuleParallel['layers'][number]>({
      stages: list(object<ModuleStage>({ toFirst: spans, toSecond: spans, runExports: pair(text(32)), runWork: pair(uint(64)) }), 20_000),
      gather: spans,
    }),
    20_000,
  ),
  closing: spans,
})

type SingleManifest = Omit<ModuleManifest, 'parallel'>

const documentSchema: Schema<SingleManifest> = object<SingleManifest>({
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
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'parallel')) return singleManifest(value, path)
  const { parallel, ...rest } = value as Record<string, unknown> // an object: tested above
  const manifest = singleManifest(rest, path)
  return { ...manifest, parallel: parallelOf(parallel, `${path}.parallel`, manifest) }
}

function parallelOf(value: unknown, path: string, { layers, memoryPages }: SingleManifest): ModuleParallel {
  const parallel = parallelSchema(value, path)
  if (parallel.layers.length !== layers.length) throw new MalformedError(`${path}.layers`, 'are not as many as the module has')
  const limit = memoryPages * 65_536
  const exchanges = [
    ...parallel.layers.flatMap(({ stages, gather }) => [...stages.flatMap(({ toFirst, toSecond }) => [toFirst, toSecond]), gather]),
    parallel.closing,
  ]
  let pieces = 0
  for (const exchange of exchanges) {
    let bytes = 0
    for (const { offset: start, sizeBytes, stepBytes, count } of exchange) {
      if (start + (count - 1) * stepBytes + sizeBytes > limit) throw new MalformedError(path, 'exchanges bytes outside the memory')
      if (count > 1 && stepBytes < sizeBytes) throw new MalformedError(path, 'exchanges bytes twice')
      pieces += count
      bytes += count * sizeBytes
    }
    if (bytes > limit) throw new MalformedError(path, 'exchanges more bytes than the memory has')
  }
  if (pieces > maxPieces) throw new MalformedError(path, `exchanges more than ${maxPieces} pieces`)
  return parallel
}

const singleManifest: Schema<SingleManifest> = (value, path) => {
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
