import { ByteReader } from './byte-reader.ts'
import type { DecodedModule, FunctionBody, FunctionType } from './decode-module.ts'
import { isAllowedOpcode } from './inspection-policy.ts'
import { type Instruction, readInstruction } from './instruction.ts'
import { opcodes } from './opcodes.ts'
import { type ValueType, valueTypeLetters } from './value-type.ts'

/** Why a module was refused, as a stable word. */
export type RefusalReason =
  | 'malformed'
  | 'too-large'
  | 'import'
  | 'start'
  | 'table'
  | 'global'
  | 'memory'
  | 'data'
  | 'export'
  | 'custom-section'
  | 'opcode'
  | 'loop'
  | 'call'
  | 'type'
  | 'work'

export type Refusal = { readonly reason: RefusalReason; readonly detail: string; readonly offset: number }

/** Ends an inspection; caught by `inspectModule`, which returns the refusal as data. */
export class RefusedSignal extends Error {
  readonly refusal: Refusal
  constructor(reason: RefusalReason, detail: string, offset: number) {
    super(detail)
    this.refusal = { reason, detail, offset }
  }
}

export type FunctionContext = {
  readonly bytes: Uint8Array
  readonly module: DecodedModule
  readonly maxLoopDepth: number
  readonly maxWork: number
  /** The work of every function before this one. */
  readonly workOf: readonly number[]
}

type Loop = { readonly counter: number; readonly count: number; readonly height: number; work: number }

/**
 * Checks one function and returns the number of instructions that one call executes, callees included.
 *
 * Control flow is straight lines and counted loops (see `FunctionBuilder.repeat`), so types are checked with one stack
 * and no join points, and the work is exact, not a bound.
 * @throws RefusedSignal
 */
export function inspectFunction(index: number, body: FunctionBody, context: FunctionContext): number {
  return new FunctionInspector(index, body, context).run()
}

class FunctionInspector {
  readonly #index: number
  readonly #context: FunctionContext
  readonly #type: FunctionType
  readonly #reader: ByteReader
  /** One letter per local and one per stack slot, as in the opcode table. */
  readonly #locals: string[] = []
  readonly #stack: string[] = []
  readonly #loops: Loop[] = []
  #work = 0

  constructor(index: number, body: FunctionBody, context: FunctionContext) {
    this.#index = index
    this.#context = context
    const type = context.module.types[context.module.functions[index] ?? -1]
    if (type === undefined) throw new RefusedSignal('type', 'A function has no type.', body.start)
    this.#type = type
    this.#reader = new ByteReader(context.bytes, body.start, body.end)
    for (const parameter of type.parameters) this.#locals.push(letter(parameter))
    for (const { type: local, count } of body.locals) for (let i = 0; i < count; i++) this.#locals.push(letter(local))
  }

  run(): number {
    // The two instructions before the current one: a loop must follow `i32.const n, local.set c`.
    let before: Instruction | undefined
    let last: Instruction | undefined
    for (;;) {
      const instruction = readInstruction(this.#reader)
      if (!isAllowedOpcode(instruction.opcode)) this.#refuse('opcode', `${instruction.opcode} is not allowed`, instruction)
      if (instruction.opcode === 'end') {
        this.#endFunction(instruction)
        return this.#work
      }
      if (instruction.opcode === 'loop') this.#enterLoop(instruction, before, last)
      else if (!this.#leaveLoop(instruction)) this.#step(instruction)
      if (this.#work > this.#context.maxWork) this.#refuse('work', `more than ${this.#context.maxWork} instructions`, instruction)
      before = last
      last = instruction
    }
  }

  #enterLoop(loop: Instruction, constant: Instruction | undefined, store: Instruction | undefined): void {
    if (loop.index !== -64) this.#refuse('loop', 'a loop has a result or parameters', loop)
    if (constant?.opcode !== 'i32.const' || store?.opcode !== 'local.set')
      this.#refuse('loop', 'a loop is not preceded by its constant count', loop)
    if (constant.index < 1) this.#refuse('loop', `a loop counts down from ${constant.index}`, loop)
    if (this.#loops.length >= this.#context.maxLoopDepth) this.#refuse('loop', 'loops are nested too deeply', loop)
    const counter = store.index
    if (this.#loops.some((outer) => outer.counter === counter)) this.#refuse('loop', 'two nested loops share a counter', loop)
    this.#count(1)
    this.#loops.push({ counter, count: constant.index, height: this.#stack.length, work: this.#work })
    this.#work = 0
  }

  // The tail `local.get c, i32.const 1, i32.sub, local.tee c, br_if 0, end` of the innermost loop, read as one.
  #leaveLoop(first: Instruction): boolean {
    const loop = this.#loops.at(-1)
    if (loop === undefined || first.opcode !== 'local.get' || first.index !== loop.counter) return false
    const start = this.#reader.offset
    const tail = ['i32.const', 'i32.sub', 'local.tee', 'br_if', 'end']
    for (const [place, expected] of tail.entries()) {
      const found = readInstruction(this.#reader)
      const index = [1, 0, loop.counter, 0, 0][place]
      if (found.opcode !== expected || found.index !== index) {
        this.#reader.offset = start
        return false
      }
    }
    if (this.#stack.length !== loop.height) this.#refuse('type', 'a loop body leaves values behind', first)
    this.#loops.pop()
    // local.get, i32.const, i32.sub, local.tee and br_if run every time; the end only once, on the way out.
    this.#work = loop.work + (this.#work + 5) * loop.count + 1
    return true
  }

  #endFunction(end: Instruction): void {
    if (this.#loops.length > 0) this.#refuse('loop', 'a loop does not end by counting down to zero', end)
    if (!this.#reader.done) this.#refuse('malformed', 'instructions follow the end of a function', end)
    if (this.#stack.join('') !== this.#type.results.map(letter).join('')) this.#refuse('type', 'a function leaves the wrong results', end)
    this.#count(1)
  }

  #step(instruction: Instruction): void {
    const { opcode } = instruction
    this.#count(1)
    const [, immediate] = opcodes[opcode]
    if (opcode === 'br_if') this.#refuse('loop', 'a branch is not the end of a counted loop', instruction)
    if (immediate === 'local') this.#local(instruction)
    else if (opcode === 'call') this.#call(instruction)
    else if (opcode === 'drop') this.#pop(instruction)
    else if (opcode === 'select') this.#select(instruction)
    else this.#operator(instruction)
  }

  #operator(instruction: Instruction): void {
    const { opcode } = instruction
    const [, immediate, operands, results] = opcodes[opcode]
    if (immediate === 'memory' || immediate === 'memory-lane') this.#alignment(instruction)
    if ((immediate === 'lane' || immediate === 'memory-lane') && instruction.index >= laneCount(opcode))
      this.#refuse('type', `${opcode} names a lane that does not exist`, instruction)
    for (let i = operands.length - 1; i >= 0; i--) this.#pop(instruction, operands[i])
    for (const result of results) this.#stack.push(result)
  }

  #local(instruction: Instruction): void {
    const type = this.#locals[instruction.index]
    if (type === undefined) this.#refuse('type', 'a local does not exist', instruction)
    if (instruction.opcode === 'local.get') {
      this.#stack.push(type)
      return
    }
    if (this.#loops.some((loop) => loop.counter === instruction.index)) this.#refuse('loop', 'a loop body writes its counter', instruction)
    this.#pop(instruction, type)
    if (instruction.opcode === 'local.tee') this.#stack.push(type)
  }

  #call(instruction: Instruction): void {
    const work = this.#context.workOf[instruction.index]
    // Only functions before this one have a known work: that excludes recursion.
    if (work === undefined || instruction.index >= this.#index) this.#refuse('call', 'a function calls itself or a later one', instruction)
    const type = this.#context.module.types[this.#context.module.functions[instruction.index] ?? -1]
    for (const parameter of [...(type?.parameters ?? [])].reverse()) this.#pop(instruction, letter(parameter))
    for (const result of type?.results ?? []) this.#stack.push(letter(result))
    this.#count(work)
  }

  #select(instruction: Instruction): void {
    this.#pop(instruction, 'i')
    const second = this.#pop(instruction)
    this.#pop(instruction, second)
    if (second === 'v') this.#refuse('type', 'select without a type chooses between vectors', instruction)
    this.#stack.push(second)
  }

  #alignment(instruction: Instruction): void {
    if (2 ** instruction.align > accessBytes(instruction.opcode)) this.#refuse('type', `${instruction.opcode} is over-aligned`, instruction)
  }

  #pop(instruction: Instruction, expected?: string): string {
    const floor = this.#loops.at(-1)?.height ?? 0
    const found = this.#stack.length > floor ? this.#stack.pop() : undefined
    if (found === undefined || (expected !== undefined && found !== expected))
      return this.#refuse('type', `${instruction.opcode} finds the wrong operands`, instruction)
    return found
  }

  #count(work: number): void {
    this.#work += work
  }

  #refuse(reason: RefusalReason, detail: string, { offset }: Instruction): never {
    throw new RefusedSignal(reason, `Function ${this.#index}: ${detail}.`, offset)
  }
}

function letter(type: ValueType): string {
  return valueTypeLetters[type]
}

function laneCount(opcode: string): number {
  const memory = /^v128\.(?:load|store)(\d+)_lane$/.exec(opcode)
  if (memory) return 128 / Number(memory[1])
  return Number(/x(\d+)\./.exec(opcode)?.[1] ?? 0)
}

/** The natural access size of a load or store, which its alignment hint may not exceed. */
function accessBytes(opcode: string): number {
  const [family = '', operation = ''] = opcode.split('.')
  const extending = /^load(\d+)x(\d+)/.exec(operation)
  if (extending) return (Number(extending[1]) * Number(extending[2])) / 8
  const narrow = /^(?:load|store)(\d+)/.exec(operation)
  if (narrow) return Number(narrow[1]) / 8
  return family === 'v128' ? 16 : Number(family.slice(1)) / 8
}
