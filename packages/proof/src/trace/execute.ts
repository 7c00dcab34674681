// What every instruction computes (docs/spec/verifier-trace.md, section 3): the model of the step that a chain executes. Total: there is a
// value whatever the operands, the public words and the source bytes are.
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes } from '@tacit/protocol'
import { invert, mod, ORDER } from '../kernels/field.ts'
import { type Instruction, instructionSet } from './instruction.ts'
import { toNumber, type Value, wordBytes } from './value.ts'

/** A point of the curve, the identity included. */
export type CurvePoint = InstanceType<typeof secp256k1.Point>
const { Point } = secp256k1

/** What an instruction may read besides its own fields. */
export type Reads = {
  /** A public word. */
  readonly publicWord: (index: number) => Uint8Array
  /** Length of a source. */
  readonly length: (source: number) => number
  /** Bytes of a source; those behind its end are zero. */
  readonly bytes: (source: number, offset: number, length: number) => Uint8Array
  /** The value of an earlier node. */
  readonly operand: (node: number) => Value
}

/** The value of an instruction. */
export function execute(instruction: Instruction, reads: Reads): Value {
  const { a, b, c, immediate } = instruction
  const name = instructionSet[instruction.opcode]?.name
  const operand = reads.operand
  const number = (node: number): bigint => toNumber(operand(node))
  const scalar = (value: bigint): Value => wordBytes(mod(value))
  // the verdict so far, as long as this check holds too
  const check = (holds: boolean): Value => (holds ? operand(a) : new Uint8Array(32))
  switch (name) {
    case 'CONST_WORD':
    case 'CONST_POINT':
      return immediate
    case 'PUBLIC':
      return reads.publicWord(a)
    case 'LENGTH':
      return wordBytes(BigInt(reads.length(a)))
    case 'WORD':
      return reads.bytes(a, b, 32)
    case 'POINT':
      return encodePoint(decompress(reads.bytes(a, b, 33)))
    case 'CHUNK':
      return keccak_256(reads.bytes(a, b, c))
    case 'HASH2':
      return keccak_256(concatBytes(operand(a), operand(b)))
    case 'HASH3':
      return keccak_256(concatBytes(operand(a), operand(b), operand(c)))
    case 'REDUCE':
      return scalar((number(a) << 256n) + number(b))
    case 'ADD':
      return scalar(number(a) + number(b))
    case 'SUB':
      return scalar(number(a) - number(b))
    case 'MUL':
      return scalar(number(a) * number(b))
    case 'FMA':
      return scalar(number(a) * number(b) + number(c))
    case 'INV':
      return wordBytes(invert(number(a)))
    case 'MULADD':
      return encodePoint(decodePoint(operand(a)).add(multiply(decodePoint(operand(c)), number(b))))
    case 'EQ':
      return check(number(b) === number(c))
    case 'CANONICAL':
      return check(number(b) < ORDER)
    case 'NONZERO':
      return check(number(b) !== 0n)
    case 'VALID':
      return check(operand(b).some((byte) => byte !== 0))
    case 'IDENTITY':
      return check(operand(b).every((byte) => byte === 0))
    case undefined:
      throw new RangeError('There is no such instruction.')
  }
}

/** s P for any word s. */
export function multiply(point: CurvePoint, scalar: bigint): CurvePoint {
  const s = mod(scalar)
  return s === 0n ? Point.ZERO : point.multiplyUnsafe(s)
}

/** The point of a canonical compressed encoding, otherwise the identity. */
export function decompress(bytes: Uint8Array): CurvePoint {
  try {
    return Point.fromBytes(bytes)
  } catch {
    return Point.ZERO
  }
}

/** x | y; 64 zero bytes for the identity. */
export function encodePoint(point: CurvePoint): Value {
  if (point.is0()) return new Uint8Array(64)
  const { x, y } = point.toAffine()
  return concatBytes(wordBytes(x), wordBytes(y))
}

/** The point that a node holds. */
export function decodePoint(value: Value): CurvePoint {
  if (value.every((byte) => byte === 0)) return Point.ZERO
  return Point.fromAffine({ x: toNumber(value.subarray(0, 32)), y: toNumber(value.subarray(32)) })
}
