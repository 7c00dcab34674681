// Money: the pool, its locks, the vouchers, the revenue.
import type { TransactionReceipt } from 'viem'
import {
  type Address,
  type Bytes32,
  type ChannelId,
  createVoucherDigest,
  deriveChannelId,
  type Hex,
  type ModelId,
  parseAddress,
  withRecoverableV,
} from '@tacit/protocol'
import { type ContractCall, encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { TransactionRevertedError } from '../errors.ts'
import { paymentPoolAbi } from '../generated/payment-pool.ts'
import { readContract } from '../internal/read-contract.ts'
import type { TransactionSender } from '../transaction-sender.ts'
import { ensureAllowance } from './token.ts'

/** A channel's name, apart from chain and pool. */
export type ChannelKey = { readonly payer: Address; readonly payee: Address; readonly modelId: ModelId; readonly salt: Bytes32 }

/** The payee's half of it; the payer is the sender. */
export type ChannelTarget = Omit<ChannelKey, 'payer'>

/** A lock as the pool knows it. */
export type PaymentChannel = {
  readonly status: 'none' | 'open' | 'closed'
  /** What the payee may claim in total, the claimed part included. */
  readonly lockedWei: bigint
  readonly claimedWei: bigint
  /** Unix seconds after which the payer may take the rest; 0 while no unlock is requested. */
  readonly unlockAt: number
  readonly modelOwner: Address
  readonly ownerBps: number
  readonly protocolBps: number
}

/** A voucher to redeem; the payee is the sender. */
export type VoucherClaim = {
  readonly payer: Address
  readonly modelId: ModelId
  readonly salt: Bytes32
  /** The new cumulative claim; at most what the voucher says. */
  readonly amountWei: bigint
  readonly maxClaimableAmount: bigint
  readonly signature: Hex
}

const zeroRoot: Hex = `0x${'00'.repeat(32)}`
const channelStatuses = ['none', 'open', 'closed'] as const

/** The channel id, derived here as the pool derives it. */
export function channelIdOf(chain: ChainConnection, key: ChannelKey): ChannelId {
  const { payer, payee, modelId, salt } = key
  return deriveChannelId({ chainId: chain.chainId, contract: chain.deployment.contracts.paymentPool, payer, payee, model: modelId, salt })
}

/** What a payer has in the pool that no lock holds. */
export async function fetchFreeBalance(chain: ChainConnection, payer: Address): Promise<bigint> {
  const address = chain.deployment.contracts.paymentPool
  return await readContract(chain, 'reading a free balance', { address, abi: paymentPoolAbi, functionName: 'freeBalanceOf', args: [payer] })
}

/** The channel; its status is `none` when nobody opened it. */
export async function fetchChannel(chain: ChainConnection, channelId: ChannelId): Promise<PaymentChannel> {
  const address = chain.deployment.contracts.paymentPool
  const channel = await readContract(chain, 'reading a channel', {
    address,
    abi: paymentPoolAbi,
    functionName: 'channel',
    args: [channelId],
  })
  return {
    status: channelStatuses[channel.status] ?? 'none',
    lockedWei: channel.locked,
    claimedWei: channel.claimed,
    unlockAt: channel.unlockAt,
    modelOwner: parseAddress(channel.modelOwner.toLowerCase()),
    ownerBps: channel.ownerBps,
    protocolBps: channel.protocolBps,
  }
}

/** Adds to the free part of the sender's pool, or of `payer`'s; allowance included. */
export async function depositToPool(
  sender: TransactionSender,
  { amountWei, payer = sender.address }: { readonly amountWei: bigint; readonly payer?: Address },
): Promise<TransactionReceipt> {
  await ensureAllowance(sender, poolOf(sender), amountWei)
  const args = [payer, amountWei] as const
  return await sender.send(encodeCall('depositing', poolOf(sender), { abi: paymentPoolAbi, functionName: 'depositFor', args }))
}

/** Takes free tokens out of the pool. */
export async function withdrawFromPool(
  sender: TransactionSender,
  { amountWei, to = sender.address }: { readonly amountWei: bigint; readonly to?: Address },
): Promise<TransactionReceipt> {
  return await sender.send(
    encodeCall('withdrawing from the pool', poolOf(sender), { abi: paymentPoolAbi, functionName: 'withdraw', args: [amountWei, to] }),
  )
}

/**
 * Locks part of the sender's free balance for a payee.
 * @throws TransactionRevertedError (`InsufficientFreeBalance`, `ModelUnavailable`, `ChannelExists`)
 */
export async function lockForPayee(
  sender: TransactionSender,
  { payee, modelId, salt, amountWei }: ChannelTarget & { readonly amountWei: bigint },
): Promise<{ readonly channelId: ChannelId; readonly receipt: TransactionReceipt }> {
  const args = [payee, modelId, amountWei, salt] as const
  const receipt = await sender.send(encodeCall('locking', poolOf(sender), { abi: paymentPoolAbi, functionName: 'lock', args }))
  return { channelId: channelIdOf(sender.connection, { payer: sender.address, payee, modelId, salt }), receipt }
}

/** Adds to a lock from the sender's free balance. */
export async function topUpLock(
  sender: TransactionSender,
  { payee, modelId, salt, amountWei }: ChannelTarget & { readonly amountWei: bigint },
): Promise<TransactionReceipt> {
  const args = [payee, modelId, salt, amountWei] as const
  return await sender.send(encodeCall('topping a lock up', poolOf(sender), { abi: paymentPoolAbi, functionName: 'topUp', args }))
}

/** Starts the delay after which the sender gets back what is not claimed. */
export async function requestUnlock(sender: TransactionSender, { payee, modelId, salt }: ChannelTarget): Promise<TransactionReceipt> {
  const args = [payee, modelId, salt] as const
  return await sender.send(
    encodeCall('asking for a lock back', poolOf(sender), { abi: paymentPoolAbi, functionName: 'requestUnlock', args }),
  )
}

/** Ends a channel after the delay. */
export async function unlockChannel(sender: TransactionSender, { payee, modelId, salt }: ChannelTarget): Promise<TransactionReceipt> {
  const args = [payee, modelId, salt] as const
  return await sender.send(encodeCall('unlocking', poolOf(sender), { abi: paymentPoolAbi, functionName: 'unlock', args }))
}

/** The payee ends a channel at once, keeping `finalAmountWei` claimable. */
export async function releaseChannel(
  sender: TransactionSender,
  { payer, modelId, salt, finalAmountWei }: Omit<ChannelKey, 'payee'> & { readonly finalAmountWei: bigint },
): Promise<TransactionReceipt> {
  const args = [payer, modelId, salt, finalAmountWei] as const
  return await sender.send(encodeCall('releasing a channel', poolOf(sender), { abi: paymentPoolAbi, functionName: 'release', args }))
}

/** Moves what a channel does not need to another payee: with the payee's signed consent, or without after the unlock delay. */
export async function moveLock(
  sender: TransactionSender,
  options: { readonly from: ChannelTarget; readonly to: ChannelTarget; readonly finalAmountWei: bigint; readonly consent?: Hex },
): Promise<{ readonly channelId: ChannelId; readonly receipt: TransactionReceipt }> {
  const args = [options.from, options.to, options.finalAmountWei, options.consent ?? '0x'] as const
  const receipt = await sender.send(encodeCall('moving a lock', poolOf(sender), { abi: paymentPoolAbi, functionName: 'moveLock', args }))
  return { channelId: channelIdOf(sender.connection, { payer: sender.address, ...options.to }), receipt }
}

/**
 * Redeems one voucher.
 * @throws TransactionRevertedError (`VoucherNotIncreasing`, `ClaimExceedsVoucher`, `VoucherExceedsLock`, `InvalidVoucherSignature`, `ChannelNotOpen`)
 */
export async function redeemVoucher(
  sender: TransactionSender,
  claim: VoucherClaim,
  { receiptsRoot = zeroRoot }: { readonly receiptsRoot?: Hex } = {},
): Promise<TransactionReceipt> {
  return await sender.send(redeemCall(sender.connection, sender.address, claim, receiptsRoot))
}

/**
 * Redeems many vouchers of the sender, in as many transactions as the gas limit of a transaction asks for; those that cannot
 * be redeemed are skipped (event `ClaimSkipped`). A batch without a single good voucher does not stop the others.
 *
 * @returns the receipts, at least one unless there are no claims.
 * @throws TransactionRevertedError (`NothingRedeemed`) when no voucher could be redeemed.
 */
export async function redeemVouchers(
  sender: TransactionSender,
  claims: readonly VoucherClaim[],
  { receiptsRoot = zeroRoot }: { readonly receiptsRoot?: Hex } = {},
): Promise<readonly TransactionReceipt[]> {
  const receipts: TransactionReceipt[] = []
  let refused: TransactionRevertedError | undefined
  for (const batch of batchesOf(claims.map((claim) => encodeClaim(sender.connection, sender.address, claim)))) {
    const args = [batch, receiptsRoot] as const
    const call = encodeCall('redeeming vouchers', poolOf(sender), { abi: paymentPoolAbi, functionName: 'redeemMany', args })
    try {
      receipts.push(await sender.send(call))
    } catch (error) {
      if (!(error instanceof TransactionRevertedError)) throw error
      refused ??= error
    }
  }
  if (receipts.length === 0 && refused !== undefined) throw refused
  return receipts
}

// A transaction may use 2^24 gas (EIP-7825), and nodes take transactions of up to 128 KiB. A voucher of a plain key costs
// at most 60,000 gas and 500 bytes; one of a contract up to PaymentPool.CONTRACT_SIGNATURE_GAS more.
const batchGas = 8_000_000
const batchBytes = 64 * 1024

function batchesOf(claims: readonly EncodedClaim[]): readonly (readonly EncodedClaim[])[] {
  const batches: EncodedClaim[][] = []
  let [gas, bytes] = [batchGas, batchBytes] // a batch that is full: the first claim opens another
  for (const claim of claims) {
    const claimBytes = 288 + claim.signature.length / 2
    const claimGas = 60_000 + (claim.isPlain ? 0 : 410_000) + 16 * claimBytes
    gas += claimGas
    bytes += claimBytes
    if (gas > batchGas || bytes > batchBytes) {
      batches.push([])
      ;[gas, bytes] = [claimGas, claimBytes]
    }
    batches.at(-1)?.push(claim)
  }
  return batches
}

/** The call that redeems one voucher, for whoever sends it in another way. */
export function redeemCall(chain: ChainConnection, payee: Address, claim: VoucherClaim, receiptsRoot: Hex): ContractCall {
  const args = [encodeClaim(chain, payee, claim), receiptsRoot] as const
  return encodeCall('redeeming a voucher', chain.deployment.contracts.paymentPool, { abi: paymentPoolAbi, functionName: 'redeem', args })
}

// A payer could hand a signature whose last byte fits no recovery: it verifies off chain and is refused on chain.
function encodeClaim(chain: ChainConnection, payee: Address, claim: VoucherClaim): EncodedClaim {
  const { payer, modelId, salt, amountWei, maxClaimableAmount } = claim
  const digest = createVoucherDigest({ chainId: chain.chainId, contract: chain.deployment.contracts.paymentPool })
  const channelId = channelIdOf(chain, { payer, payee, modelId, salt })
  const recoverable =
    claim.signature.length === 132 ? withRecoverableV(payer, digest({ channelId, maxClaimableAmount }), claim.signature) : undefined
  const signature = recoverable ?? claim.signature
  return { payer, modelId, salt, amount: amountWei, maxClaimableAmount, signature, isPlain: recoverable !== undefined }
}

type EncodedClaim = {
  readonly payer: Address
  readonly modelId: ModelId
  readonly salt: Bytes32
  readonly amount: bigint
  readonly maxClaimableAmount: bigint
  readonly signature: Hex
  /** Whether the payer's own key signed; otherwise the pool asks the payer's contract, if it is one. */
  readonly isPlain: boolean
}

function poolOf(sender: TransactionSender): Address {
  return sender.connection.deployment.contracts.paymentPool
}
