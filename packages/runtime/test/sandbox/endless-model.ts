import { type ModuleManifest, type ModuleParallel, type ModuleStage, sha256Hash } from '@tacit/protocol'
import { FunctionBuilder, inspectModule, ModuleBuilder } from '@tacit/wasm'

/** A module whose one layer does what `body` says, with a manifest that tells the truth about it. */
export function handMade(body: (f: FunctionBuilder) => void): { wasm: Uint8Array<ArrayBuffer>; manifest: ModuleManifest } {
  const module = new ModuleBuilder()
  const f = new FunctionBuilder()
  body(f)
  const layer = module.function(f, 'layer')
  const nothing = module.function(new FunctionBuilder(), 'nothing')
  const run = new FunctionBuilder().call(layer)
  module.export('l0', layer)
  module.export('t0', nothing)
  module.export('outputs', nothing)
  module.export('run', module.function(run, 'run'))
  const wasm = module.build({ memoryPages: 1, names: 'stripped' })
  const inspection = inspectModule(wasm)
  if (!inspection.accepted) throw new Error(inspection.refusal.detail)
  const work = (name: string): string => String(inspection.work.get(name) ?? 0)
  return { wasm, manifest: manifestOf(wasm, work) }
}

function manifestOf(wasm: Uint8Array, work: (name: string) => string): ModuleManifest {
  const tensor = { name: 'y', elementType: 'int32' as const, shape: [1], offset: 64, quantization: null }
  return {
    kind: 'tacit.module',
    version: 1,
    profile: 'q8',
    moduleSha256: sha256Hash(wasm),
    moduleBytes: wasm.length,
    memoryPages: 1,
    inputs: [],
    outputs: [tensor],
    layers: [
      { index: 0, operator: 'dense', runExport: 'l0', traceExport: 't0', boundary: tensor, runWork: work('l0'), traceWork: work('t0') },
    ],
    runExport: 'run',
    outputsExport: 'outputs',
    runWork: work('run'),
    weights: { kind: 'inline' },
  }
}

/** 2^46 instructions. */
export function endlessBody(f: FunctionBuilder): void {
  f.repeat(2 ** 22, () => f.repeat(2 ** 22, () => void f.i32(64).i32(1).memory('i32.store')))
}

/** A module with as much to do, all of it declared. */
export function endlessModel() {
  return handMade(endlessBody)
}

type Pair = {
  first(f: FunctionBuilder): void
  second(f: FunctionBuilder): void
  /** What crosses before the two bodies, and after them. */
  readonly before?: Pick<ModuleStage, 'toFirst' | 'toSecond'>
  readonly after?: Pick<ModuleStage, 'toFirst' | 'toSecond'>
}

/** A module of one layer, which two threads do with a body each. */
export function handMadePair({ first, second, before, after }: Pair): { wasm: Uint8Array<ArrayBuffer>; manifest: ModuleManifest } {
  const module = new ModuleBuilder()
  const bodies = [first, second].map((body, thread) => {
    const f = new FunctionBuilder()
    body(f)
    const index = module.function(f, `body ${thread}`)
    module.export(`p${thread}`, index)
    return index
  })
  const nothing = module.function(new FunctionBuilder(), 'nothing')
  const both = new FunctionBuilder()
  for (const index of bodies) both.call(index)
  const layer = module.function(both, 'layer')
  for (const [name, index] of [
    ['l0', layer],
    ['t0', nothing],
    ['outputs', nothing],
  ] as const)
    module.export(name, index)
  module.export('run', module.function(new FunctionBuilder().call(layer), 'run'))
  const none = { toFirst: [], toSecond: [] }
  const wasm = module.build({ memoryPages: 1, names: 'stripped' })
  const inspection = inspectModule(wasm)
  if (!inspection.accepted) throw new Error(inspection.refusal.detail)
  const work = (name: string): string => String(inspection.work.get(name) ?? 0)
  const stages: readonly ModuleStage[] = [
    { ...(before ?? none), runExports: ['p0', 'p1'], runWork: [work('p0'), work('p1')] },
    ...(after === undefined ? [] : [{ ...after, runExports: ['outputs', 'outputs'] as const, runWork: ['1', '1'] as const }]),
  ]
  const parallel: ModuleParallel = { threads: 2, layers: [{ stages, gather: [] }], closing: [] }
  return { wasm, manifest: { ...manifestOf(wasm, work), parallel } }
}
