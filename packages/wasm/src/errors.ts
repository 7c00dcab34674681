import { TacitError } from '@tacit/protocol'

/** The base of every error of this package. */
export abstract class WasmError<Code extends `wasm.${string}` = `wasm.${string}`> extends TacitError<Code> {}

/** The bytes are not a module in the binary format of WebAssembly 2.0 as this package reads it. */
export class MalformedModuleError extends WasmError<'wasm.malformed-module'> {
  /** Where in the bytes reading stopped. */
  readonly offset: number
  constructor(reason: string, offset: number) {
    super('wasm.malformed-module', `The WebAssembly module ${reason}.`, { details: [`At byte ${offset}`] })
    this.offset = offset
  }
}

/** The module is larger than the decoder was told to accept. */
export class ModuleTooLargeError extends WasmError<'wasm.module-too-large'> {
  constructor(what: string, found: number, limit: number) {
    super('wasm.module-too-large', `The WebAssembly module has more ${what} than allowed.`, {
      details: [`Found ${found}, allowed ${limit}`],
    })
  }
}

/** An emitter asked for a module that cannot be written (a bug in the caller, not in the input). */
export class InvalidEmissionError extends WasmError<'wasm.invalid-emission'> {
  constructor(reason: string) {
    super('wasm.invalid-emission', `The module cannot be written: ${reason}.`)
  }
}
