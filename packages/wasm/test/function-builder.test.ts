import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FunctionBuilder, inspectModule, ModuleBuilder } from '../src/index.ts'

it('a hoisted constant is made once, at the top, and found again in loops', () => {
  const f = new FunctionBuilder()
  const value = new Uint8Array(Uint32Array.of(1, 2, 3, 4).buffer)
  const [sum, pointer] = [f.local('v128'), f.local('i32')]
  f.repeat(5, () => void f.get(sum).hoisted(value).op('i32x4.add').set(sum))
  f.get(pointer).get(sum).hoisted(value).op('i32x4.add').memory('v128.store', 16)
  const module = new ModuleBuilder()
  module.export('run', module.function(f, 'run'))
  const wasm = module.build({ memoryPages: 1, names: 'stripped' })
  assert.equal(inspectModule(wasm).accepted, true)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm))
  ;(exports['run'] as () => void)()
  assert.deepEqual([...new Uint32Array((exports['memory'] as WebAssembly.Memory).buffer, 16, 4)], [6, 12, 18, 24])
  assert.equal(Buffer.from(wasm).toString('hex').split(Buffer.from(value).toString('hex')).length, 2)
  assert.throws(() => f.hoisted(new Uint8Array(4)), { code: 'wasm.invalid-emission' })
})
