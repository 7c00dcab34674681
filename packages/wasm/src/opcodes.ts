import { scalarOpcodes } from './opcodes-scalar.ts'
import { simdOpcodes } from './opcodes-simd.ts'

/**
 * The instructions of WebAssembly 2.0, used by the encoder, the decoder and the inspector alike. Prefixed opcodes are
 * written prefix * 256 + code. Relaxed SIMD, threads, exceptions and garbage collection are not in the table, so the
 * decoder refuses them.
 */
export const opcodes = { ...scalarOpcodes, ...simdOpcodes } as const

/** The text-format name of an instruction. */
export type Opcode = keyof typeof opcodes
