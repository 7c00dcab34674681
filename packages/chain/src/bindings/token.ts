import type { TransactionReceipt } from 'viem'
import type { Address } from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { tacitTokenAbi } from '../generated/tacit-token.ts'
import { readContract } from '../internal/read-contract.ts'
import type { TransactionSender } from '../transaction-sender.ts'

/** What an account holds, in the token's smallest unit. */
export async function fetchTokenBalance(chain: ChainConnection, account: Address): Promise<bigint> {
  const address = chain.deployment.contracts.tacitToken
  return await readContract(chain, 'reading a balance', { address, abi: tacitTokenAbi, functionName: 'balanceOf', args: [account] })
}

/** What an account holds of the native currency, for gas. */
export async function fetchGasBalance(chain: ChainConnection, account: Address): Promise<bigint> {
  return await chain.client.getBalance({ address: account })
}

/** Sends tokens. */
export async function transferTokens(
  sender: TransactionSender,
  { to, amountWei }: { readonly to: Address; readonly amountWei: bigint },
): Promise<TransactionReceipt> {
  const token = sender.connection.deployment.contracts.tacitToken
  return await sender.send(encodeCall('sending tokens', token, { abi: tacitTokenAbi, functionName: 'transfer', args: [to, amountWei] }))
}

/** Sees to it that `spender` may take `amountWei` from the sender; asks first, so that a second time costs nothing. */
export async function ensureAllowance(sender: TransactionSender, spender: Address, amountWei: bigint): Promise<void> {
  const { connection, address } = sender
  const token = connection.deployment.contracts.tacitToken
  const allowed = await readContract(connection, 'reading an allowance', {
    address: token,
    abi: tacitTokenAbi,
    functionName: 'allowance',
    args: [address, spender],
  })
  if (allowed >= amountWei) return
  await sender.send(
    encodeCall('allowing a contract to take tokens', token, { abi: tacitTokenAbi, functionName: 'approve', args: [spender, amountWei] }),
  )
}
