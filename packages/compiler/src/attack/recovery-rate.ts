// How good an extraction is, told by somebody who has the real weights.
import type { ExtractedLayer } from './attack-extract.ts'

/** The real weights of a layer: units, each with its weights in order of input. */
export type TrueLayer = {
  readonly units: readonly ArrayLike<number>[]
  /** A convolution's weights are compared as a set per channel: the order of kernel positions is no secret. */
  readonly kind: 'dense' | 'conv'
}

export type RecoveryRate = {
  /** Share of all weights that were recovered exactly, units and inputs matched up. */
  readonly weights: number
  /** Share of units that were recovered in full. */
  readonly units: number
  /** Share of recovered units that are also at their original place: what is left of a permutation mark, inverted. */
  readonly inPlace: number
}

/**
 * Matches recovered units to real ones by their sorted weights (which no permutation changes), takes over the order of each
 * layer's units as the order of the next one's inputs, and compares weight by weight.
 */
export function recoveryRate(recovered: readonly ExtractedLayer[], truth: readonly TrueLayer[]): RecoveryRate {
  const totals = { weights: 0, right: 0, units: 0, complete: 0, inPlace: 0 }
  let inputOrder: readonly number[] | undefined
  const remaining = [...recovered]
  for (const layer of truth) {
    const width = layer.units[0]?.length ?? 0
    totals.units += layer.units.length
    totals.weights += layer.units.length * width
    const place = remaining.findIndex(({ units }) => units.length === layer.units.length && units.some((unit) => unit.length >= width / 2))
    const found = place < 0 ? undefined : remaining.splice(0, place + 1).at(-1)
    if (found === undefined) {
      inputOrder = undefined
      continue
    }
    const order = matchUnits(found, layer)
    for (const [j, i] of order.entries()) {
      const [unit, real] = [found.units[j], layer.units[i]]
      if (unit === undefined || real === undefined) continue
      // Inputs lie in the order of the layer before, or in their own where the module puts them back in order.
      const asSet = signature(unit) === signature(real) ? width : 0
      const right =
        layer.kind === 'conv'
          ? asSet
          : Math.max(countRight(unit, real, inputOrder), countRight(unit, real, undefined), flattened(found, truth) ? asSet : 0)
      totals.right += right
      if (right === width) totals.complete++
      if (right === width && i === j) totals.inPlace++
    }
    inputOrder = order
  }
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
  return {
    weights: share(totals.right, totals.weights),
    units: share(totals.complete, totals.units),
    inPlace: share(totals.inPlace, totals.complete),
  }
}

// After a convolution, the inputs of a dense layer lie pixel by pixel: their order is structure as well.
function flattened(found: ExtractedLayer, truth: readonly TrueLayer[]): boolean {
  const before = truth[truth.findIndex(({ units }) => units.length === found.units.length) - 1]
  return before?.kind === 'conv'
}

/** For each recovered unit, the real unit with the same sorted weights, or -1. */
function matchUnits(found: ExtractedLayer, layer: TrueLayer): readonly number[] {
  const waiting = new Map<string, number[]>()
  for (const [i, unit] of layer.units.entries()) {
    const key = signature(unit)
    waiting.set(key, [...(waiting.get(key) ?? []), i])
  }
  return found.units.map((unit) => waiting.get(signature(unit))?.shift() ?? -1)
}

// Zero weights cannot be told from inputs that do not matter, so they are left out.
function signature(unit: ArrayLike<number>): string {
  return Array.from(unit)
    .filter((value) => value !== 0)
    .sort((a, b) => a - b)
    .join()
}

function countRight(unit: Float64Array, real: ArrayLike<number>, inputOrder: readonly number[] | undefined): number {
  // As many inputs were seen as there are: compare in order. Otherwise (a zero column of inputs) only the values count.
  if (unit.length !== real.length || (inputOrder !== undefined && inputOrder.length !== unit.length))
    return signature(unit) === signature(real) ? real.length : 0
  let right = 0
  for (let k = 0; k < unit.length; k++) if (unit[k] === real[inputOrder?.[k] ?? k]) right++
  return right
}
