import { type Graph, importQ8, type Q8Boundary, type Q8Model, parseOnnx } from '@tacit/model'
import {
  type ModuleLayer,
  type ModuleManifest,
  type ModuleParallel,
  type ModuleQuantization,
  type ModuleTensor,
  sha256Hash,
} from '@tacit/protocol'
import { type Inspection, inspectModule } from '@tacit/wasm'
import { Obfuscator, type ObfuscationOptions } from './obfuscate/obfuscator.ts'
import { shuffleProgram, withoutNames } from './obfuscate/shuffle-program.ts'
import { SelfCheckError } from './errors.ts'
import { lowerGraph } from './lower/lower-graph.ts'
import { lowerQ8 } from './lower/lower-q8.ts'
import { type EmittedLayer, type EmittedModule, type EmittedParallel, emitProgram, type HostTensor } from './program/emit-program.ts'
import type { Cutting } from './program/divide-program.ts'
import type { Program } from './program/program.ts'

/** What is compiled: an ONNX file, a graph, or a network that is already in the q8 form. */
export type ModelSource = Uint8Array | Graph | Q8Model

export type CompileOptions = {
  /** `q8`: the exact int8 form of docs/spec/q8.md. `f32`: the graph's own numerics, docs/spec/f32.md. */
  readonly profile: 'q8' | 'f32'
  /** Inside the module (the default), or a file of their own that the host loads into memory. */
  readonly weights?: 'inline' | 'external'
  /** Obfuscation and marking; answers do not change by a bit. */
  readonly obfuscate?: ObfuscationOptions
  /** 2: the module also has the stages that two threads need to share a run (`loadModel(..., { threads: 2 })`), unless it is too small to gain by it. 1 unless said. */
  readonly threads?: 1 | 2
  /** With two threads, whether to cut steps that are too small to gain by it. `worthwhile` unless said; the rest is for tests. */
  readonly cutting?: Cutting
  /** 256 MiB unless said. */
  readonly maxMemoryBytes?: number
}

/** A module, its manifest, and the weights where they are external. */
export type CompiledModel = {
  readonly wasm: Uint8Array<ArrayBuffer>
  readonly manifest: ModuleManifest
  readonly weights?: Uint8Array<ArrayBuffer>
}

/**
 * Compiles a model to one WebAssembly module without imports, with fixed memory and a known amount of work. The same source
 * and options give the same bytes; the module's answers are those of the reference interpreter, bit for bit.
 *
 * @example
 * const { wasm, manifest } = await compileModel(onnxBytes, { profile: 'f32' })
 * @throws UnsupportedNodeError, OverMemoryError, ProfileError, and the errors of `parseOnnx`
 */
export async function compileModel(source: ModelSource, options: CompileOptions): Promise<CompiledModel> {
  const parsed = source instanceof Uint8Array ? await parseOnnx(source) : source
  if (options.profile === 'f32' && 'boundaries' in parsed) return compileQ8(parsed, options)
  if (options.profile === 'f32') return finish((obfuscator) => lowerGraph(parsed as Graph, obfuscator), options) // not the q8 form: tested above
  return compileQ8('boundaries' in parsed ? parsed : importQ8(parsed), options)
}

function compileQ8(model: Q8Model, options: CompileOptions): CompiledModel {
  return finish((obfuscator) => lowerQ8(model, obfuscator), { ...options, profile: 'q8' }, model)
}

function finish(lower: (obfuscator?: Obfuscator) => Program, options: CompileOptions, q8?: Q8Model): CompiledModel {
  const { weights = 'inline', threads = 1, cutting = 'worthwhile', maxMemoryBytes = 2 ** 28 } = options
  const obfuscator = options.obfuscate === undefined ? undefined : new Obfuscator(options.obfuscate)
  const program = lower(obfuscator)
  const strip = obfuscator?.does('strip-names') ?? false
  const ordered = obfuscator?.does('shuffle') ? shuffleProgram(program, obfuscator.random) : program
  const emitted = emitProgram(strip ? withoutNames(ordered) : ordered, {
    threads,
    cutting,
    weights,
    maxMemoryBytes,
    names: strip ? 'stripped' : 'kept',
  })
  const inspection = inspectModule(emitted.wasm)
  if (!inspection.accepted) throw new SelfCheckError(inspection.refusal.detail)
  const manifest = manifestOf(emitted, inspection, { profile: options.profile, weights, ...(q8 === undefined ? {} : { q8 }) })
  return { wasm: emitted.wasm, manifest, ...(weights === 'external' ? { weights: emitted.weights.bytes } : {}) }
}

type ManifestContext = { readonly profile: 'q8' | 'f32'; readonly weights: 'inline' | 'external'; readonly q8?: Q8Model }

function manifestOf(emitted: EmittedModule, inspection: Extract<Inspection, { accepted: true }>, context: ManifestContext): ModuleManifest {
  const work = (name: string): string => String(inspection.work.get(name) ?? 0)
  const tensor = (host: HostTensor): ModuleTensor => ({ ...host, quantization: quantizationOf(host, context.q8) })
  const layer = (item: EmittedLayer): ModuleLayer => ({
    index: item.index,
    operator: item.operator,
    runExport: item.run,
    traceExport: item.trace,
    boundary: tensor(item.tensor),
    runWork: work(item.run),
    traceWork: work(item.trace),
  })
  return {
    kind: 'tacit.module',
    version: 1,
    profile: context.profile,
    moduleSha256: sha256Hash(emitted.wasm),
    moduleBytes: emitted.wasm.length,
    memoryPages: emitted.memoryPages,
    inputs: emitted.inputs.map(tensor),
    outputs: emitted.outputs.map(tensor),
    layers: emitted.layers.map(layer),
    runExport: 'run',
    outputsExport: 'outputs',
    runWork: work('run'),
    weights:
      context.weights === 'inline'
        ? { kind: 'inline' }
        : {
            kind: 'external',
            offset: emitted.weights.offset,
            sizeBytes: emitted.weights.bytes.length,
            sha256: sha256Hash(emitted.weights.bytes),
          },
    ...(emitted.parallel === undefined ? {} : { parallel: parallelOf(emitted.parallel, work) }),
  }
}

function parallelOf({ layers, closing }: EmittedParallel, work: (name: string) => string): ModuleParallel {
  return {
    threads: 2,
    layers: layers.map(({ stages, gather }) => ({
      stages: stages.map(({ toFirst, toSecond, run }) => ({ toFirst, toSecond, runExports: run, runWork: [work(run[0]), work(run[1])] })),
      gather,
    })),
    closing,
  }
}

/** The scale and zero point of a q8 boundary, by its name. */
function quantizationOf(host: HostTensor, q8: Q8Model | undefined): ModuleQuantization | null {
  const index = host.elementType === 'int8' ? Number(/^a(\d+)$/.exec(host.name)?.[1] ?? -1) : -1
  const boundary: Q8Boundary | undefined = q8?.boundaries[index]
  if (boundary === undefined) return null
  const scaleBits = new Uint32Array(Float32Array.of(boundary.scale).buffer)[0] ?? 0
  return { scaleBits, zeroPoint: boundary.zeroPoint, lo: boundary.lo, hi: boundary.hi }
}
