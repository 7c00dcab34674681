// One network: a node's address, the chain id it must have, the contracts on it.
import { createPublicClient, defineChain, http, type Chain, type HttpTransport, type PublicClient } from 'viem'
import type { Deployment } from './deployment.ts'

/** What every binding and sender works on. */
export type ChainConnection = {
  readonly url: string
  readonly chainId: bigint
  readonly deployment: Deployment
  /** For reads that have no binding. */
  readonly client: ChainClient
}

/** viem's public client over HTTP. */
export type ChainClient = PublicClient<HttpTransport, Chain>

/** A client that has not spoken to the node yet. */
export function createChainClient(url: string, chainId: bigint): ChainClient {
  const chain = defineChain({
    id: Number(chainId),
    name: 'Tacit',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  })
  return createPublicClient({ chain, transport: http(url, { retryCount: 0, timeout: 10_000 }), pollingInterval: 250, cacheTime: 0 })
}
