import { ByteWriter } from './byte-writer.ts'
import { InvalidEmissionError } from './errors.ts'
import type { FunctionBuilder } from './function-builder.ts'
import { valueTypeCodes } from './value-type.ts'

export const pageBytes = 65536

export type ModuleOptions = {
  /** Minimum and maximum memory at once, in pages of 64 KiB. */
  readonly memoryPages: number
  /** Import the memory as `env.memory`, shared, instead of owning it: what several threads of one run need. */
  readonly sharedMemory?: boolean
  /** Whether function names are written into the `name` section. */
  readonly names: 'kept' | 'stripped'
}

/** Collects functions, exports and data, and writes the module. The same calls give the same bytes. */
export class ModuleBuilder {
  readonly #functions: { readonly builder: FunctionBuilder; readonly name: string }[] = []
  readonly #exports: { readonly name: string; readonly functionIndex: number }[] = []
  readonly #data: { readonly offset: number; readonly bytes: Uint8Array }[] = []

  get functionCount(): number {
    return this.#functions.length
  }

  /** Adds a function. It may call only functions added before it, so that no call can recurse. */
  function(builder: FunctionBuilder, name: string): number {
    this.#functions.push({ builder, name })
    return this.#functions.length - 1
  }

  export(name: string, functionIndex: number): void {
    this.#exports.push({ name, functionIndex })
  }

  data(offset: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#data.push({ offset, bytes })
  }

  /** @throws InvalidEmissionError when the data does not fit the memory. */
  build(options: ModuleOptions): Uint8Array<ArrayBuffer> {
    const limit = options.memoryPages * pageBytes
    for (const { offset, bytes } of this.#data)
      if (offset + bytes.length > limit) throw new InvalidEmissionError('data lies outside the memory')
    const out = new ByteWriter().bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
    const section = (id: number, content: ByteWriter): void => {
      out.byte(id).vector(content.finish())
    }
    const { types, typeIndices } = this.#types()
    section(1, types)
    const memory = new ByteWriter()
      .byte(options.sharedMemory ? 3 : 1)
      .u32(options.memoryPages)
      .u32(options.memoryPages)
    if (options.sharedMemory) section(2, new ByteWriter().u32(1).name('env').name('memory').byte(2).bytes(memory.finish()))
    const declarations = new ByteWriter().u32(typeIndices.length)
    for (const index of typeIndices) declarations.u32(index)
    section(3, declarations)
    if (!options.sharedMemory) section(5, new ByteWriter().u32(1).bytes(memory.finish()))
    section(7, this.#exportSection(options))
    const code = new ByteWriter().u32(this.#functions.length)
    for (const { builder } of this.#functions) code.vector(builder.finish())
    section(10, code)
    if (this.#data.length > 0) section(11, this.#dataSection())
    if (options.names === 'kept') section(0, this.#nameSection())
    return out.finish()
  }

  #types(): { types: ByteWriter; typeIndices: readonly number[] } {
    const known = new Map<string, number>()
    const entries = new ByteWriter()
    const typeIndices = this.#functions.map(({ builder }) => {
      const key = `${builder.parameters.join()}>${builder.results.join()}`
      const found = known.get(key)
      if (found !== undefined) return found
      entries.byte(0x60)
      for (const list of [builder.parameters, builder.results]) {
        entries.u32(list.length)
        for (const type of list) entries.byte(valueTypeCodes[type])
      }
      known.set(key, known.size)
      return known.size - 1
    })
    return { types: new ByteWriter().u32(known.size).bytes(entries.finish()), typeIndices }
  }

  #exportSection(options: ModuleOptions): ByteWriter {
    const own = options.sharedMemory ? 0 : 1
    const section = new ByteWriter().u32(this.#exports.length + own)
    if (own === 1) section.name('memory').byte(2).u32(0)
    for (const { name, functionIndex } of this.#exports) section.name(name).byte(0).u32(functionIndex)
    return section
  }

  #dataSection(): ByteWriter {
    const section = new ByteWriter().u32(this.#data.length)
    for (const { offset, bytes } of this.#data) section.byte(0).byte(0x41).s32(offset).byte(0x0b).vector(bytes)
    return section
  }

  #nameSection(): ByteWriter {
    const names = new ByteWriter().u32(this.#functions.length)
    for (const [index, { name }] of this.#functions.entries()) names.u32(index).name(name)
    return new ByteWriter().name('name').byte(1).vector(names.finish())
  }
}
