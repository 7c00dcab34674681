// The attacker's first step: the same module with every function exported, and the list of kernel calls that `run` makes, with
// their constant pointers. Nothing of this needs a secret: whoever can run a module has its bytes.
import { ByteReader, ByteWriter, decodeModule, type Instruction, pageBytes, readInstruction } from '@tacit/wasm'

export type KernelCall = { readonly kernel: number; readonly pointers: readonly number[] }

/** A module under the knife. */
export type OpenedModule = {
  readonly memory: Uint8Array
  /** Where memory ends that the module knows; the attacker added as much as `benchBytes` after it. */
  readonly benchStart: number
  call(functionIndex: number, ...pointers: readonly number[]): void
  /** Kernel calls in execution order. */
  readonly calls: readonly KernelCall[]
  /** The code of a kernel. */
  code(functionIndex: number): readonly Instruction[]
  uses(functionIndex: number, opcode: Instruction['opcode']): boolean
  /** The first lane of a vector constant. */
  constantF32(instruction: Instruction): number
  readonly run: number
}

/** Room for the attacker's own inputs, results and operands. */
export const benchBytes = 1 << 23

/** Rewrites the memory and export sections and instantiates. */
export function openKernels(wasm: Uint8Array): OpenedModule {
  const module = decodeModule(wasm)
  const instance = new WebAssembly.Instance(new WebAssembly.Module(exportEverything(wasm, module.functions.length)))
  const exports = instance.exports as Record<string, (...args: readonly number[]) => void> & { memory: WebAssembly.Memory }
  const run = module.exports.find(({ name }) => name === 'run')?.index ?? module.functions.length - 1
  const instructions = module.bodies.map(({ start, end }) => {
    const reader = new ByteReader(wasm, start, end)
    const list: Instruction[] = []
    while (!reader.done) list.push(readInstruction(reader))
    return list
  })
  const parameters = module.functions.map((type) => module.types[type]?.parameters.length ?? 0)
  const calls: KernelCall[] = []
  const follow = (index: number): void => {
    const constants: number[] = []
    for (const { opcode, index: value } of instructions[index] ?? []) {
      if (opcode === 'i32.const') constants.push(value)
      else if (opcode === 'call') {
        const count = parameters[value] ?? 0
        if (count === 0) follow(value)
        else calls.push({ kernel: value, pointers: constants.splice(constants.length - count, count) })
      }
    }
  }
  follow(run)
  return {
    memory: new Uint8Array(exports.memory.buffer),
    benchStart: exports.memory.buffer.byteLength - benchBytes,
    call: (index, ...pointers) => exports[`f${index}`]?.(...pointers),
    calls,
    code: (index) => instructions[index] ?? [],
    uses: (index, opcode) => (instructions[index] ?? []).some((instruction) => instruction.opcode === opcode),
    // Prefix, opcode, then 16 bytes.
    constantF32: ({ offset }) => new DataView(wasm.buffer, wasm.byteOffset).getFloat32(offset + 2, true),
    run,
  }
}

function exportEverything(wasm: Uint8Array, functions: number): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter().bytes(wasm.subarray(0, 8))
  const reader = new ByteReader(wasm, 8)
  while (!reader.done) {
    const id = reader.byte()
    const content = reader.take(reader.u32())
    if (id === 5) {
      const pages = new ByteReader(content, 2).u32() + benchBytes / pageBytes
      out.byte(5).vector(new ByteWriter().u32(1).byte(1).u32(pages).u32(pages).finish())
      continue
    }
    if (id !== 7) {
      out.byte(id).vector(content)
      continue
    }
    const section = new ByteWriter()
      .u32(functions + 1)
      .name('memory')
      .byte(2)
      .u32(0)
    for (let i = 0; i < functions; i++) section.name(`f${i}`).byte(0).u32(i)
    out.byte(7).vector(section.finish())
  }
  return out.finish()
}
