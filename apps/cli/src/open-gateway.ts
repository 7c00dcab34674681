// The OpenAI-compatible gateway, paid from the wallet of this directory.
import { startGateway } from '@tacit/gateway'
import { ListenFailedError } from '@tacit/network'
import type { Invocation } from './command.ts'
import { type Faucet, fundFromFaucet } from './faucet.ts'
import { findNetwork, writeNetworkFile } from './network-file.ts'
import { openClient } from './open-client.ts'
import type { NetworkDescription } from '@tacit/client'

export const defaultGatewayPort = 4141

export type OpenedGateway = AsyncDisposable & { readonly url: string }

export type OpenGatewayOptions = {
  readonly network: NetworkDescription
  readonly faucet: Faucet | undefined
  /** Undefined: the default port, or any free one when that is taken. */
  readonly port: number | undefined
}

/**
 * Listens on loopback.
 * @throws ListenFailedError when a port that was asked for is taken.
 */
export async function openGateway({ dataDir, say, signal }: Invocation, options: OpenGatewayOptions): Promise<OpenedGateway> {
  const opened = await openClient(dataDir, options.network, { signal })
  const { client, store } = opened
  try {
    if (options.faucet !== undefined) await fundFromFaucet(opened, options.faucet)
    const common = {
      client,
      findReceipt: async (id: string) => store.findReceipt(id),
      onError: (error: unknown) => say(`  gateway: ${error instanceof Error ? error.message : 'failed'}`),
    }
    const server = await startGateway({ ...common, port: options.port ?? defaultGatewayPort }).catch((error: unknown) => {
      if (!(error instanceof ListenFailedError) || options.port !== undefined) throw error
      say(`Port ${defaultGatewayPort} is taken; the gateway listens on another one.`)
      return startGateway(common)
    })
    announce(dataDir, server.url)
    return {
      url: server.url,
      [Symbol.asyncDispose]: async () => {
        withdraw(dataDir, server.url)
        await server.close()
        await opened[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await opened[Symbol.asyncDispose]()
    throw error
  }
}

// One gateway is named in the network file: the first that runs.
function announce(dataDir: string, url: string): void {
  const file = findNetwork(dataDir)
  if (file !== undefined && file.gatewayUrl === null) writeNetworkFile(dataDir, { ...file, gatewayUrl: url })
}

function withdraw(dataDir: string, url: string): void {
  const file = findNetwork(dataDir)
  if (file?.gatewayUrl === url) writeNetworkFile(dataDir, { ...file, gatewayUrl: null })
}
