// Writes a program down while verifier text runs. Equal instructions are one node; sums with zero and products with zero or one are none.
import { toNumber } from './value.ts'
import { opcodeOf, type OpName } from './instruction.ts'
import { Program } from './program.ts'
import { mod } from '../kernels/field.ts'
import { wordBytes } from './value.ts'

/** A node of the program, by its index. */
export type Node = number

/** Grows a program. Scalars are words modulo the group order. */
export class Recorder {
  #count = 0
  #opcodes = new Uint8Array(1 << 12)
  #fields = new Uint32Array(3 << 12)
  #slots = new Int32Array(1 << 14).fill(-1)
  readonly #immediates = new Map<number, Uint8Array>()
  readonly #constants = new Map<bigint, Node>()
  readonly #values = new Map<Node, bigint>()
  readonly #points = new Map<string, Node>()
  readonly zero: Node
  readonly one: Node

  constructor() {
    this.zero = this.constant(0n)
    this.one = this.constant(1n)
  }

  /** A word that the program carries. */
  constant(value: bigint): Node {
    const known = this.#constants.get(value)
    if (known !== undefined) return known
    const node = this.#append('CONST_WORD', 0, 0, 0)
    this.#immediates.set(node, wordBytes(value))
    this.#constants.set(value, node)
    this.#values.set(node, value)
    return node
  }

  /** An integer as a scalar. */
  scalar(value: bigint | number): Node {
    return this.constant(mod(BigInt(value)))
  }

  /** 32 bytes that the program carries. */
  bytes(word: Uint8Array): Node {
    return this.constant(toNumber(word))
  }

  /** A point that the program carries, 64 bytes. */
  point(bytes: Uint8Array): Node {
    const key = bytes.join()
    const known = this.#points.get(key)
    if (known !== undefined) return known
    const node = this.#append('CONST_POINT', 0, 0, 0)
    this.#immediates.set(node, bytes)
    this.#points.set(key, node)
    return node
  }

  /** Any other instruction. */
  emit(name: OpName, a: number, b = 0, c = 0): Node {
    const opcode = opcodeOf(name)
    let slot = this.#slotOf(opcode, a, b, c)
    for (; ; slot = (slot + 1) % this.#slots.length) {
      const node = this.#slots[slot] ?? -1
      if (node < 0) break
      if (
        this.#opcodes[node] === opcode &&
        this.#fields[3 * node] === a &&
        this.#fields[3 * node + 1] === b &&
        this.#fields[3 * node + 2] === c
      )
        return node
    }
    const node = this.#append(name, a, b, c)
    this.#slots[slot] = node
    if (2 * this.#count > this.#slots.length) this.#rehash()
    return node
  }

  /** a + b */
  add(a: Node, b: Node): Node {
    const [x, y] = [this.#values.get(a), this.#values.get(b)]
    if (x !== undefined && y !== undefined) return this.scalar(x + y)
    if (x === 0n) return b
    if (y === 0n) return a
    return this.emit('ADD', Math.min(a, b), Math.max(a, b))
  }

  /** a - b */
  sub(a: Node, b: Node): Node {
    const [x, y] = [this.#values.get(a), this.#values.get(b)]
    if (x !== undefined && y !== undefined) return this.scalar(x - y)
    if (y === 0n) return a
    return this.emit('SUB', a, b)
  }

  /** -a */
  negate(a: Node): Node {
    return this.sub(this.zero, a)
  }

  /** a b */
  mul(a: Node, b: Node): Node {
    const [x, y] = [this.#values.get(a), this.#values.get(b)]
    if (x !== undefined && y !== undefined) return this.scalar(x * y)
    if (x === 0n || y === 0n) return this.zero
    if (x === 1n) return b
    if (y === 1n) return a
    return this.emit('MUL', Math.min(a, b), Math.max(a, b))
  }

  /** a b + c */
  fma(a: Node, b: Node, c: Node): Node {
    const [x, y] = [this.#values.get(a), this.#values.get(b)]
    if (x === 0n || y === 0n) return c
    if (c === this.zero || x === 1n || y === 1n || (x !== undefined && y !== undefined)) return this.add(this.mul(a, b), c)
    return this.emit('FMA', Math.min(a, b), Math.max(a, b), c)
  }

  /** The sum of some scalars. */
  sum(values: readonly Node[]): Node {
    return values.reduce((sum, value) => this.add(sum, value), this.zero)
  }

  /** <a, b> over the entries of the shorter one. */
  dot(a: readonly Node[], b: readonly Node[]): Node {
    let sum = this.zero
    const n = Math.min(a.length, b.length)
    for (let k = 0; k < n; k++) sum = this.fma(a[k] ?? this.zero, b[k] ?? this.zero, sum)
    return sum
  }

  /** 1, t, .., t^(n-1) */
  powers(t: Node, n: number): readonly Node[] {
    const powers: Node[] = []
    for (let k = 0, power = this.one; k < n; k++, power = this.mul(power, t)) powers.push(power)
    return powers
  }

  /** a_i b_j at i nb + j. */
  outer(a: readonly Node[], b: readonly Node[]): readonly Node[] {
    return a.flatMap((x) => b.map((y) => this.mul(x, y)))
  }

  /** The program so far; its last instruction is the last one emitted. */
  finish(): Program {
    return new Program(this.#opcodes.slice(0, this.#count), this.#fields.slice(0, 3 * this.#count), this.#immediates)
  }

  #append(name: OpName, a: number, b: number, c: number): Node {
    if (this.#count === this.#opcodes.length) {
      const [opcodes, fields] = [new Uint8Array(2 * this.#count), new Uint32Array(6 * this.#count)]
      opcodes.set(this.#opcodes)
      fields.set(this.#fields)
      this.#opcodes = opcodes
      this.#fields = fields
    }
    this.#opcodes[this.#count] = opcodeOf(name)
    this.#fields.set([a, b, c], 3 * this.#count)
    return this.#count++
  }

  #slotOf(opcode: number, a: number, b: number, c: number): number {
    let hash = opcode + 1
    for (const field of [a, b, c]) hash = Math.imul(hash ^ (field + 0x9e3779b9), 0x85ebca6b) ^ (hash >>> 13)
    return (hash >>> 0) % this.#slots.length
  }

  #rehash(): void {
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1)
    for (let node = 0; node < this.#count; node++) {
      if (this.#immediates.has(node)) continue
      const [a = 0, b = 0, c = 0] = this.#fields.subarray(3 * node, 3 * node + 3)
      let slot = this.#slotOf(this.#opcodes[node] ?? 0, a, b, c)
      while ((this.#slots[slot] ?? -1) >= 0) slot = (slot + 1) % this.#slots.length
      this.#slots[slot] = node
    }
  }
}
