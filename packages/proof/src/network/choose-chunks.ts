// Values per commitment of every boundary, from public sizes: producers and consumers of a boundary must cut it the same way.
import { type QuantisedNetwork, sizeOf } from './quantised-network.ts'

const LONGEST_CHUNK = 512

/**
 * The chunk of every boundary. Window layers need whole planes, and pooling the same number of them on both sides; a softmax needs whole rows, a
 * layer normalisation equal parts, a product of activations chunks that end with each head and are the same in both factors.
 */
export function chooseChunks(network: QuantisedNetwork): readonly number[] {
  const planes = new Map<number, number>()
  const rows = new Map<number, number>()
  const whole = new Map<number, number>()
  const lower = (map: Map<number, number>, boundary: number, length: number): void => {
    map.set(boundary, Math.min(length, map.get(boundary) ?? length))
  }
  network.layers.forEach((layer, k) => {
    const output = network.inputCount + k
    if (layer.kind === 'dense' || layer.kind === 'denseTransposed') {
      lower(rows, layer.input, layer.inputSize)
      lower(rows, output, layer.kind === 'dense' ? layer.outputSize : layer.rows)
    }
    if (layer.kind === 'matmul') {
      for (const input of layer.inputs) lower(rows, input, layer.inner)
      lower(rows, output, layer.heads * layer.outputs)
    }
    if (layer.kind === 'softmax') for (const boundary of [layer.input, output]) lower(whole, boundary, layer.size)
    if (layer.kind === 'layerNorm')
      for (const boundary of [layer.input, output]) {
        if (evenChunk(layer.size) * Math.ceil(layer.size / evenChunk(layer.size)) === layer.size) lower(rows, boundary, layer.size)
        else lower(whole, boundary, layer.size)
      }
    if (!('window' in layer)) return
    for (const boundary of [layer.input, output]) {
      if (planes.has(boundary)) continue
      const [, channels = 1, ...plane] = network.boundaries[boundary]?.shape ?? []
      planes.set(boundary, Math.max(1, Math.min(channels, Math.floor(LONGEST_CHUNK / plane.reduce((product, n) => product * n, 1)))))
    }
    if (layer.kind === 'conv') return
    const both = Math.min(planes.get(layer.input) ?? 1, planes.get(output) ?? 1)
    planes.set(layer.input, both)
    planes.set(output, both)
  })
  const share = (a: number, b: number): void => {
    for (const map of [planes, rows, whole]) {
      const least = Math.min(map.get(a) ?? Number.POSITIVE_INFINITY, map.get(b) ?? Number.POSITIVE_INFINITY)
      if (Number.isFinite(least)) [a, b].forEach((boundary) => map.set(boundary, least))
    }
  }
  // chunk sizes travel through pooling and elementwise layers, and between the factors of a product, until nothing changes
  for (let round = 0; round < network.layers.length; round++) {
    network.layers.forEach((layer, k) => {
      if (layer.kind === 'matmul') share(...layer.inputs)
      if (layer.kind === 'dense' || layer.kind === 'denseTransposed' || layer.kind === 'conv' || layer.kind === 'matmul') return
      const inputs = layer.kind === 'add' ? layer.inputs : 'input' in layer ? [layer.input] : []
      for (const input of inputs) share(input, network.inputCount + k)
    })
  }
  return network.boundaries.map((boundary, k) => {
    const held = planes.get(k)
    if (held !== undefined) return held * boundary.shape.slice(2).reduce((product, n) => product * n, 1)
    return whole.get(k) ?? evenChunk(rows.get(k) ?? sizeOf(boundary))
  })
}

// The longest divisor up to the limit, or an even split if the length has none worth having.
function evenChunk(length: number): number {
  if (length <= LONGEST_CHUNK) return length
  for (let parts = Math.ceil(length / LONGEST_CHUNK); parts <= 64; parts++) if (length % parts === 0) return length / parts
  return Math.ceil(length / Math.ceil(length / LONGEST_CHUNK))
}
