// Money on a local network: tokens that are worth nothing, and the gas to move them.
import {
  type ChainConnection,
  depositToPool,
  dripTo,
  fetchFreeBalance,
  fetchGasBalance,
  fetchTokenBalance,
  type TransactionSender,
} from '@tacit/chain'
import type { NetworkDescription } from '@tacit/client'
import { BadStatusError, fetchJson } from '@tacit/network'
import type { Address } from '@tacit/protocol'
import { FaucetRefusedError } from './errors.ts'
import type { OpenedClient } from './open-client.ts'

/** Sends one drip of tokens and gas. */
export type Faucet = (recipient: Address) => Promise<void>

/** Who runs the network pays the gas of asking. */
export function ownFaucet(sender: TransactionSender): Faucet {
  return async (recipient) => void (await dripTo(sender, recipient))
}

/** Whoever joined asks the dispatcher; undefined on networks without a faucet. */
export function networkFaucet({ deployment, dispatcherUrl }: NetworkDescription, signal: AbortSignal): Faucet | undefined {
  if (deployment.contracts.faucet === null || dispatcherUrl === null) return undefined
  return async (recipient) => {
    try {
      await fetchJson(`${dispatcherUrl}/v1/faucet`, { body: { address: recipient }, timeoutMs: 30_000, signal })
    } catch (cause) {
      signal.throwIfAborted()
      throw new FaucetRefusedError(refusalOf(cause), { cause })
    }
  }
}

function refusalOf(error: unknown): string {
  if (error instanceof BadStatusError) {
    const { error: refusal } = (error.body ?? {}) as { error?: { message?: unknown } }
    if (typeof refusal?.message === 'string') return refusal.message.slice(0, 200)
  }
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'it did not answer'
}

export const tokenUnit = 10n ** 18n
const lowWaterWei = 20n * tokenUnit
const depositWei = 100n * tokenUnit

/** Asks the faucet when an account has no gas or fewer tokens than needed. */
export async function drawIfShort(
  chain: ChainConnection,
  account: Address,
  { faucet, needsWei }: { readonly faucet: Faucet; readonly needsWei: bigint },
): Promise<boolean> {
  const [gas, tokens] = await Promise.all([fetchGasBalance(chain, account), fetchTokenBalance(chain, account)])
  if (gas > 0n && tokens >= needsWei) return false
  await faucet(account)
  return true
}

/**
 * Fills the pool when it runs low, from the wallet, and the wallet from the faucet.
 * @returns what is free in the pool afterwards, in the token's smallest unit.
 * @throws FaucetRefusedError
 */
export async function fundFromFaucet({ chain, payer, sender }: OpenedClient, faucet: Faucet): Promise<bigint> {
  const free = await fetchFreeBalance(chain, payer.address)
  if (free >= lowWaterWei) return free
  await drawIfShort(chain, payer.address, { faucet, needsWei: depositWei })
  await depositToPool(sender, { amountWei: depositWei })
  return fetchFreeBalance(chain, payer.address)
}
