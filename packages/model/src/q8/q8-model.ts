import type { Window } from '../graph.ts'

/**
 * A network of the int8 profile `q8`. `docs/spec/q8.md` defines every bit of it.
 *
 * Boundaries are the int8 activations between layers. The inputs come first; layer `k` produces boundary
 * `inputCount + k`, and reads only boundaries before its own. Boundary `i` is named `a<i>` everywhere: in proofs, in
 * encrypted plans and in traces (see {@link boundaryName}).
 */
export type Q8Model = {
  readonly inputCount: number
  readonly boundaries: readonly Q8Boundary[]
  readonly layers: readonly Q8Layer[]
  readonly outputs: readonly Q8Output[]
}

/** One int8 activation: its shape and what its integers mean, real value = scale * (y - zeroPoint). */
export type Q8Boundary = {
  /** The graph's shape, row-major, batch axis included. */
  readonly shape: readonly number[]
  /** A positive float32. */
  readonly scale: number
  /** z, within lo..hi. */
  readonly zeroPoint: number
  /** Every stored value is within lo..hi, and -128 <= lo < hi <= 127. */
  readonly lo: number
  readonly hi: number
}

/** What the caller gets from an output boundary: its values, or the index of the largest along the last axis. */
export type Q8Output = { readonly boundary: number; readonly answer: 'values' | 'argmax' }

/** v = M_c * acc + B_c + 2^(s-1), y = clamp(floor(v / 2^s) + z_y, lo, hi), c the output channel. */
export type Q8Requantization = {
  /** M_c, 0 to 2^31 - 1: one per output channel, or a single one. */
  readonly multipliers: Int32Array
  /** B_c, as many as multipliers; within int64 (see the bound on v). */
  readonly biases: BigInt64Array
  /** s, 1 to 40. */
  readonly shift: number
}

/** acc[t, i] = sum_j W[i, j] * (x[t, j] - z_x); x is `rows` rows of `inputSize`, whatever its shape. */
export type Q8Dense = {
  readonly kind: 'dense'
  readonly input: number
  readonly rows: number
  readonly inputSize: number
  readonly outputSize: number
  /** outputSize x inputSize, row-major. */
  readonly weights: Int8Array
  readonly requantization: Q8Requantization
}

/** The same sums, stored feature by feature: the output is [outputSize, rows]. */
export type Q8DenseTransposed = Omit<Q8Dense, 'kind'> & { readonly kind: 'denseTransposed' }

/** acc[o, p] = sum over group channel c and window position k of W[o, c, k] * (x[...] - z_x); outside x counts as z_x. */
export type Q8Conv = {
  readonly kind: 'conv'
  /** Shape [N, C, H, W], or [N, C, L]. */
  readonly input: number
  readonly window: Window
  readonly group: number
  readonly outputChannels: number
  /** outputChannels x (C / group) x kernel, row-major. */
  readonly weights: Int8Array
  readonly requantization: Q8Requantization
}

/** acc = sum of (x - z_x) over the window; positions outside x count as z_x. */
export type Q8AveragePool = {
  readonly kind: 'averagePool'
  readonly input: number
  readonly window: Window
  readonly requantization: Q8Requantization
}

/** y = the largest x in the window; positions outside x do not count. Same scale and zero point. */
export type Q8MaxPool = { readonly kind: 'maxPool'; readonly input: number; readonly window: Window }

/** v = M_a * (a - z_a) + M_b * (b - z_b) + B + 2^(s-1); equal shapes. */
export type Q8Add = {
  readonly kind: 'add'
  readonly inputs: readonly [number, number]
  readonly multipliers: readonly [number, number]
  readonly bias: bigint
  readonly shift: number
}

/** acc = (x - z_x)^2. */
export type Q8Square = { readonly kind: 'square'; readonly input: number; readonly requantization: Q8Requantization }

/** acc = x - z_x: another scale, zero point or range for the same values (also a ReLU that stands alone). */
export type Q8Rescale = { readonly kind: 'rescale'; readonly input: number; readonly requantization: Q8Requantization }

/**
 * acc[t, h, s] = sum_k (a[t, h, k] - z_a) (b[s, h, k] - z_b): attention scores, or with `orderB` heads b[h, s, k]: attention over transposed
 * values. One multiplier and one bias.
 */
export type Q8Matmul = {
  readonly kind: 'matmul'
  readonly inputs: readonly [number, number]
  readonly rows: number
  readonly heads: number
  readonly inner: number
  /** Per head. */
  readonly outputs: number
  readonly orderB: 'tokens' | 'heads'
  readonly requantization: Q8Requantization
}

/** Softmax of every row of [rows, heads, size]: probabilities y + 128 in units of 1/255. Causal rows see size - rows + 1 + t values. */
export type Q8Softmax = {
  readonly kind: 'softmax'
  readonly input: number
  readonly rows: number
  readonly heads: number
  readonly size: number
  readonly mask: 'causal' | 'none'
  /** table[d] stands for exp(-scale d): 256 values 0..4095, the first at least 1. See `exponentialTable`. */
  readonly table: Uint16Array
}

/** gain (x - mean) / sqrt(variance + epsilon / size^2) of every row of [rows, size], rounded. */
export type Q8LayerNorm = {
  readonly kind: 'layerNorm'
  readonly input: number
  readonly rows: number
  readonly size: number
  /** Output steps per standard deviation, 1 to 1024. */
  readonly gain: number
  /** 1 to 2^40. See `layerNormEpsilon`. */
  readonly epsilon: number
}

/** y = table[x + 128]: any function of one int8 value. */
export type Q8Table = { readonly kind: 'table'; readonly input: number; readonly table: Int8Array }

/** One layer of the q8 form. */
export type Q8Layer =
  | Q8Dense
  | Q8DenseTransposed
  | Q8Conv
  | Q8AveragePool
  | Q8MaxPool
  | Q8Add
  | Q8Square
  | Q8Rescale
  | Q8Matmul
  | Q8Softmax
  | Q8LayerNorm
  | Q8Table

/** The boundaries a layer reads, in order. */
export function layerInputs(layer: Q8Layer): readonly number[] {
  return 'inputs' in layer ? layer.inputs : [layer.input]
}

/** The one name of boundary `index`, shared by proofs, encrypted plans, traces and manifests. */
export function boundaryName(index: number): string {
  return `a${index}`
}
