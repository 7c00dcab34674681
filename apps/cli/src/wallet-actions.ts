// What `tacit wallet` does on chain: moves tokens between wallet and pool, and takes locks back.
import {
  depositToPool,
  fetchChannel,
  fetchFreeBalance,
  fetchGasBalance,
  fetchTokenBalance,
  requestUnlock,
  unlockChannel,
  withdrawFromPool,
} from '@tacit/chain'
import type { OwnChannel } from '@tacit/client'
import { BalanceTooLowError } from './errors.ts'
import { formatTokens } from './format.ts'
import type { OpenedClient } from './open-client.ts'

/** A lock as the wallet shows it. */
export type ShownLock = {
  readonly channel: OwnChannel
  readonly status: 'open' | 'closing' | 'closed' | 'none'
  readonly lockedWei: bigint
  readonly claimedWei: bigint
  /** What vouchers were signed for, redeemed or not. */
  readonly spentWei: bigint
  /** Unix seconds from which the rest can be taken; 0 while it was not asked back. */
  readonly unlockAt: number
}

export type Balances = { readonly gasWei: bigint; readonly tokensWei: bigint; readonly poolWei: bigint }

export async function fetchBalances({ chain, payer }: OpenedClient): Promise<Balances> {
  const [gasWei, tokensWei, poolWei] = await Promise.all([
    fetchGasBalance(chain, payer.address),
    fetchTokenBalance(chain, payer.address),
    fetchFreeBalance(chain, payer.address),
  ])
  return { gasWei, tokensWei, poolWei }
}

export async function fetchLocks({ chain, store }: OpenedClient): Promise<readonly ShownLock[]> {
  const known = [...store.channels(), ...store.closingChannels()]
  return Promise.all(
    known.map(async (channel): Promise<ShownLock> => {
      const { status, lockedWei, claimedWei, unlockAt } = await fetchChannel(chain, channel.id)
      const { signed } = store.ledgers.read(channel.id)
      const shown = status === 'open' && unlockAt !== 0 ? 'closing' : status
      // What was signed is forgotten for a recovered lock; what was claimed is not.
      return { channel, status: shown, lockedWei, claimedWei, spentWei: signed > claimedWei ? signed : claimedWei, unlockAt }
    }),
  )
}

/** @throws BalanceTooLowError */
export async function deposit(opened: OpenedClient, amountWei: bigint): Promise<void> {
  const { tokensWei, gasWei } = await fetchBalances(opened)
  if (gasWei === 0n) throw noGas(opened)
  if (tokensWei < amountWei) throw new BalanceTooLowError('The wallet holds less than that.', [`It holds ${formatTokens(tokensWei)}.`])
  await depositToPool(opened.sender, { amountWei })
}

/** @throws BalanceTooLowError */
export async function withdraw(opened: OpenedClient, amountWei: bigint): Promise<void> {
  const { poolWei, gasWei } = await fetchBalances(opened)
  if (gasWei === 0n) throw noGas(opened)
  if (poolWei < amountWei)
    throw new BalanceTooLowError('The pool holds less than that outside of locks.', [
      `Free: ${formatTokens(poolWei)}.`,
      '`tacit wallet unlock` asks for what is locked.',
    ])
  await withdrawFromPool(opened.sender, { amountWei })
}

/** What became of one lock. */
export type UnlockStep = {
  readonly lock: ShownLock
  readonly outcome: 'asked' | 'waiting' | 'returned' | 'gone'
  readonly unlockAt: number
}

/**
 * Asks for every open lock back, and takes what has waited long enough. A worker may redeem what it was promised until then.
 */
export async function unlockAll(opened: OpenedClient): Promise<readonly UnlockStep[]> {
  const { chain, store, sender } = opened
  const { timestamp } = await chain.client.getBlock()
  const steps: UnlockStep[] = []
  for (const lock of await fetchLocks(opened)) {
    const { channel, status, unlockAt } = lock
    const target = { payee: channel.worker, modelId: channel.model, salt: channel.salt }
    if (status === 'open') {
      // Retired first: a request that starts now must not use a lock that is about to close.
      store.retireChannel(channel)
      await requestUnlock(sender, target)
      steps.push({ lock, outcome: 'asked', unlockAt: (await fetchChannel(chain, channel.id)).unlockAt })
    } else if (status === 'closing') {
      store.retireChannel(channel)
      if (BigInt(unlockAt) >= timestamp) steps.push({ lock, outcome: 'waiting', unlockAt })
      else {
        await unlockChannel(sender, target)
        store.forgetChannel(channel)
        steps.push({ lock, outcome: 'returned', unlockAt })
      }
    } else {
      store.retireChannel(channel)
      store.forgetChannel(channel)
      steps.push({ lock, outcome: 'gone', unlockAt })
    }
  }
  return steps
}

function noGas({ payer }: OpenedClient): BalanceTooLowError {
  return new BalanceTooLowError('The wallet has no gas.', [`Send some to ${payer.address}; on a local network \`tacit wallet fund\` does.`])
}
