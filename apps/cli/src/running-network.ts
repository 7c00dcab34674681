// Starts the local network of a data directory for `start` and `up`, and tells others about it while it runs.
import { findNetwork, removeNetworkFile, writeNetworkFile } from './network-file.ts'
import { type LocalNetwork, loadZoo, startLocalNetwork } from '@tacit/node/node'
import { AlreadyRunningError } from './errors.ts'
import type { Invocation } from './command.ts'

export type RunningNetwork = AsyncDisposable & { readonly network: LocalNetwork; readonly readyMs: number }

export type RunOptions = { readonly workers: number; readonly listen?: { readonly host: string; readonly exposeBeyondLoopback: boolean } }

/** @throws AlreadyRunningError, and what the network's parts throw. */
export async function runNetwork({ dataDir, say, signal }: Invocation, options: RunOptions): Promise<RunningNetwork> {
  const other = findNetwork(dataDir)
  if (other !== undefined && other.kind === 'local') throw new AlreadyRunningError(dataDir, other.pid)
  const network = await startLocalNetwork({
    dataDir,
    models: loadZoo(),
    workers: options.workers,
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    signal,
    onEvent: (source, event) => {
      if (event.event === 'log' && event.level !== 'info' && !signal.aborted) say(`  ${source}: ${event.message}`)
    },
  })
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
    },
  }
}
