// What a layer proof is about: the public shape of one q8 layer, the commitments of its weights and activations, and the request
// that it serves. The compiler makes these from a graph, the prover and the verifier read them. docs/spec/proofs.md gives the meaning.
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes, type Hex, parseHex, utf8 } from './bytes.ts'
import { canonicalBytes } from './canonical-json.ts'
import { MalformedError } from './errors.ts'
import type { Address, Bytes32, ModelId } from './identifiers.ts'
import { address, bytes32, hex, integer, list, modelId, nullable, object, oneOf, type Schema, uint, variant } from './schema.ts'
import type { UintString } from './uint.ts'
import { uintToBytes32 } from './uint.ts'

/** How v becomes an int8 value: clamp(floor(v / 2^shift) + zeroPoint, low, high). */
export type LayerRequantisation = {
  readonly shift: number
  readonly zeroPoint: number
  readonly low: number
  readonly high: number
  /** Bits for the distance of an unclamped value from the range, from sizes and widths only: never from the weights. */
  readonly excessBits: number
}

/** A two-dimensional window over [channels, height, width]; one-dimensional windows have height 1. */
export type LayerWindow = {
  readonly channels: number
  readonly height: number
  readonly width: number
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** top, left, bottom, right */
  readonly pads: readonly number[]
}

/**
 * `rows` tokens of `inputSize` values times a hidden matrix, plus a hidden bias; hidden multiplier per output. The output is
 * [rows, outputSize] in chunks of a token's features, or transposed, [outputSize, rows] in chunks of a feature's tokens.
 */
export type DenseSpec = {
  readonly kind: 'dense' | 'denseTransposed'
  readonly rows: number
  readonly inputSize: number
  readonly outputSize: number
  /** Values per commitment of one input (output) row. */
  readonly inputChunk: number
  readonly outputChunk: number
  /** Activations per cell row. */
  readonly slots: number
  readonly inputZeroPoint: number
  readonly requantisation: LayerRequantisation
}

/** Cross-correlation with hidden kernels, bias and multipliers. */
export type ConvolutionSpec = {
  readonly kind: 'conv'
  readonly window: LayerWindow
  readonly outputChannels: number
  readonly group: number
  /** Channel planes per commitment of the input (output). */
  readonly inputPlanes: number
  readonly outputPlanes: number
  readonly slots: number
  readonly inputZeroPoint: number
  readonly requantisation: LayerRequantisation
}

/** v = multiplier * sum of the window + bias + 2^(shift - 1); multiplier and bias are public. */
export type AveragePoolSpec = {
  readonly kind: 'averagePool'
  readonly window: LayerWindow
  readonly planes: number
  readonly slots: number
  readonly inputZeroPoint: number
  readonly multiplier: number
  readonly bias: number
  readonly requantisation: LayerRequantisation
}

/** The largest value of each window. */
export type MaxPoolSpec = { readonly kind: 'maxPool'; readonly window: LayerWindow; readonly planes: number; readonly slots: number }

/** Element by element: `rescale` has acc = x - z, `square` acc = (x - z)^2. */
export type ElementwiseSpec = {
  readonly kind: 'rescale' | 'square'
  readonly size: number
  readonly chunk: number
  readonly slots: number
  readonly inputZeroPoint: number
  readonly multiplier: number
  readonly bias: number
  readonly requantisation: LayerRequantisation
}

/** v = multiplierA (a - zeroPointA) + multiplierB (b - zeroPointB) + bias + 2^(shift - 1). */
export type AddSpec = {
  readonly kind: 'add'
  readonly size: number
  readonly chunk: number
  readonly slots: number
  readonly zeroPointA: number
  readonly zeroPointB: number
  readonly multiplierA: number
  readonly multiplierB: number
  readonly bias: number
  readonly requantisation: LayerRequantisation
}

/** The lowest index of the largest of `size` values; the output is one committed number. */
export type ArgmaxSpec = { readonly kind: 'argmax'; readonly size: number; readonly chunk: number; readonly slots: number }

/** Element by element through a public table of 256 int8 values: y = table[x + 128] (GELU, sigmoid, exponentials in int8). */
export type TableSpec = {
  readonly kind: 'table'
  readonly size: number
  readonly chunk: number
  readonly slots: number
  readonly table: readonly number[]
}

/**
 * The products of two committed activations, one per head: [rows, heads, inner] times [outputs, heads, inner] (`orderB` tokens: attention
 * scores) or [heads, outputs, inner] (`orderB` heads: attention over transposed values). The output is [rows, heads, outputs].
 */
export type MatmulSpec = {
  readonly kind: 'matmul'
  readonly rows: number
  readonly heads: number
  readonly inner: number
  /** Per head. */
  readonly outputs: number
  readonly orderB: 'tokens' | 'heads'
  readonly innerChunk: number
  readonly outputChunk: number
  readonly slots: number
  readonly zeroPointA: number
  readonly zeroPointB: number
  readonly multiplier: number
  readonly bias: number
  readonly requantisation: LayerRequantisation
}

/** Softmax over each row of [rows, heads, size], by a public table of exponentials; probabilities are y + 128, in units of 1/255. */
export type SoftmaxSpec = {
  readonly kind: 'softmax'
  readonly rows: number
  readonly heads: number
  readonly size: number
  readonly slots: number
  /** Row `t` sees the first `size - rows + 1 + t` values only, or all of them. */
  readonly mask: 'causal' | 'none'
  /** table[d] stands for exp(-d): 256 integers, 0..4095, the first at least 1. */
  readonly table: readonly number[]
}

/** Layer normalisation of each row of [rows, size]: gain (x - mean) / sqrt(variance + epsilon / size^2), rounded and clamped. */
export type LayerNormSpec = {
  readonly kind: 'layerNorm'
  readonly rows: number
  readonly size: number
  readonly chunk: number
  readonly slots: number
  /** Steps of the output per standard deviation. */
  readonly gain: number
  readonly epsilon: number
  readonly zeroPoint: number
  readonly low: number
  readonly high: number
}

/** The public part of one layer. */
export type LayerSpec =
  | DenseSpec
  | ConvolutionSpec
  | AveragePoolSpec
  | MaxPoolSpec
  | ElementwiseSpec
  | AddSpec
  | ArgmaxSpec
  | TableSpec
  | MatmulSpec
  | SoftmaxSpec
  | LayerNormSpec

/** What one proof is bound to besides the model: nobody can use it for another request or another payee. */
export type LayerContext = {
  readonly chainId: UintString
  readonly registry: Address
  readonly modelId: ModelId
  readonly requestId: Bytes32
  readonly nonce: Bytes32
  readonly payee: Address
  readonly layerIndex: number
}

/** One layer of one request, as the verifier sees it. Commitments are concatenated 33-byte compressed points. */
export type LayerStatement = {
  readonly spec: LayerSpec
  /** Row commitments of the registered weights; null for kinds without hidden weights. */
  readonly weights: Hex | null
  readonly inputs: readonly Hex[]
  readonly output: Hex
  readonly context: LayerContext
}

const MAX_SIZE = 1 << 20
const MAX_COLUMNS = 1 << 13
const size = integer(1, MAX_SIZE)
const columns = integer(1, MAX_COLUMNS)
const int8 = integer(-128, 127)
const slots = integer(1, 64)
const multiplier = integer(0, 2 ** 31 - 1)
const bias = integer(-(2 ** 52), 2 ** 52)
const requantisation: Schema<LayerRequantisation> = object<LayerRequantisation>({
  shift: integer(1, 40),
  zeroPoint: int8,
  low: int8,
  high: int8,
  excessBits: integer(0, 52),
})
const window: Schema<LayerWindow> = object<LayerWindow>({
  channels: integer(1, 4096),
  height: integer(1, 4096),
  width: integer(1, 4096),
  kernel: list(integer(1, 64), 2),
  strides: list(integer(1, 64), 2),
  dilations: list(integer(1, 64), 2),
  pads: list(integer(0, 63), 4),
})
const elementwise = (kind: 'rescale' | 'square'): Schema<ElementwiseSpec> =>
  object<ElementwiseSpec>({
    kind: literal(kind),
    size,
    chunk: columns,
    slots,
    inputZeroPoint: int8,
    multiplier,
    bias,
    requantisation,
  })

const dense = (kind: DenseSpec['kind']): Schema<DenseSpec> =>
  object<DenseSpec>({
    kind: literal(kind),
    rows: integer(1, 4096),
    inputSize: size,
    outputSize: size,
    inputChunk: columns,
    outputChunk: columns,
    slots,
    inputZeroPoint: int8,
    requantisation,
  })

function literal<const T extends string>(expected: T): Schema<T> {
  return (value, path) => {
    if (value !== expected) throw new MalformedError(path, `is not ${expected}`)
    return expected
  }
}

/** Whether a layer is dense, its output in either order. */
export function isDense(spec: LayerSpec): spec is DenseSpec {
  return spec.kind === 'dense' || spec.kind === 'denseTransposed'
}

/** Reads an untrusted layer spec; relations between the fields are the prover's and verifier's business. */
export const layerSpecSchema: Schema<LayerSpec> = variant<LayerSpec>('kind', {
  dense: dense('dense'),
  denseTransposed: dense('denseTransposed'),
  conv: object<ConvolutionSpec>({
    kind: literal('conv'),
    window,
    outputChannels: integer(1, 4096),
    group: integer(1, 4096),
    inputPlanes: integer(1, 4096),
    outputPlanes: integer(1, 4096),
    slots,
    inputZeroPoint: int8,
    requantisation,
  }),
  averagePool: object<AveragePoolSpec>({
    kind: literal('averagePool'),
    window,
    planes: integer(1, 4096),
    slots,
    inputZeroPoint: int8,
    multiplier,
    bias,
    requantisation,
  }),
  maxPool: object<MaxPoolSpec>({ kind: literal('maxPool'), window, planes: integer(1, 4096), slots }),
  rescale: elementwise('rescale'),
  square: elementwise('square'),
  add: object<AddSpec>({
    kind: literal('add'),
    size,
    chunk: columns,
    slots,
    zeroPointA: int8,
    zeroPointB: int8,
    multiplierA: multiplier,
    multiplierB: multiplier,
    bias,
    requantisation,
  }),
  argmax: object<ArgmaxSpec>({ kind: literal('argmax'), size, chunk: columns, slots }),
  table: object<TableSpec>({ kind: literal('table'), size, chunk: columns, slots, table: list(int8, 256) }),
  matmul: object<MatmulSpec>({
    kind: literal('matmul'),
    rows: integer(1, 4096),
    heads: integer(1, 64),
    inner: size,
    outputs: size,
    orderB: oneOf('tokens', 'heads'),
    innerChunk: columns,
    outputChunk: columns,
    slots,
    zeroPointA: int8,
    zeroPointB: int8,
    multiplier,
    bias,
    requantisation,
  }),
  softmax: object<SoftmaxSpec>({
    kind: literal('softmax'),
    rows: integer(1, 4096),
    heads: integer(1, 64),
    size: columns,
    slots,
    mask: oneOf('causal', 'none'),
    table: list(integer(0, 4095), 256),
  }),
  layerNorm: object<LayerNormSpec>({
    kind: literal('layerNorm'),
    rows: integer(1, 4096),
    size: columns,
    chunk: columns,
    slots,
    gain: integer(1, 1024),
    epsilon: integer(1, 2 ** 40),
    zeroPoint: int8,
    low: int8,
    high: int8,
  }),
})

const POINT = 33
const MAX_POINTS = 1 << 17
const points: Schema<Hex> = (value, path) => {
  const text = hex(POINT, POINT * MAX_POINTS)(value, path)
  if ((text.length - 2) % (2 * POINT) !== 0) throw new MalformedError(path, 'is not a whole number of points')
  return text
}

/** Reads an untrusted context. */
export const layerContextSchema: Schema<LayerContext> = object<LayerContext>({
  chainId: uint(256),
  registry: address,
  modelId,
  requestId: bytes32,
  nonce: bytes32,
  payee: address,
  layerIndex: integer(0, 65_535),
})

/** Reads an untrusted statement. */
export const layerStatementSchema: Schema<LayerStatement> = object<LayerStatement>({
  spec: layerSpecSchema,
  weights: nullable(points),
  inputs: list(points, 2),
  output: points,
  context: layerContextSchema,
})

/** keccak256 over every field of the context, each padded to 32 bytes: what the transcript of a proof starts with. */
export function layerContextDigest(context: LayerContext): Uint8Array<ArrayBuffer> {
  const word = (value: Hex): Uint8Array => {
    const bytes = parseHex(value, 'A word')
    return concatBytes(new Uint8Array(32 - bytes.length), bytes)
  }
  return Uint8Array.from(
    keccak_256(
      concatBytes(
        utf8('tacit/layer-context/v1'),
        uintToBytes32(BigInt(context.chainId)),
        word(context.registry),
        word(context.modelId),
        word(context.requestId),
        word(context.nonce),
        word(context.payee),
        uintToBytes32(BigInt(context.layerIndex)),
      ),
    ),
  )
}

/** keccak256 of the canonical JSON of a spec. */
export function layerSpecDigest(spec: LayerSpec): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(keccak_256(concatBytes(utf8('tacit/layer-spec/v1'), canonicalBytes(spec))))
}
