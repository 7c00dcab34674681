import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FunctionBuilder, inspectModule, ModuleBuilder } from '../src/index.ts'

function sample(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder()
  const kernel = new FunctionBuilder(['i32', 'i32'])
  const sum = kernel.local('v128')
  kernel.repeat(9, () => {
    kernel.get(sum).get(0).memory('v128.load', 16).op('f32x4.add').set(sum)
    kernel.repeat(3, () => void kernel.advance(0, 16))
  })
  kernel.get(1).get(sum).memory('v128.store')
  const index = module.function(kernel, 'kernel')
  const run = new FunctionBuilder()
  run.i32(1024).i32(4096).call(index)
  module.export('run', module.function(run, 'run'))
  module.data(1024, new Uint8Array(40).fill(3))
  return module.build({ memoryPages: 1, names: 'kept' })
}

it('1,000,000 damaged modules neither crash nor hang the inspector, and V8 agrees on each accepted one', () => {
  const original = sample()
  let state = 0x9e3779b9
  const next = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
  let accepted = 0
  for (let round = 0; round < 1_000_000; round++) {
    let bytes = original.slice()
    for (let edit = next(4); edit >= 0; edit--) {
      const at = next(bytes.length)
      const kind = next(10)
      if (kind < 6) bytes[at] = next(256)
      else if (kind < 8) bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8))
      else if (kind === 8) bytes = bytes.slice(0, at + 1)
      else bytes.copyWithin(at, next(bytes.length), next(bytes.length))
    }
    if (!inspectModule(bytes).accepted) continue
    accepted++
    assert.ok(WebAssembly.validate(bytes), `round ${round}`)
  }
  assert.ok(accepted > 1000, `only ${accepted} of the damaged modules were still acceptable: the mutations are too coarse`)
})
