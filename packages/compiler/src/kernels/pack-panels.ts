/** A weight matrix to pack: value of (depth k, column n), zero outside. */
export type PanelSource = {
  readonly depth: number
  readonly columns: number
  at(k: number, n: number): number
}

/** Columns split into full panels of `vectors` vectors and one narrower panel for the rest. */
export function splitColumns(columns: number, vectors: number): { panels: number; vectors: number; restVectors: number } {
  const needed = Math.ceil(columns / 4)
  return { panels: Math.floor(needed / vectors), vectors, restVectors: needed % vectors }
}

/** Panels one after the other, each [k][column]. */
export function packF32(source: PanelSource, vectors: number): Float32Array {
  const { panels, restVectors } = splitColumns(source.columns, vectors)
  const packed = new Float32Array(Math.ceil(source.columns / 4) * 4 * source.depth)
  let at = 0
  for (let panel = 0; panel < panels + (restVectors > 0 ? 1 : 0); panel++) {
    const width = 4 * (panel < panels ? vectors : restVectors)
    for (let k = 0; k < source.depth; k++)
      for (let j = 0; j < width; j++, at++) {
        const n = panel * vectors * 4 + j
        if (n < source.columns) packed[at] = source.at(k, n)
      }
  }
  return packed
}

/** The same for integers in pairs of depth: [k / 2][column][2]. The depth is rounded up to even with zeros. */
export function packPairs(arithmetic: 'int8' | 'int16', source: PanelSource, vectors: number): Int8Array | Int16Array {
  const { panels, restVectors } = splitColumns(source.columns, vectors)
  const pairs = Math.ceil(source.depth / 2)
  const length = Math.ceil(source.columns / 4) * 8 * pairs
  const packed = arithmetic === 'int8' ? new Int8Array(length) : new Int16Array(length)
  let at = 0
  for (let panel = 0; panel < panels + (restVectors > 0 ? 1 : 0); panel++) {
    const width = 4 * (panel < panels ? vectors : restVectors)
    for (let pair = 0; pair < pairs; pair++)
      for (let j = 0; j < width; j++)
        for (let half = 0; half < 2; half++, at++) {
          const n = panel * vectors * 4 + j
          const k = 2 * pair + half
          if (n < source.columns && k < source.depth) packed[at] = source.at(k, n)
        }
  }
  return packed
}
