// What a worker asks the chain: locks before it works, redemption after.
import {
  type ChainConnection,
  channelIdOf,
  fetchChannel,
  fetchModel,
  fetchParameters,
  type PaymentChannel,
  redeemVouchers,
  type TransactionSender,
} from '@tacit/chain'
import type { ChannelView } from '@tacit/exchange'
import { type Address, type ChannelId, type ModelId, parseUint } from '@tacit/protocol'
import type { Redeemable } from '../worker/journal.ts'
import type { RedeemVouchers } from '../worker/redeemer.ts'
import type { WorkerServices } from '../worker/services.ts'

/** How long a lock that was seen on chain is believed. An unlock takes an hour or more, so this leaves ample time to redeem. */
const believedMs = 60_000

/** What others may take of a payment, in hundredths of a percent: the shares of model's owner and protocol when the worker started. */
export type AgreedShares = ReadonlyMap<ModelId, number>

/** The shares that hold now, to be asked once when a worker starts. Models that are not published are missing. */
export async function fetchAgreedShares(chain: ChainConnection, models: readonly ModelId[]): Promise<AgreedShares> {
  const { protocolFeeBps } = await fetchParameters(chain)
  const published = await Promise.all(models.map((model) => fetchModel(chain, model)))
  return new Map(published.flatMap((model) => (model === undefined ? [] : [[model.modelId, model.ownerBps + protocolFeeBps] as const])))
}

/** Reads locks through a small cache. Locks that give others more than was agreed are of no use: a model's owner may raise its share at any time. */
export function createChannelReader(chain: ChainConnection, payee: Address, agreed: AgreedShares): WorkerServices['channel'] {
  const known = new Map<ChannelId, { readonly view: ChannelView; readonly atMs: number }>()
  return async ({ payer, model, salt }, { needs }) => {
    const id = channelIdOf(chain, { payer, payee, modelId: model, salt })
    const cached = known.get(id)
    if (cached !== undefined && Date.now() - cached.atMs < believedMs && cached.view.locked >= needs) return cached.view
    const channel = await fetchChannel(chain, id)
    if (channel.status === 'none') return undefined
    const unusable = whyUnusable(channel, agreed.get(model) ?? 0)
    const view: ChannelView = { id, payer, payee, model, salt, locked: channel.lockedWei, claimed: channel.claimedWei, unusable }
    if (known.size > 10_000) known.clear()
    known.set(id, { view, atMs: Date.now() })
    return view
  }
}

function whyUnusable({ status, unlockAt, ownerBps, protocolBps }: PaymentChannel, agreedBps: number): string | null {
  if (status === 'closed' || unlockAt !== 0) return 'the payer is taking this lock back'
  if (ownerBps + protocolBps > agreedBps)
    return 'this lock gives the owner of the model a larger share than when the worker started; it takes part again after a restart'
  return null
}

/**
 * Redeems in one transaction and reads back what the chain counts. A channel that closed with less than its voucher pays what it kept, and
 * nothing is owed by it any more.
 */
export function createRedeemer(sender: TransactionSender): RedeemVouchers {
  return async (due, receiptsRoot) => {
    const before = await readChannels(sender.connection, due)
    const claims = due.flatMap(({ key, voucher, amount }, index) => {
      const channel = before[index]
      const amountWei = channel === undefined ? 0n : payable(channel, amount)
      // After a crash between the transaction and the journal there is nothing left to claim.
      if (channel === undefined || amountWei <= channel.claimedWei) return []
      const { payer, model: modelId, salt } = key
      const maxClaimableAmount = parseUint(voucher.maxClaimableAmount, 'A voucher amount', 128)
      return [{ payer, modelId, salt, amountWei, maxClaimableAmount, signature: voucher.signature }]
    })
    if (claims.length > 0) await redeemVouchers(sender, claims, { receiptsRoot })
    const after = claims.length === 0 ? before : await readChannels(sender.connection, due)
    return due.map(({ channel, amount }, index) => {
      const now = after[index]
      const claimed = now?.claimedWei ?? 0n
      return {
        channel,
        claimed,
        settled: now !== undefined && claimed >= payable(now, amount) && (claimed >= amount || now.status === 'closed'),
      }
    })
  }
}

function payable({ lockedWei }: PaymentChannel, amount: bigint): bigint {
  return amount < lockedWei ? amount : lockedWei
}

function readChannels(chain: ChainConnection, due: readonly Redeemable[]): Promise<readonly PaymentChannel[]> {
  return Promise.all(due.map(({ channel }) => fetchChannel(chain, channel)))
}
