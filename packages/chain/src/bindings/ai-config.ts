import { type Address, parseAddress } from '@tacit/protocol'
import type { ChainConnection } from '../connection.ts'
import { aiConfigAbi } from '../generated/ai-config.ts'
import { readContract } from '../internal/read-contract.ts'

/** Every parameter of the network; the bounds are in AIConfig.sol. */
export type ConfigParameters = {
  readonly protocolFeeBps: number
  readonly maxOwnerBps: number
  readonly slashRewardBps: number
  readonly maxSlashBps: number
  readonly unlockDelaySeconds: number
  readonly stakeThawSeconds: number
  readonly disputeWindowSeconds: number
  /** In the token's smallest unit. */
  readonly minStakeFloor: bigint
}

/** The parameters that hold now. */
export async function fetchParameters(chain: ChainConnection): Promise<ConfigParameters> {
  return await readContract(chain, 'reading the parameters', {
    address: chain.deployment.contracts.aiConfig,
    abi: aiConfigAbi,
    functionName: 'parameters',
  })
}

/** Where the protocol's revenue goes. */
export async function fetchTreasury(chain: ChainConnection): Promise<Address> {
  const treasury = await readContract(chain, 'reading the treasury', {
    address: chain.deployment.contracts.aiConfig,
    abi: aiConfigAbi,
    functionName: 'treasury',
  })
  return parseAddress(treasury.toLowerCase())
}
