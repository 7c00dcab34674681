// A program becomes a module: kernels first (each distinct one once), then one function per layer, one per trace point, one
// that writes the outputs, and `run`, which is everything.
import { FunctionBuilder, ModuleBuilder, pageBytes } from '@tacit/wasm'
import { buildCopy, type CopyConversion, copyKey } from '../kernels/copy.ts'
import { buildRestore } from '../kernels/restore.ts'
import { denseView } from '../lower/views.ts'
import { type Cutting, type DividedProgram, divideProgram, type Stage } from './divide-program.ts'
import { type MemoryPlan, planMemory } from './memory-plan.ts'
import { type MemorySpan, spansOf } from './memory-spans.ts'
import {
  type BoundaryType,
  type BoundaryView,
  type EmitContext,
  type Piece,
  type Program,
  type Region,
  type Step,
  storageBytes,
  type View,
} from './program.ts'

/** A value that the host reads or writes, in canonical form: row-major, NaN as 0x7fc00000. */
export type HostTensor = {
  readonly name: string
  readonly elementType: BoundaryType
  readonly shape: readonly number[]
  readonly offset: number
}

export type EmittedLayer = {
  readonly index: number
  readonly name: string
  readonly operator: string
  readonly run: string
  readonly trace: string
  readonly tensor: HostTensor
}

export type EmittedModule = {
  readonly wasm: Uint8Array<ArrayBuffer>
  readonly memoryPages: number
  readonly inputs: readonly HostTensor[]
  readonly outputs: readonly HostTensor[]
  /** In execution order. */
  readonly layers: readonly EmittedLayer[]
  readonly weights: { readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }
  readonly plan: MemoryPlan
  readonly parallel?: EmittedParallel
}

/** How two threads share the program, in terms of exports and places in memory. */
export type EmittedParallel = {
  readonly layers: readonly { readonly stages: readonly EmittedStage[]; readonly gather: readonly MemorySpan[] }[]
  readonly closing: readonly MemorySpan[]
}
export type EmittedStage = {
  readonly toFirst: readonly MemorySpan[]
  readonly toSecond: readonly MemorySpan[]
  readonly run: readonly [string, string]
}

export type EmitOptions = {
  readonly threads: 1 | 2
  readonly cutting: Cutting
  readonly maxMemoryBytes: number
  readonly weights: 'inline' | 'external'
  readonly names: 'kept' | 'stripped'
}

export const elementBytes: Readonly<Record<BoundaryType, number>> = { float32: 4, int8: 1, uint8: 1, int32: 4, int64: 8, bool: 1 }

export function emitProgram(given: Program, options: EmitOptions): EmittedModule {
  const tried = options.threads === 2 ? divideProgram(given, options.cutting) : undefined
  const divided = tried?.isShared ? tried : undefined
  const program = divided?.program ?? given
  const sizeOf = ({ view, elementType }: BoundaryView): number =>
    view.shape.reduce((product, size) => product * size, elementBytes[elementType])
  const pinnedRegion = (id: number, sizeBytes: number): Region => ({ id, kind: 'pinned', sizeBytes: Math.max(sizeBytes, 16) })
  const outputRegions = program.outputs.map((output, i) => pinnedRegion(1e9 + i, sizeOf(output)))
  const traceRegion = pinnedRegion(2e9, Math.max(16, ...program.layers.map(({ output }) => sizeOf(output))))
  const steps = program.layers.flatMap((layer) => [...layer.steps, reading(layer.output)])
  const closing = program.outputs.map(reading)
  const pinned = [...program.inputs.map(({ view }) => view.region), ...outputRegions, traceRegion]
  const plan = planMemory([...steps, ...closing], pinned, options.maxMemoryBytes)

  const module = new ModuleBuilder()
  const kernels = new Map<string, number>()
  const context: EmitContext = {
    address: (region) => plan.addressOf.get(region) ?? 0,
    kernel: (key, build) => {
      const found = kernels.get(key)
      if (found !== undefined) return found
      const index = module.function(build(context), `kernel ${kernels.size}: ${key.slice(0, 40)}`)
      kernels.set(key, index)
      return index
    },
  }
  const toHost = (f: FunctionBuilder, boundary: BoundaryView, region: Region): void => emitToHost(f, boundary, region, context)

  const run = new FunctionBuilder()
  const layers = program.layers.map((layer, place): EmittedLayer => {
    const f = new FunctionBuilder()
    for (const step of layer.steps) step.emit(f, context)
    const index = module.function(f, layer.name)
    module.export(`l${place}`, index)
    run.call(index)
    const trace = new FunctionBuilder()
    toHost(trace, layer.output, traceRegion)
    module.export(`t${place}`, module.function(trace, `trace ${layer.name}`))
    const tensor = {
      name: layer.name,
      elementType: layer.output.elementType,
      shape: layer.output.view.shape,
      offset: context.address(traceRegion),
    }
    return { index: layer.index, name: layer.name, operator: layer.operator, run: `l${place}`, trace: `t${place}`, tensor }
  })
  const finish = new FunctionBuilder()
  for (const [i, output] of program.outputs.entries()) toHost(finish, output, outputRegions[i] ?? traceRegion)
  const finishIndex = module.function(finish, 'outputs')
  module.export('outputs', finishIndex)
  run.call(finishIndex)
  module.export('run', module.function(run, 'run'))

  const parallel = divided && emitStages(divided, module, context)

  const weights = gatherWeights(plan)
  if (options.weights === 'inline') for (const [region, address] of plan.addressOf) if (region.data) module.data(address, region.data)
  const memoryPages = Math.ceil(plan.usedBytes / pageBytes)
  const wasm = module.build({ memoryPages, names: options.names })
  const inputs = program.inputs.map(({ name, view, elementType }) => ({
    name,
    elementType,
    shape: view.shape,
    offset: context.address(view.region),
  }))
  const outputs = program.outputs.map(({ name, view, elementType }, i) => ({
    name,
    elementType,
    shape: view.shape,
    offset: context.address(outputRegions[i] ?? traceRegion),
  }))
  return { wasm, memoryPages, inputs, outputs, layers, weights, plan, ...(parallel === undefined ? {} : { parallel }) }
}

/** One function per stage and thread; one for both where they do the same. */
function emitStages(divided: DividedProgram, module: ModuleBuilder, context: EmitContext): EmittedParallel {
  let count = 0
  const functionOf = (pieces: readonly Piece[], thread: string): string => {
    const f = new FunctionBuilder()
    for (const piece of pieces) piece.emit(f, context)
    const name = `${thread}${count}`
    module.export(name, module.function(f, `stage ${name}`))
    return name
  }
  const stageOf = ({ exchange, pieces: [first, second] }: Stage): EmittedStage => {
    const one = functionOf(first, 'a')
    const other = first.every((piece, i) => piece === second[i]) ? one : functionOf(second, 'b')
    count++
    return { toFirst: spansOf(exchange.toFirst, context), toSecond: spansOf(exchange.toSecond, context), run: [one, other] }
  }
  const layers = divided.program.layers.map((_, place) => ({
    stages: divided.stages.filter(({ layer }) => layer === place).map(stageOf),
    gather: spansOf(divided.gathers[place] ?? [], context),
  }))
  return { layers, closing: spansOf(divided.closing, context) }
}

function reading({ view, restore }: BoundaryView): Step {
  return { name: 'read', reads: [view.region, ...(restore === undefined ? [] : [restore.table])], writes: [], emit: () => undefined }
}

function emitToHost(f: FunctionBuilder, { view, elementType, restore }: BoundaryView, region: Region, context: EmitContext): void {
  const target = denseView(region, view.storage, view.shape)
  const conversion = hostConversion(view, elementType)
  const space = { shape: view.shape, from: view.strides, to: target.strides }
  f.i32(context.address(view.region) + view.offsetBytes).i32(context.address(region))
  if (view.permutation === undefined || restore === undefined) {
    f.call(context.kernel(copyKey(conversion, space), () => buildCopy(conversion, space)))
    return
  }
  const targetBytes = elementBytes[elementType]
  const kernel = {
    conversion,
    shape: view.shape,
    axis: view.permutation.axis,
    from: view.strides.map((stride) => stride * storageBytes[view.storage]),
    to: target.strides.map((stride) => stride * targetBytes),
    firstMask: restore.firstMask,
  }
  f.i32(context.address(restore.table)).call(context.kernel(`restore ${JSON.stringify(kernel)}`, () => buildRestore(kernel)))
}

function hostConversion(view: View, elementType: BoundaryType): CopyConversion {
  if (view.storage === 'f32') return { kind: 'canonical-f32' }
  if (view.storage === 'i16') return { kind: 'uncentre', zeroPoint: view.zeroPoint, signed: elementType === 'int8' }
  return { kind: 'none', bytes: view.storage === 'i64' ? 8 : view.storage === 'i32' ? 4 : 1 }
}

function gatherWeights(plan: MemoryPlan): { offset: number; bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(plan.constantsEnd - plan.constantsStart)
  for (const [region, address] of plan.addressOf) if (region.data) bytes.set(region.data, address - plan.constantsStart)
  return { offset: plan.constantsStart, bytes }
}
