import type { WorkerLedger } from '@tacit/exchange'
import type { ChannelKey } from './services.ts'
import type { Acceptance, Bytes32, ChannelId, JobId, ReceiptCore, SessionId, Signed, SignedVoucher } from '@tacit/protocol'

/** A job as the journal knows it: enough to send its ciphertext again, never a plaintext or a key. */
export type StoredStream = { readonly attemptNonce: Uint8Array; readonly chunks: readonly Uint8Array[]; readonly final: boolean }

/** The best voucher of a channel that is not redeemed yet, and the receipts it pays for. */
export type Redeemable = {
  readonly channel: ChannelId
  readonly key: ChannelKey
  readonly voucher: SignedVoucher
  /** What is earned: the price of every step that was started and not given back. At most what the voucher allows. */
  readonly amount: bigint
  readonly receipts: readonly string[]
  /** What the journal knows as redeemed already. */
  readonly redeemed: bigint
}

/** One line of a worker's earnings. */
export type Earning = {
  readonly job: JobId
  readonly model: string
  readonly amount: bigint
  readonly outcome: 'running' | 'receipt' | 'failed'
  readonly acceptedAt: number
  readonly redeemed: boolean
}

/**
 * What a worker must not forget. Every method returns when its entry is durable; the worker answers only afterwards.
 * Holds ciphertext, hashes and signed documents only.
 */
export type Journal = {
  ledger(channel: ChannelId): WorkerLedger
  /** Marks the job as seen; `responseNonce` is the one its answer is sealed under. */
  claimJob(session: SessionId, jobIndex: number, responseNonce: Uint8Array): void
  /** Keeps the highest voucher of the channel: those of jobs that run side by side may come out of order. */
  recordVoucher(entry: {
    readonly job: JobId
    readonly channel: ChannelKey
    readonly voucher: SignedVoucher
    readonly ledger: WorkerLedger
    readonly acceptance: Signed<Acceptance>
  }): void
  recordLedger(channel: ChannelId, job: JobId, ledger: WorkerLedger): void
  recordReceipt(channel: ChannelId, receipt: Signed<ReceiptCore>): void
  appendChunks(session: SessionId, jobIndex: number, firstCounter: number, chunks: readonly Uint8Array[], final: boolean): void
  stream(session: SessionId, jobIndex: number): StoredStream | undefined
  redeemable(): readonly Redeemable[]
  /** Remembers what a receipts root on chain is made of, so that a receipt's place under it can be shown later. */
  recordBatch(batch: { readonly root: Bytes32; readonly blind: Bytes32; readonly receipts: readonly string[] }): void
  markRedeemed(channel: ChannelId, amount: bigint, receipts: readonly string[]): void
  earnings(): readonly Earning[]
  /** Forgets ciphertext older than this, and later that its jobs were seen: their prekeys are long erased by then. */
  prune(beforeSeconds: number): void
  close(): void
}
