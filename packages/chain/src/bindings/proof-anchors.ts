import type { TransactionReceipt } from 'viem'
import type { Address, Bytes32 } from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { DeploymentMissingError } from '../errors.ts'
import { proofAnchorsAbi } from '../generated/proof-anchors.ts'
import { readContract } from '../internal/read-contract.ts'
import type { TransactionSender } from '../transaction-sender.ts'

/**
 * Anchors the root over a batch of layer proofs (`proofBatchRoot`) in the sender's name.
 * @throws TransactionRevertedError (`AlreadyAnchored`, `EmptyBatch`)
 */
export async function anchorProofs(
  sender: TransactionSender,
  { root, count }: { readonly root: Bytes32; readonly count: number },
): Promise<TransactionReceipt> {
  const args = [root, count] as const
  return await sender.send(
    encodeCall('anchoring proofs', anchorsAddress(sender.connection), { abi: proofAnchorsAbi, functionName: 'anchor', args }),
  )
}

/** When `poster` anchored `root`, in Unix seconds; undefined when it did not. */
export async function fetchAnchorTime(chain: ChainConnection, poster: Address, root: Bytes32): Promise<number | undefined> {
  const asked = { address: anchorsAddress(chain), abi: proofAnchorsAbi, functionName: 'anchoredAt', args: [poster, root] } as const
  const time = await readContract(chain, 'reading an anchor', asked)
  return time === 0n ? undefined : Number(time)
}

function anchorsAddress(chain: ChainConnection): Address {
  const address = chain.deployment.contracts.proofAnchors
  if (address === undefined)
    throw new DeploymentMissingError({ contract: 'proofAnchors', address: 'no address: the network is older than anchors' })
  return address
}
