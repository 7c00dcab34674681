export { ByteReader } from './byte-reader.ts'
export { ByteWriter } from './byte-writer.ts'
export {
  type DecodedModule,
  type DecodeLimits,
  decodeModule,
  defaultDecodeLimits,
  type FunctionBody,
  type FunctionType,
  type ModuleExport,
} from './decode-module.ts'
export { InvalidEmissionError, MalformedModuleError, ModuleTooLargeError, WasmError } from './errors.ts'
export { FunctionBuilder, type Local } from './function-builder.ts'
export type { Refusal, RefusalReason } from './inspect-function.ts'
export { type Inspection, inspectModule } from './inspect-module.ts'
export { defaultInspectionPolicy, type InspectionPolicy, isAllowedOpcode } from './inspection-policy.ts'
export { type Instruction, readInstruction } from './instruction.ts'
export { ModuleBuilder, type ModuleOptions, pageBytes } from './module-builder.ts'
export type { Immediate, OpcodeEntry } from './opcode-entry.ts'
export { type Opcode, opcodes } from './opcodes.ts'
export { type ValueType, valueTypeCodes, valueTypeLetters, valueTypeOf } from './value-type.ts'
