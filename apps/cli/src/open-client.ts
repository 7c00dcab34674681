// A client of the network in a data directory, with the wallet and the receipts that live there.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type ChainConnection, connectChain, createTransactionSender, type TransactionSender } from '@tacit/chain'
import { type NetworkDescription, TacitClient } from '@tacit/client'
import { type FileClientStore, openFileClientStore } from '@tacit/client/node'
import { createNodeDialer } from '@tacit/network/node'
import { loadFastSignatures, openKeyFile } from '@tacit/node/node'
import type { Signer } from '@tacit/protocol'
import { nodeAead } from '@tacit/session/node'

export type OpenedClient = AsyncDisposable & {
  readonly client: TacitClient
  readonly chain: ChainConnection
  readonly payer: Signer
  readonly sender: TransactionSender
  readonly store: FileClientStore
}

export const walletPath = (dataDir: string): string => join(dataDir, 'client', 'wallet.key')

/** @throws ChainUnreachableError, WrongChainError, DeploymentMissingError */
export function connectNetwork(network: NetworkDescription, signal?: AbortSignal): Promise<ChainConnection> {
  return connectChain(network.chainUrl, { deployment: network.deployment, ...(signal === undefined ? {} : { signal }) })
}

export async function openClient(
  dataDir: string,
  network: NetworkDescription,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<OpenedClient> {
  const [signatures, chain] = await Promise.all([loadFastSignatures(), connectNetwork(network, signal)])
  const payer = openKeyFile(walletPath(dataDir), signatures)
  const sender = createTransactionSender(chain, payer)
  const store = openFileClientStore(join(dataDir, 'client'))
  const client = new TacitClient({
    network,
    chain,
    payer,
    sender,
    store,
    dialer: createNodeDialer(),
    random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
    signatures,
    aead: nodeAead,
    now: () => Math.floor(Date.now() / 1000),
  })
  const close = async (): Promise<void> => {
    await client.close()
    store.close()
  }
  return { client, chain, payer, sender, store, [Symbol.asyncDispose]: close }
}
