// Where workers of this data directory keep key and journal: `worker-1` and on belong to `tacit up`, `workers/NAME` to
// `tacit worker start`.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from '@tacit/node/node'
import { type Address, address, integer, object, oneOf, type Schema } from '@tacit/protocol'
import { isLockHeld } from './process-lock.ts'

export type WorkerDirectory = { readonly name: string; readonly path: string; readonly kind: 'local' | 'own' }

export const ownWorkerPath = (dataDir: string, name: string): string => join(dataDir, 'workers', name)
export const workerLockPath = (directory: string): string => join(directory, 'worker.lock')

/** Every worker that ever ran from this directory. */
export function listWorkers(dataDir: string): readonly WorkerDirectory[] {
  const local = namesIn(dataDir).filter((name) => /^worker-\d+$/.test(name))
  const own = namesIn(join(dataDir, 'workers'))
  return [
    ...local.map((name) => ({ name, path: join(dataDir, name), kind: 'local' as const })),
    ...own.map((name) => ({ name, path: ownWorkerPath(dataDir, name), kind: 'own' as const })),
  ].filter(({ path }) => existsSync(join(path, 'identity.key')))
}

function namesIn(path: string): readonly string[] {
  if (!existsSync(path)) return []
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** What a running `tacit worker start` says about itself. */
export type WorkerNote = {
  readonly type: 'tacit-worker/1'
  readonly pid: number
  readonly address: Address
  readonly running: number
  readonly sessions: number
  readonly state: 'serving' | 'draining'
}

const noteSchema: Schema<WorkerNote> = object<WorkerNote>({
  type: oneOf('tacit-worker/1'),
  pid: integer(0, 2 ** 31),
  address,
  running: integer(0, 2 ** 31),
  sessions: integer(0, 2 ** 31),
  state: oneOf('serving', 'draining'),
})

export function writeWorkerNote(directory: string, note: WorkerNote): void {
  writeDurably(join(directory, 'worker.json'), `${JSON.stringify(note)}\n`)
}

/** The note of a worker that runs; undefined when none does. */
export function readWorkerNote(directory: string): WorkerNote | undefined {
  if (!isLockHeld(workerLockPath(directory))) return undefined
  try {
    return noteSchema(JSON.parse(readFileSync(join(directory, 'worker.json'), 'utf8')), 'worker.json')
  } catch {
    return undefined // it has just started and not written one yet
  }
}
