// Starts the local network of a data directory for `start` and `up`, and tells others about it while it runs.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cardOfStoredModel, type LocalNetwork, type LocalNetworkListen, loadZoo, startLocalNetwork, type ZooModel } from '@tacit/node/node'
import { openModelStore } from '@tacit/runtime/node'
import type { Invocation } from './command.ts'
import { AlreadyJoinedError, AlreadyRunningError } from './errors.ts'
import { findNetwork, networkLockPath, removeNetworkFile, writeNetworkFile } from './network-file.ts'
import { takeProcessLock } from './process-lock.ts'

export type RunningNetwork = AsyncDisposable & { readonly network: LocalNetwork; readonly readyMs: number }

export type RunOptions = { readonly workers: number; readonly listen?: LocalNetworkListen }

/** @throws AlreadyRunningError, AlreadyJoinedError, FileUnusableError, and what the network's parts throw. */
export async function runNetwork({ dataDir, say, signal }: Invocation, options: RunOptions): Promise<RunningNetwork> {
  const other = findNetwork(dataDir)
  if (other?.kind === 'joined') throw new AlreadyJoinedError(dataDir)
  const lock = takeProcessLock(networkLockPath(dataDir))
  if (lock === undefined) throw new AlreadyRunningError(dataDir, other?.pid ?? 0)
  let network: LocalNetwork
  try {
    network = await startLocalNetwork({
      dataDir,
      models: [...loadZoo(), ...(await loadOwnModels(dataDir))],
      workers: options.workers,
      ...(options.listen === undefined ? {} : { listen: options.listen }),
      signal,
      onEvent: (source, event) => {
        if (event.event === 'log' && event.level !== 'info' && !signal.aborted) say(`  ${source}: ${event.message}`)
      },
    })
  } catch (error) {
    lock.release()
    throw error
  }
  writeNetworkFile(dataDir, {
    type: 'tacit-network-file/1',
    kind: 'local',
    pid: process.pid,
    network: network.description,
    gatewayUrl: null,
  })
  return {
    network,
    readyMs: Math.round(performance.now()),
    [Symbol.asyncDispose]: async () => {
      removeNetworkFile(dataDir)
      await network.stop()
      lock.release()
    },
  }
}

/** What `tacit models add` put into the directory, as cards; the zoo's own files are published anyway. */
export async function loadOwnModels(dataDir: string): Promise<readonly ZooModel[]> {
  const folder = join(dataDir, 'models')
  if (!existsSync(folder)) return []
  const known = new Set(loadZoo().map(({ card }) => card.commitments.artifact.slice(2)))
  const stored = (await (await openModelStore(folder)).list()).filter(({ digest }) => !known.has(digest.slice('sha256:'.length)))
  return Promise.all(stored.map(cardOfStoredModel))
}
