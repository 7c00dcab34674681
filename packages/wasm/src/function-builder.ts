import { ByteWriter } from './byte-writer.ts'
import { InvalidEmissionError } from './errors.ts'
import { type Opcode, opcodes } from './opcodes.ts'
import { type ValueType, valueTypeCodes } from './value-type.ts'

/** The index of a local of one function; parameters come first. */
export type Local = number

/**
 * Writes the body of one function. Instructions come from the opcode table; `repeat` writes the one loop shape that
 * the inspector accepts, so that the work of a module is known without running it.
 *
 * @example
 * const square = new FunctionBuilder(['i32'], ['i32'])
 * square.get(0).get(0).op('i32.mul')
 */
export class FunctionBuilder {
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
  readonly #locals: ValueType[] = []
  readonly #code = new ByteWriter()
  readonly #prologue = new ByteWriter()
  readonly #constants = new Map<string, Local>()

  constructor(parameters: readonly ValueType[] = [], results: readonly ValueType[] = []) {
    this.parameters = parameters
    this.results = results
  }

  local(type: ValueType): Local {
    this.#locals.push(type)
    return this.parameters.length + this.#locals.length - 1
  }

  locals(type: ValueType, count: number): readonly Local[] {
    return Array.from({ length: count }, () => this.local(type))
  }

  /** An instruction without immediates. */
  op(...names: readonly Opcode[]): this {
    for (const name of names) {
      const [code, immediate] = opcodes[name]
      if (immediate !== 'none') throw new InvalidEmissionError(`${name} needs an immediate`)
      this.#opcode(code)
    }
    return this
  }

  /** A load or store at the address on the stack plus `offset`. The alignment hint is left at one byte. */
  memory(name: Opcode, offset = 0): this {
    const [code, immediate] = opcodes[name]
    if (immediate !== 'memory') throw new InvalidEmissionError(`${name} is not a load or store`)
    this.#opcode(code)
    this.#code.u32(0).u32(offset)
    return this
  }

  /** A lane load or store. */
  memoryLane(name: Opcode, lane: number, offset = 0): this {
    const [code, immediate] = opcodes[name]
    if (immediate !== 'memory-lane') throw new InvalidEmissionError(`${name} is not a lane load or store`)
    this.#opcode(code)
    this.#code.u32(0).u32(offset).byte(lane)
    return this
  }

  lane(name: Opcode, lane: number): this {
    const [code, immediate] = opcodes[name]
    if (immediate !== 'lane') throw new InvalidEmissionError(`${name} takes no lane`)
    this.#opcode(code)
    this.#code.byte(lane)
    return this
  }

  shuffle(lanes: readonly number[]): this {
    if (lanes.length !== 16) throw new InvalidEmissionError('a shuffle names 16 lanes')
    this.#opcode(opcodes['i8x16.shuffle'][0])
    this.#code.bytes(lanes)
    return this
  }

  get(local: Local): this {
    this.#code.byte(0x20).u32(local)
    return this
  }

  set(local: Local): this {
    this.#code.byte(0x21).u32(local)
    return this
  }

  tee(local: Local): this {
    this.#code.byte(0x22).u32(local)
    return this
  }

  i32(value: number): this {
    this.#code.byte(0x41).s32(value)
    return this
  }

  i64(value: bigint): this {
    this.#code.byte(0x42).s64(value)
    return this
  }

  f32(value: number): this {
    this.#code.byte(0x43).f32(value)
    return this
  }

  v128(bytes: Uint8Array): this {
    if (bytes.length !== 16) throw new InvalidEmissionError('a vector constant has 16 bytes')
    this.#opcode(opcodes['v128.const'][0])
    this.#code.bytes(bytes)
    return this
  }

  /**
   * The same value, made once at the top of the function and kept in a local. For constants in loops: engines make a constant
   * where it is written, in three instructions, but reload a local in one or keep it in a register.
   */
  hoisted(bytes: Uint8Array): this {
    const key = bytes.join()
    let local = this.#constants.get(key)
    if (local === undefined) {
      if (bytes.length !== 16) throw new InvalidEmissionError('a vector constant has 16 bytes')
      local = this.local('v128')
      this.#constants.set(key, local)
      this.#prologue
        .byte(opcodes['v128.const'][0] >> 8)
        .u32(opcodes['v128.const'][0] & 255)
        .bytes(bytes)
        .byte(0x21)
        .u32(local)
    }
    return this.get(local)
  }

  call(functionIndex: number): this {
    this.#code.byte(0x10).u32(functionIndex)
    return this
  }

  /** local += bytes */
  advance(local: Local, bytes: number): this {
    return bytes === 0 ? this : this.get(local).i32(bytes).op('i32.add').set(local)
  }

  /**
   * The body, `count` times. Nothing is written for zero, and no loop for one. The shape is
   * `i32.const count, local.set c, loop, body, local.get c, i32.const 1, i32.sub, local.tee c, br_if 0, end`
   * where the body never writes c: the inspector reads the count back from it.
   */
  repeat(count: number, body: () => void): this {
    if (!Number.isInteger(count) || count < 0 || count > 0x7fffffff) throw new InvalidEmissionError(`a loop cannot run ${count} times`)
    if (count === 0) return this
    if (count === 1) {
      body()
      return this
    }
    const counter = this.local('i32')
    this.i32(count).set(counter)
    this.#code.byte(0x03).byte(0x40)
    body()
    this.get(counter).i32(1).op('i32.sub').tee(counter)
    this.#code.byte(0x0d).u32(0).byte(0x0b)
    return this
  }

  /** Locals and code, without the length in front. */
  finish(): Uint8Array<ArrayBuffer> {
    const runs: { type: ValueType; count: number }[] = []
    for (const type of this.#locals) {
      const last = runs.at(-1)
      if (last?.type === type) last.count++
      else runs.push({ type, count: 1 })
    }
    const body = new ByteWriter().u32(runs.length)
    for (const run of runs) body.u32(run.count).byte(valueTypeCodes[run.type])
    return body.bytes(this.#prologue.finish()).bytes(this.#code.finish()).byte(0x0b).finish()
  }

  #opcode(code: number): void {
    if (code < 256) this.#code.byte(code)
    else this.#code.byte(code >> 8).u32(code & 255)
  }
}
