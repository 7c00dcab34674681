// The chain's state on disk: gzip of anvil's own dump, replaced whole, so that a kill at any moment leaves the old or the new.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** The file name of the state. */
export const snapshotName = 'state.json.gz'

/** Writes what `anvil_dumpState` answered. */
export function writeSnapshot(directory: string, dump: string): void {
  const path = join(directory, snapshotName)
  const temporary = `${path}.tmp`
  const file = openSync(temporary, 'w', 0o600)
  try {
    writeSync(file, Buffer.from(dump.slice(2), 'hex'))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}

/** What was found on disk. */
export type LoadedSnapshot =
  | { readonly kind: 'none' }
  | { readonly kind: 'loaded'; readonly path: string }
  | { readonly kind: 'corrupt'; readonly file: string; readonly detail: string }

/** Unpacks the snapshot for anvil, which reads plain JSON. A chain that was deployed once must have one. */
export function loadSnapshot(directory: string): LoadedSnapshot {
  const file = join(directory, snapshotName)
  if (!existsSync(file)) {
    if (!existsSync(join(directory, 'deployment.json'))) return { kind: 'none' }
    return { kind: 'corrupt', file, detail: 'it is missing, although contracts were deployed' }
  }
  try {
    const json = gunzipSync(readFileSync(file)).toString('utf8')
    const state = JSON.parse(json) as { block?: unknown; accounts?: unknown } | null
    if (typeof state?.block !== 'object' || typeof state.accounts !== 'object') throw new Error('it holds no block and accounts')
    const path = join(directory, 'state.loading.json')
    writeFileSync(path, json, { mode: 0o600 })
    return { kind: 'loaded', path }
  } catch (error) {
    return { kind: 'corrupt', file, detail: error instanceof Error ? error.message : String(error) }
  }
}

// Without it the rename itself may be lost with the power.
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
