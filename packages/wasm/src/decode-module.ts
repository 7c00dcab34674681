import { ByteReader } from './byte-reader.ts'
import { ModuleTooLargeError } from './errors.ts'
import { type ValueType, valueTypeOf } from './value-type.ts'

export type FunctionType = { readonly parameters: readonly ValueType[]; readonly results: readonly ValueType[] }
export type ModuleExport = { readonly name: string; readonly kind: 'function' | 'table' | 'memory' | 'global'; readonly index: number }
export type FunctionBody = {
  readonly locals: readonly { readonly type: ValueType; readonly count: number }[]
  /** The instructions, final `end` included, lie at [start, end) of the module. */
  readonly start: number
  readonly end: number
}

/** What a module says of itself. Function bodies are byte ranges; `readInstruction` walks them. */
export type DecodedModule = {
  readonly types: readonly FunctionType[]
  readonly importCount: number
  /** The type index of each function. */
  readonly functions: readonly number[]
  readonly tableCount: number
  readonly memories: readonly { readonly minimum: number; readonly maximum: number | undefined; readonly shared: boolean }[]
  readonly globalCount: number
  readonly exports: readonly ModuleExport[]
  readonly hasStart: boolean
  readonly elementCount: number
  readonly bodies: readonly FunctionBody[]
  readonly data: readonly { readonly offset: number | undefined; readonly start: number; readonly length: number }[]
  readonly customSections: readonly { readonly name: string; readonly length: number }[]
}

export type DecodeLimits = {
  readonly functions: number
  readonly localsPerFunction: number
  readonly exports: number
  readonly data: number
}
export const defaultDecodeLimits: DecodeLimits = { functions: 20_000, localsPerFunction: 2_000, exports: 20_000, data: 100_000 }

type Draft = { -readonly [Key in keyof DecodedModule]: DecodedModule[Key] }

const sectionOrder = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]
const exportKinds = ['function', 'table', 'memory', 'global'] as const

/**
 * Reads the structure of a module (Core Specification 2.0, section 5.5) in time linear in its size. Sections that a
 * sandboxed module may not have (imports, tables, globals, elements) are counted and skipped, so that the inspector can
 * name them.
 * @throws MalformedModuleError, ModuleTooLargeError
 */
export function decodeModule(bytes: Uint8Array, limits: DecodeLimits = defaultDecodeLimits): DecodedModule {
  const reader = new ByteReader(bytes)
  const header = reader.take(8)
  if (![0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].every((byte, i) => header[i] === byte)) reader.fail('does not start with \\0asm and version 1')
  const draft: Draft = {
    types: [],
    importCount: 0,
    functions: [],
    tableCount: 0,
    memories: [],
    globalCount: 0,
    exports: [],
    hasStart: false,
    elementCount: 0,
    bodies: [],
    data: [],
    customSections: [],
  }
  let last = -1
  while (!reader.done) {
    const id = reader.byte()
    const length = reader.u32()
    const content = new ByteReader(bytes, reader.offset, reader.offset + length)
    reader.take(length)
    if (id !== 0) {
      const place = sectionOrder.indexOf(id)
      if (place < 0) reader.fail(`has an unknown section ${id}`)
      if (place <= last) reader.fail(`has section ${id} twice or out of order`)
      last = place
    }
    readSection(id, content, { draft, limits })
    if (!content.done) content.fail(`has bytes left over in section ${id}`)
  }
  if (draft.functions.length !== draft.bodies.length) reader.fail('has a different number of functions and bodies')
  return draft
}

function readSection(id: number, reader: ByteReader, { draft, limits }: { draft: Draft; limits: DecodeLimits }): void {
  const skip = (): void => {
    reader.take(reader.end - reader.offset)
  }
  const count = (): number => {
    const items = reader.u32()
    if (items > 0) skip() // none of them are allowed: the inspector refuses whatever they are
    return items
  }
  switch (id) {
    case 0:
      draft.customSections = [...draft.customSections, { name: reader.name(), length: reader.end - reader.offset }]
      if (draft.customSections.length > 16) throw new ModuleTooLargeError('custom sections', draft.customSections.length, 16)
      skip()
      return
    case 1:
      draft.types = list(reader, limits.functions, 'types', () => readType(reader))
      return
    case 2:
      draft.importCount = count()
      return
    case 3:
      draft.functions = list(reader, limits.functions, 'functions', () => reader.u32())
      return
    case 4:
      draft.tableCount = count()
      return
    case 5:
      draft.memories = list(reader, 16, 'memories', () => readMemory(reader))
      return
    case 6:
      draft.globalCount = count()
      return
    case 7:
      draft.exports = list(reader, limits.exports, 'exports', () => readExport(reader))
      return
    case 8:
      draft.hasStart = true
      reader.u32()
      return
    case 9:
      draft.elementCount = count()
      return
    case 10:
      draft.bodies = list(reader, limits.functions, 'function bodies', () => readBody(reader, limits))
      return
    case 11:
      draft.data = list(reader, limits.data, 'data segments', () => readData(reader))
      return
    default:
      reader.u32() // the number of data segments (section 12)
  }
}

function list<Item>(reader: ByteReader, limit: number, what: string, read: () => Item): Item[] {
  const count = reader.u32()
  if (count > limit) throw new ModuleTooLargeError(what, count, limit)
  const items: Item[] = []
  for (let i = 0; i < count; i++) items.push(read())
  return items
}

function readValueType(reader: ByteReader): ValueType {
  return valueTypeOf(reader.byte()) ?? reader.fail('uses a type that is not a number or vector')
}

function readType(reader: ByteReader): FunctionType {
  if (reader.byte() !== 0x60) reader.fail('has a type that is not a function type')
  const parameters = list(reader, 64, 'parameters', () => readValueType(reader))
  return { parameters, results: list(reader, 64, 'results', () => readValueType(reader)) }
}

function readMemory(reader: ByteReader): DecodedModule['memories'][number] {
  const flags = reader.byte()
  if (flags > 3) reader.fail('has a memory with unknown flags')
  const minimum = reader.u32()
  return { minimum, maximum: (flags & 1) === 1 ? reader.u32() : undefined, shared: (flags & 2) === 2 }
}

function readExport(reader: ByteReader): ModuleExport {
  const name = reader.name()
  const kind = exportKinds[reader.byte()] ?? reader.fail('exports something unknown')
  return { name, kind, index: reader.u32() }
}

function readBody(reader: ByteReader, limits: DecodeLimits): FunctionBody {
  const length = reader.u32()
  const body = new ByteReader(reader.bytes, reader.offset, reader.offset + length)
  reader.take(length)
  let total = 0
  const locals = list(body, limits.localsPerFunction, 'local declarations', () => {
    const count = body.u32()
    total += count
    if (total > limits.localsPerFunction) throw new ModuleTooLargeError('locals in one function', total, limits.localsPerFunction)
    return { count, type: readValueType(body) }
  })
  return { locals, start: body.offset, end: body.end }
}

function readData(reader: ByteReader): DecodedModule['data'][number] {
  const flags = reader.u32()
  if (flags > 2) reader.fail('has a data segment of an unknown kind')
  if (flags === 2 && reader.u32() !== 0) reader.fail('has data for a memory other than the first')
  let offset: number | undefined
  if (flags !== 1) {
    if (reader.byte() !== 0x41) reader.fail('has a data offset that is not a constant')
    offset = reader.s32() >>> 0
    if (reader.byte() !== 0x0b) reader.fail('has a data offset that is not a constant')
  }
  const length = reader.u32()
  const start = reader.offset
  reader.take(length)
  return { offset, start, length }
}
