// A second implementation of docs/spec/verifier-trace.md, sections 2 to 4, over @noble/curves, written from the page alone: what the
// contracts are compared with. Programs here are made by tests; those of real layers come from @tacit/proof.
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { type Bytes32, concatBytes, parseBytes32, toHex } from '@tacit/protocol'
import type { OpenedStep } from '../../src/index.ts'

export const order = secp256k1.Point.Fn.ORDER
export const fieldSize = secp256k1.Point.Fp.ORDER

export const ops = {
  CONST_WORD: 0,
  CONST_POINT: 1,
  PUBLIC: 2,
  LENGTH: 3,
  WORD: 4,
  POINT: 5,
  CHUNK: 6,
  HASH2: 7,
  HASH3: 8,
  REDUCE: 9,
  ADD: 10,
  SUB: 11,
  MUL: 12,
  FMA: 13,
  INV: 14,
  MULADD: 15,
  EQ: 16,
  CANONICAL: 17,
  NONZERO: 18,
  VALID: 19,
  IDENTITY: 20,
} as const

export type Op = keyof typeof ops
export type Value = { readonly kind: 'word'; readonly word: bigint } | { readonly kind: 'point'; readonly x: bigint; readonly y: bigint }
export type Instruction = { readonly op: Op; readonly fields: readonly number[]; readonly immediate?: Value }
export type Surroundings = { readonly words: readonly Bytes32[]; readonly sources: readonly Uint8Array[] }

const operandCounts: Partial<Record<Op, number>> = {
  ...{ HASH2: 2, HASH3: 3, REDUCE: 2, ADD: 2, SUB: 2, MUL: 2, FMA: 3, INV: 1, MULADD: 3, EQ: 3, CANONICAL: 2, NONZERO: 2 },
  ...{ VALID: 2, IDENTITY: 2 },
}
const chunkBytes = 1024

export const word = (value: bigint): Value => ({ kind: 'word', word: value })
export const point = (x: bigint, y: bigint): Value => ({ kind: 'point', x, y })
export const identity = point(0n, 0n)

/** s G as a value. */
export function multipleOfGenerator(scalar: bigint): Value {
  return fromNoble(secp256k1.Point.BASE.multiplyUnsafe(scalar % order))
}

export function operandsOf({ op, fields }: Instruction): readonly number[] {
  return fields.slice(0, operandCounts[op] ?? 0)
}

/** The value of one instruction. */
export function evaluate(instruction: Instruction, operands: readonly Value[], { words, sources }: Surroundings): Value {
  const { op, fields, immediate } = instruction
  const [a = 0, b = 0, c = 0] = fields
  const [p, q, r] = operands
  switch (op) {
    case 'CONST_WORD':
    case 'CONST_POINT':
      return immediate ?? fail()
    case 'PUBLIC':
      return word(BigInt(words[a] ?? fail()))
    case 'LENGTH':
      return word(BigInt((sources[a] ?? fail()).length))
    case 'WORD':
      return word(toNumber(bytesAt(sources[a] ?? fail(), b, 32)))
    case 'POINT':
      return decompress(bytesAt(sources[a] ?? fail(), b, 33))
    case 'CHUNK':
      return word(toNumber(keccak_256(bytesAt(sources[a] ?? fail(), b, c))))
    case 'HASH2':
    case 'HASH3':
      return word(toNumber(keccak_256(concatBytes(...operands.map((value) => bytes32(asWord(value)))))))
    case 'REDUCE':
      return word(((asWord(p) << 256n) + asWord(q)) % order)
    case 'ADD':
      return word((asWord(p) + asWord(q)) % order)
    case 'SUB':
      return word((asWord(p) + order - (asWord(q) % order)) % order)
    case 'MUL':
      return word((asWord(p) * asWord(q)) % order)
    case 'FMA':
      return word((asWord(p) * asWord(q) + asWord(r)) % order)
    case 'INV':
      return word(asWord(p) % order === 0n ? 0n : secp256k1.Point.Fn.inv(asWord(p) % order))
    case 'MULADD':
      return fromNoble(toNoble(p).add(toNoble(r).multiplyUnsafe(asWord(q) % order)))
    case 'EQ':
      return word(asWord(q) === asWord(r) ? asWord(p) : 0n)
    case 'CANONICAL':
      return word(asWord(q) < order ? asWord(p) : 0n)
    case 'NONZERO':
      return word(asWord(q) !== 0n ? asWord(p) : 0n)
    case 'VALID':
      return word(isIdentity(q) ? 0n : asWord(p))
    case 'IDENTITY':
      return word(isIdentity(q) ? asWord(p) : 0n)
  }
}

/** Every value of a program; `lies` replace some, and what follows from them is computed from the lies. */
export function runProgram(
  program: readonly Instruction[],
  surroundings: Surroundings,
  lies: ReadonlyMap<number, Value> = new Map(),
): readonly Value[] {
  const values: Value[] = []
  for (const [k, instruction] of program.entries())
    values.push(
      lies.get(k) ??
        evaluate(
          instruction,
          operandsOf(instruction).map((operand) => values[operand] ?? fail()),
          surroundings,
        ),
    )
  return values
}

// ------------------------------------------------------------------------------------------------------------------ trees

export type Tree = readonly (readonly Bytes32[])[]

/** All nodes, leaves first. */
export function treeOf(leaves: readonly Bytes32[]): Tree {
  let level = [...leaves]
  while (level.length & (level.length - 1)) level.push(`0x${'00'.repeat(32)}` as Bytes32) // 64 digits
  const tree = [level]
  for (; level.length > 1; tree.push(level))
    level = Array.from({ length: level.length / 2 }, (_, k) =>
      hash(Uint8Array.of(1), toBytes(level[2 * k] ?? fail()), toBytes(level[2 * k + 1] ?? fail())),
    )
  return tree
}

export function rootOf(tree: Tree): Bytes32 {
  return tree.at(-1)?.[0] ?? fail()
}

export function pathOf(tree: Tree, index: number): readonly Bytes32[] {
  return tree.slice(0, -1).map((level, height) => level[(index >> height) ^ 1] ?? fail())
}

export function valueLeaf(index: number, value: Value): Bytes32 {
  if (value.kind === 'word') return hash(Uint8Array.of(0), u32(index), Uint8Array.of(0), bytes32(value.word))
  return hash(Uint8Array.of(0), u32(index), Uint8Array.of(1), bytes32(value.x), bytes32(value.y))
}

export function instructionLeaf(index: number, instruction: Instruction): Bytes32 {
  return rawInstructionLeaf(index, encodeInstruction(instruction))
}

export function rawInstructionLeaf(index: number, encoded: Uint8Array): Bytes32 {
  return hash(Uint8Array.of(2), u32(index), encoded)
}

export function encodeInstruction({ op, fields, immediate }: Instruction): Uint8Array {
  const [a = 0, b = 0, c = 0] = fields
  const tail =
    immediate === undefined ? [] : immediate.kind === 'word' ? [bytes32(immediate.word)] : [bytes32(immediate.x), bytes32(immediate.y)]
  return concatBytes(Uint8Array.of(ops[op]), u32(a), u32(b), u32(c), ...tail)
}

// ---------------------------------------------------------------------------------------------------------------- sources

export function sourceDigest(source: Uint8Array): Bytes32 {
  return hash(bytes32(BigInt(source.length)), toBytes(chunkLevels(source).at(-1)?.[0] ?? zeroWord))
}

export function openSource(source: Uint8Array, offset: number, size: number): NonNullable<OpenedStep['source']> {
  const levels = chunkLevels(source)
  const chunks = []
  for (let chunk = Math.floor(offset / chunkBytes); chunk * chunkBytes < Math.min(offset + size, source.length); chunk++) {
    const siblings = levels.slice(0, -1).flatMap((level, height) => {
      const sibling = level[(chunk >> height) ^ 1]
      return sibling === undefined ? [] : [toBytes(sibling)]
    })
    chunks.push({ data: source.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes), siblings })
  }
  return { length: source.length, root: toBytes(levels.at(-1)?.[0] ?? zeroWord), chunks }
}

const zeroWord = parseBytes32(`0x${'00'.repeat(32)}`)

function chunkLevels(source: Uint8Array): readonly (readonly Bytes32[])[] {
  let level: Bytes32[] = []
  for (let start = 0; start < source.length; start += chunkBytes) level.push(hash(source.subarray(start, start + chunkBytes)))
  const levels = [level]
  for (; level.length > 1; levels.push(level)) {
    const below = level
    level = Array.from({ length: (below.length + 1) >> 1 }, (_, k) => {
      const right = below[2 * k + 1]
      return right === undefined ? (below[2 * k] ?? fail()) : hash(toBytes(below[2 * k] ?? fail()), toBytes(right))
    })
  }
  return levels
}

// ------------------------------------------------------------------------------------------------------------------- step

/** What the chain needs to execute instruction `index`; operands are opened along `pathTo`. */
export function openStep(
  index: number,
  program: readonly Instruction[],
  trace: { readonly values: readonly Value[]; readonly pathTo: (leaf: number) => readonly Bytes32[] },
  { sources }: Surroundings,
): OpenedStep {
  const instruction = program[index] ?? fail()
  const instructions = treeOf(program.map((each, k) => instructionLeaf(k, each)))
  const [source = 0, offset = 0, size = 0] = instruction.fields
  const read: Partial<Record<Op, number>> = { LENGTH: 0, WORD: 32, POINT: 33, CHUNK: size }
  const length = read[instruction.op]
  return {
    instruction: encodeInstruction(instruction),
    instructionPath: pathOf(instructions, index).map(toBytes),
    operands: operandsOf(instruction).map((operand) => ({
      value: encodeValue(trace.values[operand] ?? fail()),
      path: trace.pathTo(operand).map(toBytes),
    })),
    source: length === undefined ? undefined : openSource(sources[source] ?? fail(), length === 0 ? 0 : offset, length),
  }
}

export function encodeValue(value: Value): Uint8Array {
  return value.kind === 'word' ? bytes32(value.word) : concatBytes(bytes32(value.x), bytes32(value.y))
}

// ------------------------------------------------------------------------------------------------------------------ bytes

function bytesAt(source: Uint8Array, offset: number, size: number): Uint8Array {
  const out = new Uint8Array(size)
  out.set(source.subarray(Math.min(offset, source.length), Math.min(offset + size, source.length)))
  return out
}

function decompress(encoded: Uint8Array): Value {
  try {
    return fromNoble(secp256k1.Point.fromBytes(encoded))
  } catch {
    return identity
  }
}

function toNoble(value: Value | undefined): InstanceType<typeof secp256k1.Point> {
  if (value?.kind !== 'point') return fail()
  return isIdentity(value) ? secp256k1.Point.ZERO : secp256k1.Point.fromAffine({ x: value.x, y: value.y })
}

function fromNoble(value: InstanceType<typeof secp256k1.Point>): Value {
  if (value.is0()) return identity
  const { x, y } = value.toAffine()
  return point(x, y)
}

function isIdentity(value: Value | undefined): boolean {
  if (value?.kind !== 'point') return fail()
  return value.x === 0n && value.y === 0n
}

function asWord(value: Value | undefined): bigint {
  return value?.kind === 'word' ? value.word : fail()
}

function hash(...parts: readonly Uint8Array[]): Bytes32 {
  return parseBytes32(toHex(keccak_256(concatBytes(...parts))))
}

export function bytes32(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(toHex(bytes))
}

export function toBytes(value: Bytes32): Uint8Array {
  return bytes32(BigInt(value))
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

function fail(): never {
  throw new Error('The test program is wrong')
}
