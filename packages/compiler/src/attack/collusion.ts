// Two holders put their copies side by side.
import type { ExtractedLayer, Extraction } from './attack-extract.ts'

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
  const layers = first.layers.map((layer, i): ExtractedLayer => {
    const theirs = new Set(second.layers[i]?.units.map(keyOf) ?? [])
    const common = layer.units.filter((unit) => theirs.has(keyOf(unit)))
    total += layer.units.length
    shared += common.length
    return { ...layer, units: common.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) }
  })
  return { agreement: total === 0 ? 0 : shared / total, unmarked: { ...first, layers } }
}

function keyOf(unit: Float64Array): string {
  return [...unit]
    .filter((value) => value !== 0)
    .sort((a, b) => a - b)
    .join()
}
