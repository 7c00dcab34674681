// The attack of a host that is paid for traced runs: canonical activations tell where each unit belongs, so that permutations
// fall away, and with them the mark that they carry.
import type { ModuleTensor } from '@tacit/protocol'
import { moduleTensorBytes } from '@tacit/protocol'
import type { CompiledModel } from '../compile-model.ts'
import { attackExtract, type ExtractedLayer, type Extraction } from './attack-extract.ts'
import { withInputsFrom } from './reorder-inputs.ts'

/** How many random inputs tell units apart. */
const probes = 24

/**
 * The untraced extraction, with the units of every layer put into their original order by comparing memory with the trace.
 */
export function attackExtractTraced(model: CompiledModel): Extraction {
  const extraction = attackExtract(model)
  const observed = observe(model, extraction.layers)
  const layers: ExtractedLayer[] = []
  let inputPlaces: readonly number[] | undefined
  for (const [i, layer] of extraction.layers.entries()) {
    const places = placesOf(observed[i])
    const { units } = withInputsFrom(layer, inputPlaces)
    layers.push({ ...layer, units: places === undefined ? units : places.map((place) => units[place] ?? new Float64Array(0)) })
    inputPlaces = places
  }
  return { ...extraction, layers }
}

/** Per layer, one key per place in memory and one per canonical unit: their values over all probes. */
type Observation = { readonly places: readonly string[]; readonly units: readonly string[] }

function observe({ wasm, manifest, weights }: CompiledModel, layers: readonly ExtractedLayer[]): readonly (Observation | undefined)[] {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm))
  const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
  const call = (name: string): void => (exports[name] as () => void)()
  if (weights !== undefined && manifest.weights.kind === 'external') memory.set(weights, manifest.weights.offset)
  const seen = layers.map(() => ({ places: [] as (readonly number[])[], units: [] as (readonly number[])[] }))
  let state = 1
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
  for (let probe = 0; probe < probes; probe++) {
    for (const input of manifest.inputs) writeRandom(memory, input, next)
    for (const { runExport, traceExport, boundary } of manifest.layers) {
      call(runExport)
      const before = layers.map((layer) => readMemory(memory, layer, boundary))
      call(traceExport)
      const canonical = readTensor(memory, boundary)
      for (const [i, layer] of layers.entries()) {
        const values = before[i] ?? []
        if (layer.units.length !== unitCount(boundary)) continue
        const units = firstOfUnits(canonical, boundary)
        const offset = smallest(units) - smallest(values)
        if (!sameMultiset(values, units, offset)) continue
        seen[i]?.places.push(values.map((value) => value + offset))
        seen[i]?.units.push(units)
      }
    }
  }
  return seen.map(({ places, units }, i) => {
    const count = layers[i]?.units.length ?? 0
    const keys = (rows: readonly (readonly number[])[]): string[] =>
      Array.from({ length: count }, (_, unit) => rows.map((row) => row[unit]).join())
    return places.length < probes ? undefined : { places: keys(places), units: keys(units) }
  })
}

function unitCount({ shape }: ModuleTensor): number {
  return shape.length > 2 ? (shape[1] ?? 1) : (shape.at(-1) ?? 1)
}

/** The first value of every unit: of a row, or of the first pixel of an image. */
function firstOfUnits(canonical: readonly number[], boundary: ModuleTensor): readonly number[] {
  const plane = boundary.shape.slice(2).reduce((product, size) => product * size, 1)
  return Array.from({ length: unitCount(boundary) }, (_, unit) => canonical[unit * (boundary.shape.length > 2 ? plane : 1)] ?? 0)
}

function smallest(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
}

/** Quantised values lie in memory less their zero point, which shows as a constant difference. */
function sameMultiset(values: readonly number[], canonical: readonly number[], offset: number): boolean {
  const sort = (list: readonly number[]): string => [...list].sort((a, b) => a - b).join()
  return sort(values.map((value) => value + offset)) === sort(canonical)
}

function readMemory(memory: Uint8Array, { address, units }: ExtractedLayer, boundary: ModuleTensor): number[] {
  const view = new DataView(memory.buffer)
  return Array.from({ length: units.length }, (_, i) =>
    boundary.elementType === 'float32' ? view.getFloat32(address + 4 * i, true) : view.getInt16(address + 2 * i, true),
  )
}

function readTensor(memory: Uint8Array, tensor: ModuleTensor): number[] {
  const bytes = memory.slice(tensor.offset, tensor.offset + moduleTensorBytes(tensor))
  if (tensor.elementType === 'float32') return [...new Float32Array(bytes.buffer)]
  return tensor.elementType === 'int8' ? [...new Int8Array(bytes.buffer)] : [...bytes]
}

function writeRandom(memory: Uint8Array, tensor: ModuleTensor, next: () => number): void {
  const view = new DataView(memory.buffer)
  const count = tensor.shape.reduce((product, size) => product * size, 1)
  for (let i = 0; i < count; i++) {
    if (tensor.elementType === 'float32') view.setFloat32(tensor.offset + 4 * i, next() * 4 - 2, true)
    else view.setUint8(tensor.offset + i, Math.floor(next() * 256))
  }
}

/** The place of each canonical unit. Units that no probe told apart (always zero, say) keep their relative order. */
function placesOf(observation: Observation | undefined): readonly number[] | undefined {
  if (observation === undefined) return undefined
  const waiting = new Map<string, number[]>()
  for (const [place, key] of observation.places.entries()) waiting.set(key, [...(waiting.get(key) ?? []), place])
  const places = observation.units.map((key) => waiting.get(key)?.shift() ?? -1)
  return places.includes(-1) ? undefined : places
}
