import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  ByteReader,
  ByteWriter,
  decodeModule,
  FunctionBuilder,
  inspectModule,
  ModuleBuilder,
  readInstruction,
  type ValueType,
} from '../src/index.ts'

const valueTypes: readonly ValueType[] = ['i32', 'i64', 'f32', 'v128']

describe('numbers of the binary format', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.integer(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (u, s, l) => {
        const reader = new ByteReader(new ByteWriter().u32(u).s32(s).s64(l).finish())
        assert.deepEqual([reader.u32(), reader.s32(), reader.s64(), reader.done], [u, s, l, true])
      }),
    )
  })

  it('are refused when they are too long or too large', () => {
    assert.throws(() => new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f)).u32(), { code: 'wasm.malformed-module' })
    assert.throws(() => new ByteReader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0)).u32(), { code: 'wasm.malformed-module' })
    assert.throws(() => new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x4f)).s32(), { code: 'wasm.malformed-module' })
    assert.throws(() => new ByteReader(Uint8Array.of(0x80)).u32(), { code: 'wasm.malformed-module' })
  })
})

type Plan = { readonly locals: readonly number[]; readonly constants: readonly number[]; readonly loops: readonly number[] }
const plan: fc.Arbitrary<Plan> = fc.record({
  locals: fc.array(fc.nat(3), { maxLength: 6 }),
  constants: fc.array(fc.integer(), { maxLength: 6 }),
  loops: fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 4 }),
})

function build(plans: readonly Plan[]): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder()
  for (const [index, { locals, constants, loops }] of plans.entries()) {
    const f = new FunctionBuilder()
    for (const type of locals) f.local(valueTypes[type] ?? 'i32')
    const sum = f.local('i32')
    const nest = (rest: readonly number[]): void => {
      const [count, ...inner] = rest
      for (const constant of constants) f.get(sum).i32(constant).op('i32.add').set(sum)
      if (count !== undefined) f.repeat(count, () => nest(inner))
    }
    nest(loops)
    if (index > 0) f.call(index - 1)
    module.export(`f${index}`, module.function(f, `f${index}`))
  }
  module.data(1024, Uint8Array.of(1, 2, 3))
  return module.build({ memoryPages: 1, names: 'kept' })
}

describe('modules', () => {
  it('come back as they were built, and every accepted module is valid for V8', () => {
    fc.assert(
      fc.property(fc.array(plan, { minLength: 1, maxLength: 5 }), (plans) => {
        const bytes = build(plans)
        const decoded = decodeModule(bytes)
        assert.equal(decoded.bodies.length, plans.length)
        assert.deepEqual(
          decoded.exports.map(({ name }) => name),
          ['memory', ...plans.map((_, i) => `f${i}`)],
        )
        for (const body of decoded.bodies) {
          const reader = new ByteReader(bytes, body.start, body.end)
          while (!reader.done) readInstruction(reader)
          assert.equal(reader.offset, body.end)
        }
        assert.ok(inspectModule(bytes).accepted)
        assert.ok(WebAssembly.validate(bytes))
      }),
      { numRuns: 200 },
    )
  })

  it('have the same bytes every time', () => {
    const plans = [{ locals: [0, 3], constants: [5], loops: [4, 2] }]
    assert.deepEqual(build(plans), build(plans))
  })

  it('are refused when damaged, or still valid for V8, but never crash the inspector', () => {
    const bytes = build([
      { locals: [0, 1, 2, 3], constants: [1, -1], loops: [3, 5] },
      { locals: [], constants: [2 ** 30], loops: [900] },
    ])
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(bytes.length),
        (edits, cut) => {
          const damaged = bytes.slice(0, cut % 3 === 0 ? cut : bytes.length)
          for (const [at, value] of edits) if (at < damaged.length) damaged[at] = value
          if (inspectModule(damaged).accepted) assert.ok(WebAssembly.validate(damaged))
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('are refused as garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        assert.equal(inspectModule(garbage).accepted, false)
        assert.equal(inspectModule(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...garbage)).accepted, false)
      }),
    )
  })

  it('cannot announce more than they contain', () => {
    const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
    for (const section of [1, 3, 5, 7, 10, 11]) {
      const huge = Uint8Array.of(...header, section, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)
      assert.throws(() => decodeModule(huge), { code: 'wasm.module-too-large' })
    }
  })
})
