import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import initWabt from 'wabt'
import { FunctionBuilder, inspectModule, ModuleBuilder } from '../src/index.ts'
import { hostileModules } from './hostile-modules.ts'

const wabt = await initWabt()
const features = {
  simd: true,
  bulk_memory: true,
  sign_extension: true,
  mutable_globals: true,
  reference_types: true,
  threads: true,
  annotations: true,
}

function counting(outer: number, inner: number): Uint8Array {
  const f = new FunctionBuilder()
  f.repeat(outer, () => {
    f.i32(0).i32(0).memory('i32.load').i32(1).op('i32.add').memory('i32.store')
    f.repeat(inner, () => {
      f.i32(4).i32(4).memory('i32.load').i32(1).op('i32.add').memory('i32.store')
    })
  })
  const module = new ModuleBuilder()
  module.export('run', module.function(f, 'counting'))
  return module.build({ memoryPages: 1, names: 'kept' })
}

describe('inspectModule', () => {
  it('knows the exact number of executed instructions of nested loops', () => {
    const inspection = inspectModule(counting(7, 11))
    assert.ok(inspection.accepted)
    // inner: const, set, loop, 11 * (6 + 5), end; outer: const, set, loop, 7 * (6 + inner + 5), end; and the final end.
    const inner = 3 + 11 * (6 + 5) + 1
    assert.equal(inspection.work.get('run'), 3 + 7 * (6 + inner + 5) + 1 + 1)
    assert.equal(inspection.memoryPages, 1)
  })

  it('reads the loops as they run', () => {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(counting(7, 11) as Uint8Array<ArrayBuffer>))
    const { run, memory } = instance.exports as { run: () => void; memory: WebAssembly.Memory }
    run()
    assert.deepEqual([...new Int32Array(memory.buffer, 0, 2)], [7, 77])
  })

  for (const { name, text, reason } of hostileModules)
    it(`refuses ${name}`, () => {
      const bytes = wabt.parseWat('hostile.wat', text, features).toBinary({}).buffer
      const inspection = inspectModule(bytes)
      assert.equal(inspection.accepted, false)
      assert.equal(!inspection.accepted && inspection.refusal.reason, reason)
    })

  it('refuses more memory, bytes or work than the policy allows', () => {
    const bytes = counting(100, 100)
    for (const policy of [{ maxMemoryPages: 0 }, { maxModuleBytes: 20 }, { maxWork: 1000 }, { maxLoopDepth: 1 }])
      assert.equal(inspectModule(bytes, policy).accepted, false)
  })

  it('adds up repeated calls and stops at the policy before numbers lose precision', () => {
    const module = new ModuleBuilder()
    let callee = module.function(new FunctionBuilder(), 'leaf')
    for (let i = 0; i < 12; i++) {
      const f = new FunctionBuilder()
      f.repeat(2 ** 30, () => void f.call(callee))
      callee = module.function(f, `level ${i}`)
    }
    module.export('run', callee)
    const inspection = inspectModule(module.build({ memoryPages: 1, names: 'stripped' }))
    assert.equal(!inspection.accepted && inspection.refusal.reason, 'work')
  })
})
