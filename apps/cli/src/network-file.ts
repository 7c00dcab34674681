// Which network a data directory belongs to, and whether it runs.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type NetworkDescription, networkDescriptionSchema } from '@tacit/client'
import { writeDurably } from '@tacit/node/node'
import { integer, nullable, object, oneOf, type Schema, text } from '@tacit/protocol'
import { FileUnusableError, NoNetworkError } from './errors.ts'
import { isLockHeld } from './process-lock.ts'

/** What `tacit up` and `tacit join` leave for the other commands. */
export type NetworkFile = {
  readonly type: 'tacit-network-file/1'
  /** `local`: this directory runs it; `joined`: somebody else does. */
  readonly kind: 'local' | 'joined'
  /** The process of `tacit up`; 0 for a joined network. */
  readonly pid: number
  readonly network: NetworkDescription
  readonly gatewayUrl: string | null
}

const schema: Schema<NetworkFile> = object<NetworkFile>({
  type: oneOf('tacit-network-file/1'),
  kind: oneOf('local', 'joined'),
  pid: integer(0, 2 ** 31),
  network: networkDescriptionSchema,
  gatewayUrl: nullable(text(512)),
})

const pathOf = (dataDir: string): string => join(dataDir, 'network.json')

/** Held by the process that runs the local network of a directory. */
export const networkLockPath = (dataDir: string): string => join(dataDir, 'network.lock')

export function writeNetworkFile(dataDir: string, file: NetworkFile): void {
  writeDurably(pathOf(dataDir), `${JSON.stringify(file, null, 2)}\n`)
}

export function removeNetworkFile(dataDir: string): void {
  rmSync(pathOf(dataDir), { force: true })
}

/**
 * The network of this directory, if it runs; the file of a process that was killed counts as none.
 * @throws FileUnusableError
 */
export function findNetwork(dataDir: string): NetworkFile | undefined {
  const path = pathOf(dataDir)
  if (!existsSync(path)) return undefined
  let file: NetworkFile
  try {
    file = schema(JSON.parse(readFileSync(path, 'utf8')), 'network.json')
  } catch (cause) {
    throw new FileUnusableError(path, 'does not describe a network; delete it and start or join again', { cause })
  }
  return file.kind === 'joined' || isLockHeld(networkLockPath(dataDir)) ? file : undefined
}

/** @throws NoNetworkError */
export function requireNetwork(dataDir: string): NetworkFile {
  const found = findNetwork(dataDir)
  if (found === undefined) throw new NoNetworkError(dataDir)
  return found
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
