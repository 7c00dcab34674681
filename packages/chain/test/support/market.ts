// A published model, a staked worker, a client with money in the pool: what most tests begin with.
import { createVoucherDigest, type ModelId, type Signer } from '@tacit/protocol'
import {
  type ChainConnection,
  depositToPool,
  publishModel,
  registerWorker,
  stakeFor,
  type TransactionSender,
  type VoucherClaim,
  channelIdOf,
  type ChannelKey,
} from '../../src/index.ts'
import type { EmbeddedChain } from '../../src/embedded/index.ts'
import { fundedSender, randomWord, token } from './local-chain.ts'

export type Market = {
  readonly owner: TransactionSender
  readonly worker: TransactionSender & { readonly signer: Signer }
  readonly client: TransactionSender & { readonly signer: Signer }
  readonly modelId: ModelId
}

export async function openMarket(chain: EmbeddedChain): Promise<Market> {
  const owner = await fundedSender(chain)
  const worker = await fundedSender(chain)
  const client = await fundedSender(chain)
  const { modelId } = await publishModel(owner, {
    commitmentsRoot: randomWord(),
    manifestHash: randomWord(),
    salt: randomWord(),
    pricePerStepWei: token,
    minStakeWei: 2_000n * token,
    engineClass: 1,
    ownerBps: 1_500,
    allowListed: false,
  })
  await registerWorker(worker, { profile: { endpoint: 'ws://127.0.0.1:1', region: 'local', capacity: 4 } })
  await stakeFor(worker, { worker: worker.address, modelId, amountWei: 3_000n * token })
  await depositToPool(client, { amountWei: 5_000n * token })
  return { owner, worker, client, modelId }
}

export function signClaim(
  chain: ChainConnection,
  payer: Signer,
  key: ChannelKey,
  amountWei: bigint,
  maxClaimableAmount = amountWei,
): VoucherClaim {
  const digest = createVoucherDigest({ chainId: chain.chainId, contract: chain.deployment.contracts.paymentPool })
  const signature = payer.sign(digest({ channelId: channelIdOf(chain, key), maxClaimableAmount }))
  return { payer: key.payer, modelId: key.modelId, salt: key.salt, amountWei, maxClaimableAmount, signature }
}
