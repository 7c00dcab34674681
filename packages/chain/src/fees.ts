import type { ChainClient } from './connection.ts'

/** What a transaction offers per gas (EIP-1559). */
export type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }

/** Room for the base fee to double twice while the transaction waits. */
export async function fetchFees(client: ChainClient): Promise<Fees> {
  const block = await client.getBlock({ blockTag: 'latest', includeTransactions: false })
  const base = block.baseFeePerGas ?? 0n
  const tip = 1_000_000_000n
  return { maxFeePerGas: base * 4n + tip, maxPriorityFeePerGas: tip }
}

/**
 * Fees with which a replacement of a pending transaction is accepted. geth and its kin ask for a tenth more on both values
 * (`txpool.pricebump`, 100% for blob transactions); a quarter leaves room for a base fee that rose meanwhile.
 */
export function bumpFees(previous: Fees, current: Fees): Fees {
  return {
    maxFeePerGas: max(current.maxFeePerGas, (previous.maxFeePerGas * 5n) / 4n + 1n),
    maxPriorityFeePerGas: max(current.maxPriorityFeePerGas, (previous.maxPriorityFeePerGas * 5n) / 4n + 1n),
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
