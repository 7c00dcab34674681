// What a worker asks the chain: locks before it works, redemption after.
import { type ChainConnection, channelIdOf, fetchChannel, redeemVouchers, type TransactionSender } from '@tacit/chain'
import type { ChannelView } from '@tacit/exchange'
import { type Address, type ChannelId, parseUint } from '@tacit/protocol'
import type { RedeemVouchers } from '../worker/redeemer.ts'
import type { WorkerServices } from '../worker/services.ts'

/** How long a lock that was seen on chain is believed. An unlock takes an hour or more, so this leaves ample time to redeem. */
const believedMs = 60_000

/** Reads locks through a small cache. */
export function createChannelReader(chain: ChainConnection, payee: Address): WorkerServices['channel'] {
  const known = new Map<ChannelId, { readonly view: ChannelView; readonly atMs: number }>()
  return async ({ payer, model, salt }, { needs }) => {
    const id = channelIdOf(chain, { payer, payee, modelId: model, salt })
    const cached = known.get(id)
    if (cached !== undefined && Date.now() - cached.atMs < believedMs && cached.view.locked >= needs) return cached.view
    const channel = await fetchChannel(chain, id)
    if (channel.status === 'none') return undefined
    const view: ChannelView = {
      id,
      payer,
      payee,
      model,
      salt,
      locked: channel.lockedWei,
      claimed: channel.claimedWei,
      closing: channel.status === 'closed' || channel.unlockAt !== 0,
    }
    if (known.size > 10_000) known.clear()
    known.set(id, { view, atMs: Date.now() })
    return view
  }
}

/** Redeems in one transaction and reads back what the chain counts. */
export function createRedeemer(sender: TransactionSender): RedeemVouchers {
  return async (due, receiptsRoot) => {
    const claims = due.map(({ key, voucher, amount }) => ({
      payer: key.payer,
      modelId: key.model,
      salt: key.salt,
      amountWei: amount,
      maxClaimableAmount: parseUint(voucher.maxClaimableAmount, 'A voucher amount', 128),
      signature: voucher.signature,
    }))
    const before = await readClaimed(sender.connection, due)
    // After a crash between the transaction and the journal there is nothing left to claim.
    const open = claims.filter((claim, index) => (before[index]?.claimed ?? 0n) < claim.amountWei)
    if (open.length > 0) await redeemVouchers(sender, open, { receiptsRoot })
    return open.length === 0 ? before : readClaimed(sender.connection, due)
  }
}

async function readClaimed(
  chain: ChainConnection,
  due: Parameters<RedeemVouchers>[0],
): Promise<{ readonly channel: string; readonly claimed: bigint }[]> {
  return Promise.all(due.map(async ({ channel }) => ({ channel, claimed: (await fetchChannel(chain, channel)).claimedWei })))
}
