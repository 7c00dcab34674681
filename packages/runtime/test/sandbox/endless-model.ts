import { type ModuleManifest, sha256Hash } from '@tacit/protocol'
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
  const tensor = { name: 'y', elementType: 'int32' as const, shape: [1], offset: 64, quantization: null }
  const manifest: ModuleManifest = {
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
  return { wasm, manifest }
}

/** 2^47 instructions, all of them declared. */
export function endlessModel() {
  return handMade((f) => {
    f.repeat(2 ** 22, () => f.repeat(2 ** 22, () => void f.i32(64).i32(1).memory('i32.store')))
  })
}
