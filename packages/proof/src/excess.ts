// How many excess bits a layer needs, from public sizes and widths only. From the weights it would tell the verifier about them.
import { isDense, type LayerSpec } from '@tacit/protocol'

/** Public bounds on the hidden integers of a layer; part of the model's published description, equal for all its weights. */
export type WidthBounds = {
  /** Every multiplier is below 2^multiplierBits; our quantiser emits 15. */
  readonly multiplierBits: number
  /** Every |B| is below 2^biasBits. */
  readonly biasBits: number
}

/** Bits of the largest sum of `terms` products of an int8 weight and a centred input. */
export function accumulatorBits(terms: number): number {
  return 15 + Math.ceil(Math.log2(terms + 1))
}

/**
 * Enough excess bits for every input, whatever the weights are: |v| < 2^(accumulator + multiplier bits) + 2^biasBits + 2^(s-1), so a
 * rounded value is less than 2^(bits - shift) + 2^9 away from its range.
 */
export function excessBitsFor(shape: { readonly terms: number; readonly shift: number }, bounds: WidthBounds): number {
  const bits = Math.max(accumulatorBits(shape.terms) + bounds.multiplierBits, bounds.biasBits) + 1
  return Math.max(10, bits - shape.shift + 1)
}

/** Products that one accumulator of a layer sums. */
export function accumulatorTerms(spec: LayerSpec): number {
  if (isDense(spec)) return spec.inputSize
  if (spec.kind === 'matmul') return 2 * spec.inner
  if (!('window' in spec)) return 1
  const taps = (spec.window.kernel[0] ?? 1) * (spec.window.kernel[1] ?? 1)
  return spec.kind === 'conv' ? (spec.window.channels / spec.group) * taps : taps
}
