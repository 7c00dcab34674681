// Takes a worker's stake back: asks first, pays out after the thaw that the contract holds it for.
import { fetchModelIds, fetchStake, requestUnstake, withdrawStake } from '@tacit/chain'
import type { Address, ModelId } from '@tacit/protocol'
import type { OpenedClient } from './open-client.ts'

/** What became of the stake for one model. */
export type UnstakeStep = {
  readonly model: ModelId
  readonly outcome: 'asked' | 'waiting' | 'returned'
  readonly amountWei: bigint
  /** Unix seconds. */
  readonly thawedAt: number
}

/** Pays out what has thawed and asks for the rest. Until the thaw is over, stake can still be slashed for what was done before. */
export async function unstakeAll({ chain, payer, sender }: OpenedClient, worker: Address): Promise<readonly UnstakeStep[]> {
  const steps: UnstakeStep[] = []
  for (const model of await fetchModelIds(chain)) {
    const { stakedWei, thawingWei, thawedAt } = await fetchStake(chain, worker, model)
    const { timestamp } = await chain.client.getBlock()
    // Paid out first: asking for more would start the thaw of all of it again.
    if (thawingWei > 0n && BigInt(thawedAt) <= timestamp) {
      await withdrawStake(sender, { worker, modelId: model, to: payer.address })
      steps.push({ model, outcome: 'returned', amountWei: thawingWei, thawedAt })
    } else if (thawingWei > 0n) steps.push({ model, outcome: 'waiting', amountWei: thawingWei, thawedAt })
    if (stakedWei > 0n) {
      await requestUnstake(sender, { worker, modelId: model, amountWei: stakedWei })
      steps.push({ model, outcome: 'asked', amountWei: stakedWei, thawedAt: (await fetchStake(chain, worker, model)).thawedAt })
    }
  }
  return steps
}
