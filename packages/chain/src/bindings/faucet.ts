import type { TransactionReceipt } from 'viem'
import type { Address } from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import { DeploymentMissingError } from '../errors.ts'
import { faucetAbi } from '../generated/faucet.ts'
import type { TransactionSender } from '../transaction-sender.ts'

/**
 * Has the faucet of a local network send tokens and gas to `recipient`.
 * @throws DeploymentMissingError where there is no faucet; TransactionRevertedError (`CoolingDown`, `Dry`)
 */
export async function dripTo(sender: TransactionSender, recipient: Address): Promise<TransactionReceipt> {
  const faucet = sender.connection.deployment.contracts.faucet
  if (faucet === null) throw new DeploymentMissingError({ contract: 'faucet', address: 'no address: this is not a local network' })
  return await sender.send(encodeCall('asking the faucet', faucet, { abi: faucetAbi, functionName: 'drip', args: [recipient] }))
}
