import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import initWabt from 'wabt'
import { FunctionBuilder, inspectModule, isAllowedOpcode, ModuleBuilder, type Opcode, opcodes, type ValueType } from '../src/index.ts'

const wabt = await initWabt()
const types: Readonly<Record<string, ValueType>> = { i: 'i32', l: 'i64', f: 'f32', d: 'f64', v: 'v128' }
const valued = (Object.keys(opcodes) as Opcode[]).filter((name) => opcodes[name][2] !== '?')

function moduleWith(name: Opcode): Uint8Array {
  const [, immediate, operands, results] = opcodes[name]
  const f = new FunctionBuilder()
  for (const letter of operands) {
    const local = f.local(types[letter] ?? 'i32')
    f.get(local)
  }
  if (immediate === 'none') f.op(name)
  else if (immediate === 'memory') f.memory(name, 8)
  else if (immediate === 'memory-lane') f.memoryLane(name, 1, 8)
  else if (immediate === 'lane') f.lane(name, 1)
  else if (immediate === 'shuffle') f.shuffle(Array.from({ length: 16 }, (_, i) => 31 - i))
  else if (immediate === 'v128') f.v128(new Uint8Array(16).fill(7))
  else if (immediate === 'i32') f.i32(-5)
  else if (immediate === 'i64') f.i64(-(2n ** 60n))
  else if (immediate === 'f32') f.f32(1.5)
  for (const _ of results) f.op('drop')
  const module = new ModuleBuilder()
  module.export('run', module.function(f, 'run'))
  return module.build({ memoryPages: 1, names: 'stripped' })
}

describe('the opcode table', () => {
  it('gives every allowed instruction the byte code and type that two other implementations know', () => {
    let checked = 0
    for (const name of valued.filter((opcode) => isAllowedOpcode(opcode))) {
      const bytes = moduleWith(name)
      assert.ok(WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>), `V8 refuses ${name}`)
      const text = wabt.readWasm(bytes, { readDebugNames: false }).toText({})
      assert.ok(text.includes(`${name} `) || text.includes(`${name}\n`) || text.includes(`${name})`), `wabt reads ${name} as\n${text}`)
      assert.ok(inspectModule(bytes).accepted, name)
      checked++
    }
    assert.ok(checked > 250, `${checked}`)
  })

  it('has no two instructions with one code', () => {
    const codes = Object.values(opcodes).map(([code]) => code)
    assert.equal(new Set(codes).size, codes.length)
  })

  it('refuses what traps, grows, branches freely or uses float64', () => {
    for (const name of [
      'i32.div_s',
      'i64.rem_u',
      'i32.trunc_f32_s',
      'memory.grow',
      'br',
      'if',
      'block',
      'call_indirect',
      'f64.add',
      'f64x2.add',
    ] as const)
      assert.equal(isAllowedOpcode(name), false, name)
    assert.ok(isAllowedOpcode('i32.trunc_sat_f32_s') && isAllowedOpcode('i32x4.trunc_sat_f32x4_s'))
  })
})
