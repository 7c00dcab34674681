import { type ModuleParallel, type ModuleSpan, type ModuleTensor, moduleTensorBytes } from '@tacit/protocol'
import type { CompiledModel } from '../src/index.ts'
import type { DirectRun } from './run-compiled.ts'

/** How much crosses, and how often. */
export type Traffic = { meetings: number; bytes: number }

/** The stages of two threads, one after the other on this thread, each on an instance of its own. */
export function runDivided(
  { wasm, manifest, weights }: CompiledModel,
  inputs: readonly Uint8Array[],
): DirectRun & { readonly outputs: readonly Uint8Array[]; readonly traffic: Traffic } {
  const { parallel } = manifest
  if (parallel === undefined) throw new Error('compiled for one thread')
  const module = new WebAssembly.Module(wasm)
  const threads = [0, 1].map(() => {
    const { exports } = new WebAssembly.Instance(module)
    const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
    if (weights !== undefined && manifest.weights.kind === 'external') memory.set(weights, manifest.weights.offset)
    return { memory, call: (name: string): void => (exports[name] as () => void)() }
  })
  const [first, second] = threads
  if (first === undefined || second === undefined) throw new Error('two threads were made')
  const traffic: Traffic = { meetings: 0, bytes: 0 }
  const copy = (from: Uint8Array, to: Uint8Array, spans: readonly ModuleSpan[]): void => {
    for (const { offset, sizeBytes, stepBytes, count } of spans)
      for (let i = 0; i < count; i++)
        to.set(from.subarray(offset + i * stepBytes, offset + i * stepBytes + sizeBytes), offset + i * stepBytes)
    traffic.bytes += spans.reduce((sum, { sizeBytes, count }) => sum + sizeBytes * count, 0)
  }
  const read = (memory: Uint8Array, tensor: ModuleTensor | undefined): Uint8Array =>
    tensor === undefined ? new Uint8Array(0) : memory.slice(tensor.offset, tensor.offset + moduleTensorBytes(tensor))
  const whole = (stages: ModuleParallel['layers'][number]['stages']): void => {
    for (const { toFirst, toSecond, runExports } of stages) {
      if (toFirst.length + toSecond.length > 0) traffic.meetings++
      copy(second.memory, first.memory, toFirst)
      copy(first.memory, second.memory, toSecond)
      first.call(runExports[0])
      second.call(runExports[1])
    }
  }
  const fill = (change: (byte: number) => number): void => {
    for (const { memory } of threads)
      for (const [i, { offset }] of manifest.inputs.entries()) memory.set((inputs[i] ?? new Uint8Array(0)).map(change), offset)
  }
  // Other inputs first: what is left of them must not show in the answer.
  fill((byte) => byte ^ 0x35)
  for (const { stages } of parallel.layers) whole(stages)
  fill((byte) => byte)
  Object.assign(traffic, { meetings: 0, bytes: 0 })
  for (const { stages } of parallel.layers) whole(stages)
  copy(second.memory, first.memory, parallel.closing)
  first.call(manifest.outputsExport)
  const outputs = manifest.outputs.map((tensor) => read(first.memory, tensor))
  const output = outputs[0] ?? new Uint8Array(0)
  const plain = { ...traffic, meetings: traffic.meetings + (parallel.closing.length > 0 ? 1 : 0) }

  const boundaries: Uint8Array[] = []
  for (const [place, { stages, gather }] of parallel.layers.entries()) {
    whole(stages)
    copy(second.memory, first.memory, gather)
    const layer = manifest.layers[place]
    if (layer === undefined) throw new Error('a layer without an entry')
    first.call(layer.traceExport)
    boundaries[layer.index] = read(first.memory, layer.boundary)
  }
  copy(second.memory, first.memory, parallel.closing)
  first.call(manifest.outputsExport)
  const traced = read(first.memory, manifest.outputs[0])
  if (!output.every((byte, i) => byte === traced[i])) throw new Error('the traced run and the plain one differ')
  return { output, outputs, boundaries, traffic: plain }
}
