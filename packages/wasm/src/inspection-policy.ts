import type { Opcode } from './opcodes.ts'

/**
 * The instructions a compiled model may use: straight-line arithmetic, loads, stores, direct calls and counted loops.
 * Left out on purpose: everything that traps on values (integer division, trapping truncation), branches other than the
 * loop's own, memory.size and memory.grow, tables, globals, bulk memory, and float64, which compiled models do not need.
 */
export function isAllowedOpcode(opcode: Opcode): boolean {
  if (control.has(opcode)) return true
  if (opcode.includes('f64')) return false
  const [family, operation = ''] = opcode.split('.')
  if (family === 'i32' || family === 'i64') return !/^(?:div|rem)_|^trunc_f32/.test(operation)
  return family === 'f32' || family === 'v128' || vectorFamily.test(family ?? '')
}

const control: ReadonlySet<Opcode> = /* @__PURE__ */ new Set<Opcode>([
  'loop',
  'br_if',
  'end',
  'call',
  'drop',
  'select',
  'local.get',
  'local.set',
  'local.tee',
])
const vectorFamily = /^(?:i8x16|i16x8|i32x4|i64x2|f32x4)$/

/** Bounds on what an inspected module may ask for. */
export type InspectionPolicy = {
  readonly maxMemoryPages: number
  readonly maxModuleBytes: number
  /** Executed instructions of any one export. */
  readonly maxWork: number
  readonly maxLoopDepth: number
}

/** Half the address space, 2^50 instructions, loops 32 deep. A node sets lower bounds. */
export const defaultInspectionPolicy: InspectionPolicy = {
  maxMemoryPages: 32_768,
  maxModuleBytes: 2 ** 31,
  maxWork: 2 ** 50,
  maxLoopDepth: 32,
}
