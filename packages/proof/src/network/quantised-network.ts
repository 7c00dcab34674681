// What this package reads of a q8 model (docs/spec/q8.md). The types are structural, so that a `Q8Model` fits without this package
// depending on the model package.

/** One int8 tensor of a q8 model. */
export type QuantisedBoundary = { readonly shape: readonly number[]; readonly zeroPoint: number; readonly lo: number; readonly hi: number }
/** Multipliers, biases and shift of a requantisation. */
export type Scales = { readonly multipliers: ArrayLike<number>; readonly biases: ArrayLike<bigint>; readonly shift: number }
/** A window as the q8 form has it. */
export type QuantisedWindow = {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly pads: readonly number[]
}

/** One layer of a q8 model. */
export type QuantisedLayer =
  | {
      readonly kind: 'dense' | 'denseTransposed'
      readonly input: number
      readonly rows: number
      readonly inputSize: number
      readonly outputSize: number
      readonly weights: Int8Array
      readonly requantization: Scales
    }
  | {
      readonly kind: 'conv'
      readonly input: number
      readonly window: QuantisedWindow
      readonly group: number
      readonly outputChannels: number
      readonly weights: Int8Array
      readonly requantization: Scales
    }
  | { readonly kind: 'averagePool'; readonly input: number; readonly window: QuantisedWindow; readonly requantization: Scales }
  | { readonly kind: 'maxPool'; readonly input: number; readonly window: QuantisedWindow }
  | {
      readonly kind: 'add'
      readonly inputs: readonly [number, number]
      readonly multipliers: readonly [number, number]
      readonly bias: bigint
      readonly shift: number
    }
  | { readonly kind: 'square' | 'rescale'; readonly input: number; readonly requantization: Scales }
  | {
      readonly kind: 'matmul'
      readonly inputs: readonly [number, number]
      readonly rows: number
      readonly heads: number
      readonly inner: number
      readonly outputs: number
      readonly orderB: 'tokens' | 'heads'
      readonly requantization: Scales
    }
  | {
      readonly kind: 'softmax'
      readonly input: number
      readonly rows: number
      readonly heads: number
      readonly size: number
      readonly mask: 'causal' | 'none'
      readonly table: ArrayLike<number>
    }
  | {
      readonly kind: 'layerNorm'
      readonly input: number
      readonly rows: number
      readonly size: number
      readonly gain: number
      readonly epsilon: number
    }
  | { readonly kind: 'table'; readonly input: number; readonly table: ArrayLike<number> }

/** A q8 model. */
export type QuantisedNetwork = {
  readonly inputCount: number
  readonly boundaries: readonly QuantisedBoundary[]
  readonly layers: readonly QuantisedLayer[]
  readonly outputs: readonly { readonly boundary: number; readonly answer: 'values' | 'argmax' }[]
}

/** Number of values of a boundary. */
export function sizeOf(boundary: QuantisedBoundary | undefined): number {
  return (boundary?.shape ?? []).reduce((product, n) => product * n, 1)
}
