// How much of a model's weights a host recovers that runs its module, knows how our compiler works, and knows no seed.
import { type ModuleManifest, moduleTensorBytes } from '@tacit/protocol'
import type { CompiledModel } from '../compile-model.ts'
import { openKernels, type OpenedModule } from './open-kernels.ts'
import { isProduct, type ProbedProduct, probeProduct } from './probe-product.ts'

/** Weights of one layer as one input-by-unit matrix, in the order in which the module holds them. */
export type ExtractedLayer = {
  readonly arithmetic: 'f32' | 'int8'
  /** For each unit, its weights in order of input. */
  readonly units: readonly Float64Array[]
  /** Where the results lie in memory. */
  readonly address: number
}

export type Extraction = {
  readonly layers: readonly ExtractedLayer[]
  /** Kernel calls that were recognised as dummies: nothing reads their results. */
  readonly dummies: number
  /** How often the attacker ran a kernel. */
  readonly kernelRuns: number
}

/**
 * The untraced attack: opens the module, finds the product kernels and their operands in its code, calls each alone on inputs
 * of its own and reads the weights out of linear memory. Needs no data, no trace and no seed.
 *
 * @example
 * const { layers } = attackExtract(await compileModel(graph, { profile: 'q8', obfuscate: { seed } }))
 */
export function attackExtract({ wasm, weights, manifest }: CompiledModel): Extraction {
  const module = openKernels(wasm)
  if (weights !== undefined && manifest.weights.kind === 'external') module.memory.set(weights, manifest.weights.offset)
  const products = module.calls.filter((call) => isProduct(module, call))
  const probed = products.map((call) => probeProduct(module, call)).filter((item): item is ProbedProduct => item !== undefined)
  const real = probed.filter((product) => reachesOutput(module, product, manifest))
  return {
    layers: real.map(({ arithmetic, columns, call }) => ({ arithmetic, units: trimmed(columns), address: call.pointers[2] ?? 0 })),
    dummies: probed.length - real.length,
    kernelRuns: probed.reduce((sum, { inputs }) => sum + 2 * inputs.length, 0),
  }
}

// Replays the kernel calls of a run; a product whose spoilt result changes no answer is a dummy.
function reachesOutput(module: OpenedModule, product: ProbedProduct, { outputs }: ModuleManifest): boolean {
  const start = module.memory.slice()
  const replay = (spoil: boolean): string => {
    module.memory.set(start)
    for (const call of module.calls) {
      module.call(call.kernel, ...call.pointers)
      if (spoil && call === product.call) spoilResult(module, product)
    }
    const answers = outputs.map((output) => module.memory.slice(output.offset, output.offset + moduleTensorBytes(output)).join())
    module.memory.set(start)
    return answers.join()
  }
  return replay(false) !== replay(true)
}

// Large positive values: neither ReLU nor a maximum swallows them.
function spoilResult(module: OpenedModule, { call, columns }: ProbedProduct): void {
  const view = new DataView(module.memory.buffer)
  const narrow = module.uses(call.kernel, 'i16x8.narrow_i32x4_s')
  const from = call.pointers[2] ?? 0
  for (let column = 0; column < columns.length; column++) {
    if (narrow) view.setInt16(from + 2 * column, 120, true)
    else view.setFloat32(from + 4 * column, 1000 + column, true)
  }
}

// Columns that only pad a vector are zero throughout.
function trimmed(columns: readonly Float64Array[]): readonly Float64Array[] {
  const last = columns.findLastIndex((column) => column.some((value) => value !== 0))
  return columns.slice(0, last + 1)
}
