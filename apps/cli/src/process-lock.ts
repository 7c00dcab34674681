// Who runs in a directory. A process id in a file may be stale, or belong to somebody else by now; a lock that the kernel gives
// back when its holder dies, however it dies, cannot be. SQLite's file lock is one that Node has on every platform.
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** A lock that is held. */
export type ProcessLock = Disposable & { readonly release: () => void }

/** Takes the lock, or gives undefined when another process holds it. */
export function takeProcessLock(path: string): ProcessLock | undefined {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // The file holds nothing, so one that somebody scribbled into is replaced.
  if (stateOf(path) === 'garbage') rmSync(path)
  const database = new DatabaseSync(path)
  try {
    // Whoever only looks holds it for a moment.
    database.exec('pragma busy_timeout = 500; begin exclusive')
  } catch {
    database.close()
    return undefined
  }
  let held = true
  const release = (): void => {
    if (held) database.close()
    held = false
  }
  return { release, [Symbol.dispose]: release }
}

/** Whether a living process holds the lock. */
export function isLockHeld(path: string): boolean {
  return stateOf(path) === 'held'
}

const sqliteBusy = 5

function stateOf(path: string): 'free' | 'held' | 'garbage' {
  if (!existsSync(path)) return 'free'
  const database = new DatabaseSync(path)
  try {
    database.exec('pragma busy_timeout = 0')
    database.prepare('select count(*) from sqlite_master').get()
    return 'free'
  } catch (error) {
    return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy ? 'held' : 'garbage'
  } finally {
    database.close()
  }
}
