// Two holders put their copies side by side.
import type { ExtractedLayer, Extraction } from './attack-extract.ts'
import { withInputsFrom } from './reorder-inputs.ts'

export type Collusion = {
  /** Share of units that both copies have: the model itself. What only one has is decoy. */
  readonly agreement: number
  /** The common units of every layer in an order that depends on neither copy. */
  readonly unmarked: Extraction
}

/** Intersects two extractions and sorts units by their weights, so that neither holder's order is left. */
export function attackCollude(first: Extraction, second: Extraction): Collusion {
  let shared = 0
  let total = 0
  let inputPlaces: readonly number[] | undefined
  const layers: ExtractedLayer[] = []
  for (const [i, layer] of first.layers.entries()) {
    const theirs = new Set(second.layers[i]?.units.map(keyOf) ?? [])
    const keys = layer.units.map(keyOf)
    const places = [...keys.keys()].filter((place) => theirs.has(keys[place] ?? ''))
    total += layer.units.length
    shared += places.length
    // The last layer's units are the answers: their order is no mark.
    if (i + 1 < first.layers.length) places.sort((a, b) => ((keys[a] ?? '') < (keys[b] ?? '') ? -1 : 1))
    const inOrder = withInputsFrom(layer, inputPlaces)
    layers.push({ ...inOrder, units: places.map((place) => inOrder.units[place] ?? new Float64Array(0)) })
    inputPlaces = places
  }
  return { agreement: total === 0 ? 0 : shared / total, unmarked: { ...first, layers } }
}

function keyOf(unit: Float64Array): string {
  return [...unit]
    .filter((value) => value !== 0)
    .sort((a, b) => a - b)
    .join()
}
