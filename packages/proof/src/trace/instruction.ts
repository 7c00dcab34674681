// The instructions of a verifier program and their bytes (docs/spec/verifier-trace.md, section 3).
import { concatBytes } from '@tacit/protocol'

/** What a node holds: 32 bytes, or an affine point of 64 bytes whose identity is all zero. */
export type ValueKind = 'word' | 'point'

/** What an instruction does with its fields a, b, c. */
export type OpName =
  | 'CONST_WORD'
  | 'CONST_POINT'
  | 'PUBLIC'
  | 'LENGTH'
  | 'WORD'
  | 'POINT'
  | 'CHUNK'
  | 'HASH2'
  | 'HASH3'
  | 'REDUCE'
  | 'ADD'
  | 'SUB'
  | 'MUL'
  | 'FMA'
  | 'INV'
  | 'MULADD'
  | 'EQ'
  | 'CANONICAL'
  | 'NONZERO'
  | 'VALID'
  | 'IDENTITY'

type Shape = { readonly name: OpName; readonly result: ValueKind; readonly operands: readonly ValueKind[]; readonly immediate?: 32 | 64 }
const word = 'word'
const point = 'point'

/** All instructions by opcode: kind of the result and of the operands, which are the first fields. */
export const instructionSet: readonly Shape[] = [
  { name: 'CONST_WORD', result: word, operands: [], immediate: 32 },
  { name: 'CONST_POINT', result: point, operands: [], immediate: 64 },
  { name: 'PUBLIC', result: word, operands: [] },
  { name: 'LENGTH', result: word, operands: [] },
  { name: 'WORD', result: word, operands: [] },
  { name: 'POINT', result: point, operands: [] },
  { name: 'CHUNK', result: word, operands: [] },
  { name: 'HASH2', result: word, operands: [word, word] },
  { name: 'HASH3', result: word, operands: [word, word, word] },
  { name: 'REDUCE', result: word, operands: [word, word] },
  { name: 'ADD', result: word, operands: [word, word] },
  { name: 'SUB', result: word, operands: [word, word] },
  { name: 'MUL', result: word, operands: [word, word] },
  { name: 'FMA', result: word, operands: [word, word, word] },
  { name: 'INV', result: word, operands: [word] },
  { name: 'MULADD', result: point, operands: [point, word, point] },
  { name: 'EQ', result: word, operands: [word, word, word] },
  { name: 'CANONICAL', result: word, operands: [word, word] },
  { name: 'NONZERO', result: word, operands: [word, word] },
  { name: 'VALID', result: word, operands: [word, point] },
  { name: 'IDENTITY', result: word, operands: [word, point] },
]

// Every name of the type is in the table: the record below has no other keys.
const opcodes = Object.fromEntries(instructionSet.map(({ name }, opcode) => [name, opcode])) as Readonly<Record<OpName, number>>

/** The opcode of an instruction. */
export function opcodeOf(name: OpName): number {
  return opcodes[name]
}

/** One instruction: opcode, three fields (operands, source, offset, length or index) and the bytes of a constant. */
export type Instruction = {
  readonly opcode: number
  readonly a: number
  readonly b: number
  readonly c: number
  readonly immediate: Uint8Array
}

/** u8 opcode | u32 a | u32 b | u32 c | immediate. */
export function encodeInstruction({ opcode, a, b, c, immediate }: Instruction): Uint8Array {
  const head = new Uint8Array(13)
  const view = new DataView(head.buffer)
  view.setUint8(0, opcode)
  ;[a, b, c].forEach((field, k) => {
    view.setUint32(1 + 4 * k, field)
  })
  return concatBytes(head, immediate)
}

/** Reads an instruction; undefined if it has no meaning. */
export function decodeInstruction(bytes: Uint8Array): Instruction | undefined {
  if (bytes.length < 13) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const opcode = view.getUint8(0)
  const shape = instructionSet[opcode]
  if (shape === undefined || bytes.length !== 13 + (shape.immediate ?? 0)) return undefined
  return { opcode, a: view.getUint32(1), b: view.getUint32(5), c: view.getUint32(9), immediate: bytes.slice(13) }
}

/** The nodes that an instruction reads. */
export function operandsOf({ opcode, a, b, c }: Instruction): readonly number[] {
  return [a, b, c].slice(0, instructionSet[opcode]?.operands.length ?? 0)
}
