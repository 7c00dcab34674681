// One process per data directory. The lock is SQLite's exclusive file lock: the kernel gives it back when its holder dies,
// however it dies, so there is no stale lock to recognise.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** The lock, or who has it. */
export type DirectoryLock =
  | { readonly kind: 'held'; readonly release: () => void }
  | { readonly kind: 'taken'; readonly holderPid: number | null }

/** Takes the lock, waiting up to `waitMs` for whoever holds it. */
export function takeDirectoryLock(directory: string, waitMs: number): DirectoryLock {
  const note = join(directory, 'lock.pid')
  const database = new DatabaseSync(join(directory, 'lock.sqlite'))
  try {
    database.exec(`PRAGMA busy_timeout = ${Math.max(0, Math.round(waitMs))}; BEGIN EXCLUSIVE`)
  } catch {
    database.close()
    return { kind: 'taken', holderPid: readPid(note) }
  }
  // Only for the message that others see; the lock itself is the database's.
  writeFileSync(note, String(process.pid))
  return { kind: 'held', release: () => database.close() }
}

function readPid(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, 'utf8'))
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null
  }
}
