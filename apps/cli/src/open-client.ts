// A client of the network in a data directory, with the wallet and the receipts that live there.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  type ChainConnection,
  connectChain,
  createTransactionSender,
  depositToPool,
  dripTo,
  fetchFreeBalance,
  fetchGasBalance,
  fetchTokenBalance,
  type TransactionSender,
} from '@tacit/chain'
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

export async function openClient(
  dataDir: string,
  network: NetworkDescription,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<OpenedClient> {
  const [signatures, chain] = await Promise.all([
    loadFastSignatures(),
    connectChain(network.chainUrl, { deployment: network.deployment, ...(signal === undefined ? {} : { signal }) }),
  ])
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

export const tokenUnit = 10n ** 18n
const lowWaterWei = 20n * tokenUnit
const depositWei = 100n * tokenUnit

/**
 * On a local network: draws from the faucet and fills the pool when it runs low. `faucet` pays the gas of asking.
 * @returns what is free in the pool afterwards, in the token's smallest unit.
 */
export async function fundFromFaucet({ chain, payer, sender }: OpenedClient, faucet: TransactionSender): Promise<bigint> {
  const free = await fetchFreeBalance(chain, payer.address)
  if (free >= lowWaterWei) return free
  const [gas, tokens] = await Promise.all([fetchGasBalance(chain, payer.address), fetchTokenBalance(chain, payer.address)])
  if (gas === 0n || tokens < depositWei) await dripTo(faucet, payer.address)
  await depositToPool(sender, { amountWei: depositWei })
  return fetchFreeBalance(chain, payer.address)
}
