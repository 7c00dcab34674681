/** The number and vector types of WebAssembly. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128'

/** Their bytes (Core Specification 2.0, sections 5.3.1 and 5.3.2). */
export const valueTypeCodes = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const

/** The letter by which the opcode table names each type. */
export const valueTypeLetters = { i32: 'i', i64: 'l', f32: 'f', f64: 'd', v128: 'v' } as const

const byCode: ReadonlyMap<number, ValueType> = /* @__PURE__ */ new Map(
  Object.entries(valueTypeCodes).map(([name, code]) => [code, name as ValueType]),
)

/** The type that a byte stands for, or undefined (reference types included: nothing here uses them). */
export function valueTypeOf(code: number): ValueType | undefined {
  return byCode.get(code)
}
