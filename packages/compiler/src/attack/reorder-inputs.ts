import type { ExtractedLayer } from './attack-extract.ts'

/**
 * A layer whose inputs follow a new order of the units before it. Integer layers read permuted units where they lie; float
 * layers read them put back in order, so theirs stay.
 */
export function withInputsFrom(layer: ExtractedLayer, places: readonly number[] | undefined): ExtractedLayer {
  if (layer.arithmetic !== 'int8' || places === undefined || places.length !== layer.units[0]?.length) return layer
  return { ...layer, units: layer.units.map((unit) => Float64Array.from(places, (place) => unit[place] ?? 0)) }
}
