// Registration of a layer's weights: one Pedersen commitment per row, multiplier and bias folded in. Made once per model; the
// owner and every worker that was handed weights and seed compute the same points.
import { concatBytes, type Hex, isDense, type LayerSpec, layerSpecDigest, parseHex, toHex, utf8 } from '@tacit/protocol'
import { keccak_256, shake256 } from '@noble/hashes/sha3.js'
import { dataDigest } from '../digest.ts'
import type { ProofEngine, Tables } from '../engine.ts'
import { WitnessMismatchError } from '../errors.ts'
import { bytesToNumber, ORDER, scalarBytes } from '../kernels/field.ts'
import { POINT_BYTES, SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { createRelation } from '../relation/create-relation.ts'
import type { Relation } from '../relation/relation.ts'
import { SUITE, Transcript } from '../transcript.ts'
import { placeBlinders } from './activation.ts'
import { affineOf, encodePoints } from './encoding.ts'
import { addBlinder, sumSmallRows } from './points.ts'

/** The secret integers of a dense or convolution layer, as docs/spec/q8.md names them. */
export type LayerWeights = {
  /** int8, [outputs, inputs] or [outputs, inputs / group, kernel], row-major. */
  readonly weights: Int8Array
  /** M, one per output (channel). */
  readonly multipliers: readonly number[]
  /** B, one per output (channel). */
  readonly biases: readonly bigint[]
}

/** The public side of a registered layer. */
export type LayerRegistration = {
  readonly spec: LayerSpec
  /** 33-byte points, chunk by chunk, one per output; null for kinds without weights. */
  readonly points: Hex | null
  /**
   * Binds suite, position, spec and points. The model id is derived from the digests of all layers, so it cannot be part of one; every
   * proof absorbs both.
   */
  readonly digest: Hex
}

/** A block of weights as the row-binding kernel wants it: columns of 16-bit values, rows padded to a multiple of eight. */
export type WeightBlock = {
  readonly rowStart: number
  readonly rows: number
  readonly columnStart: number
  readonly columns: number
  readonly paddedRows: number
  readonly data: Int16Array
}

/** Weights ready for proving. Secret: it prints as nothing. */
export class SecretWeights {
  readonly registration: LayerRegistration
  /** Digest of the encoded points, kept so that no proof has to hash them again. */
  readonly pointsDigest: Uint8Array
  readonly #maskSecret: Uint8Array
  readonly #values: LayerWeights
  readonly #blinders: Uint8Array
  readonly #blocks: ReadonlyMap<number, readonly WeightBlock[]>

  /** Use `commitWeights`. */
  constructor(
    registration: LayerRegistration,
    values: LayerWeights,
    blinders: Uint8Array,
    blocks: ReadonlyMap<number, readonly WeightBlock[]>,
  ) {
    this.registration = registration
    this.pointsDigest = dataDigest(
      registration.points === null ? new Uint8Array(0) : parseHex(registration.points, 'The weight commitments'),
    )
    this.#maskSecret = keccak_256(concatBytes(utf8(`${SUITE}/mask-secret`), blinders))
    this.#values = values
    this.#blinders = blinders
    this.#blocks = blocks
  }

  /** The weights: secret. */
  get values(): LayerWeights {
    return this.#values
  }

  /** 32 bytes per row: secret. */
  get blinders(): Uint8Array {
    return this.#blinders
  }

  /** A digest of all blinders that hedges masks: secret. */
  get maskSecret(): Uint8Array {
    return this.#maskSecret
  }

  /** The blocks of the rows that start at commitment `start`. */
  blocksAt(start: number): readonly WeightBlock[] {
    return this.#blocks.get(start) ?? []
  }

  toJSON(): string {
    return '[secret weights]'
  }

  toString(): string {
    return '[secret weights]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret weights]'
  }
}

/** Where a layer sits in a model, and the 32-byte seed that its blinders come from. */
export type RegistrationOptions = {
  readonly engine: ProofEngine
  readonly layerIndex: number
  /** 32 uniformly random bytes, one per model; whoever proves needs it, nobody else may have it. */
  readonly seed: Uint8Array
}

/**
 * Commits to the weights of one layer.
 * @throws UnsupportedLayerError when no proof exists for the spec.
 * @throws WitnessMismatchError when sizes or ranges are not what the spec says.
 */
export async function commitWeights(spec: LayerSpec, values: LayerWeights, options: RegistrationOptions): Promise<SecretWeights> {
  const relation = createRelation(spec)
  checkWeights(spec, values)
  const blinders = deriveBlinders(spec, relation, values, options)
  const { engine } = options
  const points = await engine.exclusive(64, (tables) => commitRows(engine, tables, { spec, relation, values, blinders }))
  const registration = { spec, points: toHex(points), digest: registrationDigest(spec, dataDigest(points), options) }
  return new SecretWeights(registration, values, blinders, weightBlocks(spec, values))
}

/** The registration of a layer without hidden weights. */
export function registerLayer(spec: LayerSpec, options: Pick<RegistrationOptions, 'layerIndex'>): LayerRegistration {
  createRelation(spec)
  return { spec, points: null, digest: registrationDigest(spec, dataDigest(new Uint8Array(0)), options) }
}

/**
 * The digest that a proof absorbs: recomputed by every verifier from the spec and the points that it uses.
 * @param points `dataDigest` of the encoded points, one after the other.
 */
export function registrationDigest(spec: LayerSpec, points: Uint8Array, place: { readonly layerIndex: number }): Hex {
  const index = new Uint8Array(32)
  new DataView(index.buffer).setUint32(28, place.layerIndex)
  const transcript = new Transcript('registration')
  transcript.absorbWord('index', index)
  transcript.absorbWord('spec', layerSpecDigest(spec))
  transcript.absorbWord('points', points)
  return toHex(transcript.state)
}

function checkWeights(spec: LayerSpec, values: LayerWeights): void {
  if (!isDense(spec) && spec.kind !== 'conv') throw new WitnessMismatchError(`A ${spec.kind} layer has no weights.`)
  const outputs = isDense(spec) ? spec.outputSize : spec.outputChannels
  const perOutput = rowLength(spec)
  if (values.weights.length !== outputs * perOutput) throw new WitnessMismatchError('The weights do not have the size that the spec says.')
  if (values.multipliers.length !== outputs || values.biases.length !== outputs)
    throw new WitnessMismatchError('There is not one multiplier and one bias per output.')
  if (values.multipliers.some((m) => !Number.isInteger(m) || m < 0 || m > 2 ** 31 - 1))
    throw new WitnessMismatchError('A multiplier is out of range.')
  if (values.biases.some((b) => b < -(2n ** 62n) || b > 2n ** 62n)) throw new WitnessMismatchError('A bias is out of range.')
}

function rowLength(spec: LayerSpec): number {
  if (isDense(spec)) return spec.inputSize
  if (spec.kind !== 'conv') return 0
  const [kh = 1, kw = 1] = spec.window.kernel
  return (spec.window.channels / spec.group) * kh * kw
}

function deriveBlinders(spec: LayerSpec, relation: Relation, values: LayerWeights, options: RegistrationOptions): Uint8Array {
  if (options.seed.length !== 32 || options.seed.every((byte) => byte === options.seed[0]))
    throw new WitnessMismatchError('The blinding seed must be 32 random bytes.')
  const index = new Uint8Array(4)
  new DataView(index.buffer).setUint32(0, options.layerIndex)
  // The weights are part of the derivation: a seed that is used again for a later version of the model repeats no blinder.
  const { weights, multipliers, biases } = values
  const scales = concatBytes(new Uint8Array(Int32Array.from(multipliers).buffer), new Uint8Array(BigInt64Array.from(biases).buffer))
  const secret = keccak_256(concatBytes(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength), scales))
  const place = concatBytes(index, layerSpecDigest(spec), secret)
  const stream = shake256.create().update(concatBytes(utf8(`${SUITE}/weight-blinders`), options.seed, place))
  const out = new Uint8Array(32 * relation.weightRows)
  for (let k = 0; k < relation.weightRows; k++) {
    let value = ORDER
    while (value >= ORDER) value = bytesToNumber(stream.xof(32))
    out.set(scalarBytes(value), 32 * k)
  }
  stream.destroy()
  return out
}

type Rows = { readonly spec: LayerSpec; readonly relation: Relation; readonly values: LayerWeights; readonly blinders: Uint8Array }

function commitRows(engine: ProofEngine, tables: Tables, rows: Rows): Uint8Array<ArrayBuffer> {
  const { spec, relation, values, blinders } = rows
  const { kernels } = engine
  const outputs = values.multipliers.length
  const biasColumn = isDense(spec) ? spec.inputChunk : relation.linkColumns
  return kernels.scoped(() => {
    const sums = kernels.allocate(SUM_BYTES * relation.weightRows)
    const fill = rowFiller(spec, values)
    sumSmallRows(engine, sums, { count: relation.weightRows, columns: biasColumn, fill })
    const biasPoint = engine.placeGenerators(biasColumn + 1) + POINT_BYTES * biasColumn
    const scalars = placeBlinders(kernels, blinders)
    const term = kernels.allocate(SUM_BYTES)
    for (let k = 0; k < relation.weightRows; k++) {
      const o = k % outputs
      const sum = sums + SUM_BYTES * k
      kernels.x.multiplySmall(sum, BigInt(values.multipliers[o] ?? 0))
      if (k >= relation.weightRows - outputs) {
        const bias = values.biases[o] ?? 0n
        kernels.x.xyzzZero(term)
        kernels.x.xyzzAddAffine(term, biasPoint, bias < 0n ? 1 : 0)
        kernels.x.multiplySmall(term, bias < 0n ? -bias : bias)
        kernels.x.xyzzAdd(sum, term)
      }
      addBlinder(kernels, tables, sum, scalars + SCALAR_BYTES * k)
    }
    return encodePoints(kernels, affineOf(kernels, sums, relation.weightRows), relation.weightRows)
  })
}

/** Writes row `index` of the committed matrix (before multipliers) into its columns. */
function rowFiller(spec: LayerSpec, values: LayerWeights): (index: number, into: Int16Array) => void {
  const length = rowLength(spec)
  if (isDense(spec)) {
    return (index, into) => {
      const chunk = Math.floor(index / spec.outputSize) * spec.inputChunk
      const row = (index % spec.outputSize) * length
      into.set(values.weights.subarray(row + chunk, row + Math.min(chunk + spec.inputChunk, length)))
    }
  }
  return (index, into) => {
    if (spec.kind !== 'conv') return
    into.set(values.weights.subarray(index * length, (index + 1) * length), groupOf(spec, index) * length)
  }
}

function groupOf(spec: { readonly outputChannels: number; readonly group: number }, output: number): number {
  return Math.floor(output / (spec.outputChannels / spec.group))
}

const BLOCK_ROWS = 1024

function weightBlocks(spec: LayerSpec, values: LayerWeights): ReadonlyMap<number, readonly WeightBlock[]> {
  const length = rowLength(spec)
  const blocks = new Map<number, WeightBlock[]>()
  const add = (start: number, place: Omit<WeightBlock, 'paddedRows' | 'data'>, from: number): void => {
    const paddedRows = Math.ceil(place.rows / 8) * 8
    const data = new Int16Array(paddedRows * place.columns)
    for (let i = 0; i < place.rows; i++) {
      const row = (place.rowStart + i) * length + from
      for (let j = 0; j < place.columns; j++) data[j * paddedRows + i] = values.weights[row + j] ?? 0
    }
    blocks.set(start, [...(blocks.get(start) ?? []), { ...place, paddedRows, data }])
  }
  if (isDense(spec)) {
    for (let from = 0, a = 0; from < length; from += spec.inputChunk, a++) {
      const columns = Math.min(spec.inputChunk, length - from)
      for (let rowStart = 0; rowStart < spec.outputSize; rowStart += BLOCK_ROWS)
        add(a * spec.outputSize, { rowStart, rows: Math.min(BLOCK_ROWS, spec.outputSize - rowStart), columnStart: 0, columns }, from)
    }
  } else if (spec.kind === 'conv') {
    const perGroup = spec.outputChannels / spec.group
    for (let g = 0; g < spec.group; g++) {
      for (let k = 0; k < perGroup; k += BLOCK_ROWS)
        add(0, { rowStart: g * perGroup + k, rows: Math.min(BLOCK_ROWS, perGroup - k), columnStart: g * length, columns: length }, 0)
    }
  }
  return blocks
}
