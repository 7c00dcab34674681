// Compiled models as files: a module, and its manifest in canonical JSON beside it (docs/spec/module.md).
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CompiledModel } from '@tacit/compiler'
import { canonicalBytes, type Json, type ModuleManifest, moduleManifestSchema, parseJson } from '@tacit/protocol'
import { FileUnusableError } from './errors.ts'

const maxModelBytes = 2 ** 30
const maxManifestBytes = 64 * 2 ** 20

/** Where the manifest of a module is looked for and written: m.wasm has m.manifest.json. */
export function manifestPathOf(modulePath: string): string {
  return `${modulePath.replace(/\.wasm$/, '')}.manifest.json`
}

/**
 * The bytes of a file that a person named.
 * @throws FileUnusableError
 */
export function readBounded(path: string, maxBytes: number = maxModelBytes): Uint8Array<ArrayBuffer> {
  let size: number
  try {
    size = statSync(path).size
    if (size <= maxBytes) return new Uint8Array(readFileSync(path))
  } catch (cause) {
    throw new FileUnusableError(path, 'cannot be read', { cause })
  }
  throw new FileUnusableError(path, `has ${size} bytes, more than ${maxBytes}`)
}

/**
 * A file of JSON that a person wrote.
 * @throws FileUnusableError
 */
export function readJsonFile(path: string, maxBytes: number): unknown {
  const bytes = readBounded(path, maxBytes)
  try {
    return parseJson(bytes, 'The file', maxBytes)
  } catch (cause) {
    throw new FileUnusableError(path, 'is not JSON', { cause })
  }
}

/**
 * A module with its manifest. Nothing is promised about either until it was inspected.
 * @throws FileUnusableError
 */
export function readModule(
  path: string,
  manifestPath: string = manifestPathOf(path),
): { readonly wasm: Uint8Array<ArrayBuffer>; readonly manifest: ModuleManifest } {
  const wasm = readBounded(path)
  const json = readJsonFile(manifestPath, maxManifestBytes)
  try {
    return { wasm, manifest: moduleManifestSchema(json, 'manifest') }
  } catch (cause) {
    throw new FileUnusableError(manifestPath, 'is not the manifest of a module', { cause })
  }
}

/** Writes both files, each whole or not at all. Only you can read them: the weights are inside. */
export function writeModule(path: string, { wasm, manifest }: CompiledModel): { readonly module: string; readonly manifest: string } {
  mkdirSync(dirname(path), { recursive: true })
  const manifestPath = manifestPathOf(path)
  for (const [target, bytes] of [
    [path, wasm],
    [manifestPath, canonicalBytes(manifest as Json)], // strings, integers, arrays and objects only
  ] as const) {
    const temporary = `${target}.${process.pid}.tmp`
    writeFileSync(temporary, bytes, { mode: 0o600 })
    renameSync(temporary, target)
  }
  return { module: path, manifest: manifestPath }
}
