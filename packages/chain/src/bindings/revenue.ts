// Revenue: divided from the accumulators that redeeming fills, and paid out.
import type { TransactionReceipt } from 'viem'
import type { Address } from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { paymentPoolAbi } from '../generated/payment-pool.ts'
import { readContract } from '../internal/read-contract.ts'
import type { TransactionSender } from '../transaction-sender.ts'
import type { PaymentChannel } from './payment-pool.ts'

/** How a payment is divided, as fixed when its lock was made. */
export type RevenueSplit = {
  readonly payee: Address
  readonly modelOwner: Address
  readonly ownerBps: number
  readonly protocolBps: number
}

/** What an account may withdraw: divided already, plus its part of the given accumulators. */
export async function fetchRevenue(chain: ChainConnection, account: Address, splits: readonly RevenueSplit[]): Promise<RevenueBalance> {
  const address = chain.deployment.contracts.paymentPool
  const divided = await readContract(chain, 'reading revenue', { address, abi: paymentPoolAbi, functionName: 'revenueOf', args: [account] })
  let undividedWei = 0n
  for (const split of splits) {
    const key = await readContract(chain, 'reading revenue', { address, abi: paymentPoolAbi, functionName: 'splitHash', args: [split] })
    undividedWei += await readContract(chain, 'reading revenue', {
      address,
      abi: paymentPoolAbi,
      functionName: 'undividedRevenue',
      args: [key],
    })
  }
  return { dividedWei: divided, undividedWei }
}

/** What the pool keeps for an account. */
export type RevenueBalance = {
  /** The account's own. */
  readonly dividedWei: bigint
  /** Redeemed under the given splits and not divided yet; other parties' shares are still in it. */
  readonly undividedWei: bigint
}

/**
 * Divides the given accumulators and pays the sender's revenue out.
 * @throws TransactionRevertedError (`NoRevenue`)
 */
export async function withdrawRevenue(
  sender: TransactionSender,
  { splits, to = sender.address }: { readonly splits: readonly RevenueSplit[]; readonly to?: Address },
): Promise<TransactionReceipt> {
  const args = [splits, to] as const
  return await sender.send(
    encodeCall('withdrawing revenue', sender.connection.deployment.contracts.paymentPool, {
      abi: paymentPoolAbi,
      functionName: 'withdrawRevenue',
      args,
    }),
  )
}

/** The split that a channel's payments follow. */
export function splitOf(payee: Address, channel: PaymentChannel): RevenueSplit {
  return { payee, modelOwner: channel.modelOwner, ownerBps: channel.ownerBps, protocolBps: channel.protocolBps }
}
