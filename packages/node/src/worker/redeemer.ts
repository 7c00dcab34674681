// Turns vouchers into revenue: one transaction for all channels that owe something, with the root of the receipts it pays.
import { type Bytes32, type Hex, keccak, parseBytes32, parseHex, toHex } from '@tacit/protocol'
import type { RandomSource } from '@tacit/session'
import type { Journal, Redeemable } from './journal.ts'

/**
 * What sends the transaction. Resolves when it is mined; gives what the chain then counts as claimed, per channel, and whether nothing more
 * can be had for what was due.
 */
export type RedeemVouchers = (
  claims: readonly Redeemable[],
  receiptsRoot: Hex,
) => Promise<readonly { readonly channel: string; readonly claimed: bigint; readonly settled: boolean }[]>

/** A claim costs about 50,000 gas at first, and one transaction may burn 2^24 (EIP-7825). */
const claimsPerTransaction = 128

/**
 * Redeems everything that is due. Safe to repeat: vouchers are cumulative, so a claim that was mined before a crash is only
 * noted the second time. A transaction that fails does not hold up the others; the first failure is thrown after them.
 * @returns the sum that was newly redeemed, in the token's smallest unit.
 */
export async function redeemAll(journal: Journal, redeem: RedeemVouchers, random: RandomSource): Promise<bigint> {
  const due = journal.redeemable()
  const failures: unknown[] = []
  let sum = 0n
  for (let start = 0; start < due.length; start += claimsPerTransaction) {
    try {
      sum += await redeemBatch(journal, redeem, due.slice(start, start + claimsPerTransaction), random)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return sum
}

async function redeemBatch(journal: Journal, redeem: RedeemVouchers, due: readonly Redeemable[], random: RandomSource): Promise<bigint> {
  const receipts = due.flatMap((entry) => entry.receipts)
  // A random leaf hides the others: without it, whoever holds a published receipt could find its payer by the root on chain.
  const blind = parseBytes32(toHex(random(32)))
  const root = receiptsRoot([blind, ...receipts.map((receipt) => parseBytes32(receipt))])
  journal.recordBatch({ root, blind, receipts })
  const claimed = await redeem(due, root)
  let sum = 0n
  for (const entry of due) {
    const onChain = claimed.find(({ channel }) => channel === entry.channel)
    if (onChain === undefined || !onChain.settled) continue
    // What a closed channel did not keep is lost; asking for it again would fail for ever.
    journal.markRedeemed(entry.channel, onChain.claimed > entry.amount ? onChain.claimed : entry.amount, entry.receipts)
    sum += onChain.claimed - entry.redeemed
  }
  return sum
}

/**
 * The Merkle root over receipt ids as OpenZeppelin's MerkleProof checks it: leaves hashed twice, sorted, pairs hashed in
 * order. Zero when there are none.
 */
export function receiptsRoot(receipts: readonly Bytes32[]): Bytes32 {
  let level: readonly Bytes32[] = receipts
    .map((receipt) => keccak(parseHex(keccak(parseHex(receipt, 'A receipt id', 32)), 'A hash', 32)))
    .toSorted()
  if (level.length === 0) return parseBytes32(`0x${'00'.repeat(32)}`)
  while (level.length > 1) {
    const next: Bytes32[] = []
    for (let i = 0; i < level.length; i += 2) {
      const [a, b] = [level[i], level[i + 1]]
      if (a === undefined) continue
      next.push(b === undefined ? a : hashPair(a, b))
    }
    level = next
  }
  return level[0] ?? parseBytes32(`0x${'00'.repeat(32)}`)
}

function hashPair(a: Bytes32, b: Bytes32): Bytes32 {
  const [low, high] = a < b ? [a, b] : [b, a]
  return keccak(parseHex(low, 'A hash', 32), parseHex(high, 'A hash', 32))
}
