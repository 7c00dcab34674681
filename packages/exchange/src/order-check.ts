// What a worker checks before it binds itself to an order. A refusal costs the client nothing.
import {
  type Address,
  type Bytes32,
  type ChannelId,
  documentId,
  type InferenceRequest,
  isDocumentSignedBy,
  type ModelId,
  parseUint,
  type Quote,
  type SignedVoucher,
} from '@tacit/protocol'
import type { WorkerContext } from './context.ts'
import { creditVoucher, type WorkerLedger } from './ledger.ts'
import { type Order, type Refusal, refusal } from './messages.ts'
import { inputBytes } from './payload.ts'

/** A lock in the payer's pool, as the chain shows it. */
export type ChannelView = {
  readonly id: ChannelId
  readonly payer: Address
  readonly payee: Address
  readonly model: ModelId
  readonly salt: Bytes32
  /** Cumulative: everything that was ever locked and not given back. */
  readonly locked: bigint
  /** What the payee has redeemed already: no voucher up to here pays for anything new, whatever the journal says. */
  readonly claimed: bigint
  /** Why new work on it is not safe, or null. The client is told. */
  readonly unusable: string | null
}

type OrderFacts = {
  readonly now: number
  readonly ledger: WorkerLedger
  readonly order: Order
  readonly quote: Quote | undefined
  readonly channel: ChannelView | undefined
  readonly preflight: Refusal | null
}

/** What a good order gives: the ledger after its first voucher. */
export type GoodOrder = { readonly quote: Quote; readonly channel: ChannelView; readonly ledger: WorkerLedger }

export function checkOrder(facts: OrderFacts, context: WorkerContext): GoodOrder | Refusal {
  const { order, quote, channel, now } = facts
  const request = order.request.document
  if (request.session !== context.session || request.job !== context.job)
    return refusal('bad-request', 'the request names another session or job')
  if (
    !isDocumentSignedBy(
      request.payer,
      'Request',
      order.request,
      { session: context.session, job: context.job },
      context.domain,
      context.signatures,
    )
  ) {
    return refusal('bad-signature', 'the request is not signed by the payer it names')
  }
  if (quote === undefined || documentId(quote) !== request.quote)
    return refusal('quote-expired', 'the quote is not one of this session; ask for a new one')
  if (quote.expiresAt < now) return refusal('quote-expired', 'the quote has expired; ask for a new one')
  if (request.maxSteps > quote.maxSteps) return refusal('bad-request', `more steps were ordered than the quote offers (${quote.maxSteps})`)
  if (request.deadline <= now) return refusal('deadline-passed', 'the deadline lies in the past')
  if (request.deadline > now + quote.deadlineSeconds + clockSkewSeconds)
    return refusal('bad-request', 'the deadline is later than the quote allows')
  if (context.commit(order.frankingKey, 'request', inputBytes(order.input)) !== request.inputCommitment) {
    return refusal('bad-request', 'the input does not open the commitment in the request')
  }
  if (facts.preflight !== null) return facts.preflight
  if (channel === undefined || channel.id !== request.channel) return refusal('channel-unusable', 'the channel does not exist on chain')
  const ledger = checkVoucher(order.voucher, request, quote, channel, afterClaims(facts.ledger, channel), context)
  return 't' in ledger ? ledger : { quote, channel, ledger }
}

/** How far a client's clock may be ahead of the worker's. */
export const clockSkewSeconds = 60

export function checkVoucher(
  voucher: SignedVoucher,
  request: InferenceRequest,
  quote: Quote,
  channel: ChannelView,
  ledger: WorkerLedger,
  context: WorkerContext,
): WorkerLedger | Refusal {
  if (channel.payer !== request.payer || channel.payee !== context.worker || channel.model !== context.model) {
    return refusal('channel-unusable', 'the channel belongs to another payer, worker or model')
  }
  if (channel.unusable !== null) return refusal('channel-unusable', channel.unusable)
  if (voucher.channelId !== channel.id) return refusal('channel-unusable', 'the voucher names another channel')
  const credit = creditVoucher(
    ledger,
    parseUint(voucher.maxClaimableAmount, 'A voucher amount', 128),
    channel.locked,
    parseUint(quote.stepPrice, 'A price', 128),
  )
  if (!credit.ok) {
    return credit.reason === 'over-lock'
      ? refusal('voucher-over-lock', `the voucher exceeds what the channel holds (${channel.locked}); top the lock up`)
      : refusal('voucher-short', 'the voucher does not pay for the next step', credit.needed.toString())
  }
  if (!context.isVoucherSigned(voucher, channel.payer)) return refusal('bad-signature', 'the voucher is not signed by the payer')
  return credit.ledger
}

// A worker whose journal is younger than the channel (a reloaded tab, a restored backup) must not work for old vouchers.
function afterClaims({ credited, reserved }: WorkerLedger, { claimed }: ChannelView): WorkerLedger {
  return { credited: credited > claimed ? credited : claimed, reserved: reserved > claimed ? reserved : claimed }
}
