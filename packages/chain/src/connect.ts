import { type ChainConnection, createChainClient } from './connection.ts'
import type { Deployment } from './deployment.ts'
import { DeploymentMissingError } from './errors.ts'
import { waitForChain } from './health.ts'

/** The network that must answer. */
export type ConnectOptions = {
  readonly deployment: Deployment
  /** How long the node may take to answer. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * Connects to a node, and makes sure that it has the right chain and the contracts.
 *
 * @throws ChainUnreachableError, WrongChainError, DeploymentMissingError
 * @example
 * const chain = await connectChain('http://127.0.0.1:8545', { deployment })
 */
export async function connectChain(url: string, options: ConnectOptions): Promise<ChainConnection> {
  const chainId = BigInt(options.deployment.chainId)
  await waitForChain(url, { ...options, chainId })
  const connection: ChainConnection = { url, chainId, deployment: options.deployment, client: createChainClient(url, chainId) }
  await assertDeployed(connection)
  return connection
}

/** @throws DeploymentMissingError when a contract has no code. */
export async function assertDeployed(connection: ChainConnection): Promise<void> {
  const contracts = Object.entries(connection.deployment.contracts)
  await Promise.all(
    contracts.map(async ([contract, address]) => {
      if (address === null) return
      const code = await connection.client.getCode({ address })
      if (code === undefined || code === '0x') throw new DeploymentMissingError({ contract, address })
    }),
  )
}
