/** What comes with a payload: bytes, and WebAssembly modules as the runtime wants to be given them. */
export type Assets = {
  module(name: string): WebAssembly.Module
  bytes(name: string): Uint8Array<ArrayBuffer>
}

/** A program without imports of its runtime, whose lines must be the same everywhere. */
export type Payload = (assets: Assets) => Promise<readonly string[]>

/** A payload with its assets; names that end in .wasm are modules. */
export type PreparedPayload = {
  readonly name: string
  /** The TypeScript file that exports `run`, a `Payload`. */
  readonly entry: string
  readonly assets: ReadonlyMap<string, Uint8Array>
}
