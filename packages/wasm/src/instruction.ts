import type { ByteReader } from './byte-reader.ts'
import { type Opcode, opcodes } from './opcodes.ts'

/** One decoded instruction. Fields that its immediates do not have are zero. */
export type Instruction = {
  readonly opcode: Opcode
  /** Of its first byte, in the module. */
  readonly offset: number
  /** Local, function, label, global, table, type or lane index; the value of an `i32.const`; the block type (-64 is empty). */
  readonly index: number
  /** The exponent of the alignment hint of a memory instruction. */
  readonly align: number
  /** The constant offset of a memory instruction. */
  readonly memoryOffset: number
}

const byCode: ReadonlyMap<number, Opcode> = /* @__PURE__ */ new Map(Object.entries(opcodes).map(([name, [code]]) => [code, name as Opcode]))

/**
 * Reads one instruction with its immediates.
 * @throws MalformedModuleError for opcodes outside the table and broken immediates.
 */
export function readInstruction(reader: ByteReader): Instruction {
  const offset = reader.offset
  const first = reader.byte()
  const code = first === 0xfc || first === 0xfd ? prefixed(reader, first) : first
  const opcode = byCode.get(code)
  if (opcode === undefined) return reader.fail(`uses the unknown instruction 0x${code.toString(16)}`)
  let index = 0
  let align = 0
  let memoryOffset = 0
  switch (opcodes[opcode][1]) {
    case 'none':
      break
    case 'block':
      index = reader.s33()
      break
    case 'label':
    case 'function':
    case 'local':
    case 'global':
    case 'table':
    case 'index':
      index = reader.u32()
      break
    case 'indirect':
    case 'index2':
      index = reader.u32()
      reader.u32()
      break
    case 'labels':
      for (let rest = reader.u32(); rest >= 0; rest--) index = reader.u32()
      break
    case 'memory':
      align = reader.u32()
      memoryOffset = reader.u32()
      break
    case 'memory-lane':
      align = reader.u32()
      memoryOffset = reader.u32()
      index = reader.byte()
      break
    case 'i32':
      index = reader.s32()
      break
    case 'i64':
      reader.s64()
      break
    case 'f32':
      reader.take(4)
      break
    case 'f64':
      reader.take(8)
      break
    case 'v128':
      reader.take(16)
      break
    case 'lane':
      index = reader.byte()
      break
    case 'shuffle':
      if (reader.take(16).some((lane) => lane > 31)) reader.fail('shuffles a lane above 31')
      break
  }
  return { opcode, offset, index, align, memoryOffset }
}

function prefixed(reader: ByteReader, prefix: number): number {
  const code = reader.u32()
  return code < 256 ? prefix * 256 + code : reader.fail(`uses the unknown instruction 0x${prefix.toString(16)} ${code}`)
}
