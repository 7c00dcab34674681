import { type DecodedModule, decodeModule } from './decode-module.ts'
import { MalformedModuleError, ModuleTooLargeError } from './errors.ts'
import { inspectFunction, type Refusal, RefusedSignal } from './inspect-function.ts'
import { defaultInspectionPolicy, type InspectionPolicy } from './inspection-policy.ts'

/** What inspection proved of a module, or why it was refused. */
export type Inspection =
  | {
      readonly accepted: true
      readonly memoryPages: number
      /** Instructions that one call of each exported function executes: exact, since there is no data-dependent control flow. */
      readonly work: ReadonlyMap<string, number>
      readonly codeBytes: number
      readonly dataBytes: number
    }
  | { readonly accepted: false; readonly refusal: Refusal }

/**
 * Decides, before instantiation and in time linear in its size, whether a module keeps the promises of a compiled model:
 * no imports, no start function, no tables or globals, one memory with minimum = maximum, only allowed instructions,
 * only counted loops, no recursion, and therefore a known amount of work per export. Never throws for any bytes.
 *
 * @example
 * const inspection = inspectModule(bytes)
 * if (!inspection.accepted) console.log(inspection.refusal.reason)
 */
export function inspectModule(bytes: Uint8Array, policy: Partial<InspectionPolicy> = {}): Inspection {
  try {
    return inspect(bytes, { ...defaultInspectionPolicy, ...policy })
  } catch (error) {
    if (error instanceof RefusedSignal) return { accepted: false, refusal: error.refusal }
    if (error instanceof MalformedModuleError) return refused('malformed', error.message, error.offset)
    if (error instanceof ModuleTooLargeError) return refused('too-large', error.message, 0)
    throw error
  }
}

function refused(reason: Refusal['reason'], detail: string, offset: number): Inspection {
  return { accepted: false, refusal: { reason, detail, offset } }
}

function inspect(bytes: Uint8Array, policy: InspectionPolicy): Inspection {
  if (bytes.length > policy.maxModuleBytes) throw new ModuleTooLargeError('bytes', bytes.length, policy.maxModuleBytes)
  const module = decodeModule(bytes)
  const memoryPages = inspectStructure(module, policy)
  const workOf: number[] = []
  for (const [index, body] of module.bodies.entries()) {
    const { maxLoopDepth, maxWork } = policy
    workOf.push(inspectFunction(index, body, { bytes, module, maxLoopDepth, maxWork, workOf }))
  }
  const work = new Map<string, number>()
  for (const { name, kind, index } of module.exports) if (kind === 'function') work.set(name, workOf[index] ?? 0)
  const codeBytes = module.bodies.reduce((sum, body) => sum + body.end - body.start, 0)
  return { accepted: true, memoryPages, work, codeBytes, dataBytes: module.data.reduce((sum, data) => sum + data.length, 0) }
}

function inspectStructure(module: DecodedModule, policy: InspectionPolicy): number {
  const refuse = (reason: Refusal['reason'], detail: string): never => {
    throw new RefusedSignal(reason, detail, 0)
  }
  if (module.importCount > 0) refuse('import', 'The module imports something.')
  if (module.hasStart) refuse('start', 'The module has a start function.')
  if (module.tableCount > 0 || module.elementCount > 0) refuse('table', 'The module has a table or elements.')
  if (module.globalCount > 0) refuse('global', 'The module has globals.')
  const [memory] = module.memories
  if (memory === undefined || module.memories.length !== 1) return refuse('memory', 'The module does not have exactly one memory.')
  if (memory.shared) refuse('memory', 'The memory is shared.')
  if (memory.maximum !== memory.minimum) refuse('memory', 'The memory may grow: its minimum and maximum differ.')
  if (memory.minimum > policy.maxMemoryPages) refuse('memory', `The memory has ${memory.minimum} pages, allowed ${policy.maxMemoryPages}.`)
  for (const { offset, length } of module.data)
    if (offset === undefined || offset + length > memory.minimum * 65536) refuse('data', 'A data segment lies outside the memory.')
  for (const custom of module.customSections)
    if (custom.name !== 'name') refuse('custom-section', 'The module has a custom section other than its names.')
  inspectTypes(module, refuse)
  inspectExports(module, refuse)
  return memory.minimum
}

type Refuse = (reason: Refusal['reason'], detail: string) => never

function inspectTypes(module: DecodedModule, refuse: Refuse): void {
  for (const index of module.functions) if (index >= module.types.length) refuse('type', 'A function has a type that does not exist.')
}

function inspectExports(module: DecodedModule, refuse: Refuse): void {
  const names = new Set<string>()
  for (const { name, kind, index } of module.exports) {
    if (names.has(name)) refuse('export', 'Two exports share a name.')
    names.add(name)
    const count = kind === 'function' ? module.functions.length : kind === 'memory' ? 1 : 0
    if (index >= count) refuse('export', 'An export names nothing, or something other than a function or the memory.')
  }
  for (const { name, kind, index } of module.exports) {
    if (kind === 'memory' && name !== 'memory') refuse('export', 'The memory is exported under another name.')
    const type = kind === 'function' ? module.types[module.functions[index] ?? -1] : undefined
    if (type !== undefined && type.parameters.length + type.results.length > 0)
      refuse('export', 'An exported function has parameters or results.')
  }
}
