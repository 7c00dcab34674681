// The OpenAI-compatible gateway of a local network, paid from the wallet of this directory.
import { createTransactionSender } from '@tacit/chain'
import { startGateway } from '@tacit/gateway'
import { ListenFailedError } from '@tacit/network'
import type { Invocation } from './command.ts'
import { findNetwork, writeNetworkFile } from './network-file.ts'
import { fundFromFaucet, openClient } from './open-client.ts'
import type { RunningNetwork } from './running-network.ts'

export const defaultGatewayPort = 4141

export type OpenedGateway = AsyncDisposable & { readonly url: string }

/** Listens on loopback at `port`, or at any free port when that one is taken. */
export async function openGateway({ dataDir, say, signal }: Invocation, { network }: RunningNetwork, port: number): Promise<OpenedGateway> {
  const opened = await openClient(dataDir, network.description, { signal })
  await fundFromFaucet(opened, createTransactionSender(network.connection, network.chain.keys.faucet))
  const { client, store } = opened
  const options = {
    client,
    findReceipt: async (id: string) => store.findReceipt(id),
    onError: (error: unknown) => say(`  gateway: ${error instanceof Error ? error.message : 'failed'}`),
  }
  const server = await startGateway({ ...options, port }).catch((error: unknown) => {
    if (!(error instanceof ListenFailedError)) throw error
    say(`Port ${port} is taken; the gateway listens on another one.`)
    return startGateway(options)
  })
  const file = findNetwork(dataDir)
  if (file !== undefined) writeNetworkFile(dataDir, { ...file, gatewayUrl: server.url })
  return {
    url: server.url,
    [Symbol.asyncDispose]: async () => {
      await server.close()
      await opened[Symbol.asyncDispose]()
    },
  }
}
