// A journal that forgets with the process: for workers in tabs, and for embedding. A tab that is closed loses what it did not
// redeem, so it should redeem often; and it must not claim that a job was seen when it cannot remember.
import type { WorkerLedger } from '@tacit/exchange'
import { type ChannelId, documentId, type JobId, type Json, parseUint, type SessionId, type SignedVoucher } from '@tacit/protocol'
import type { Earning, Journal, Redeemable, StoredStream } from './journal.ts'
import type { ChannelKey } from './services.ts'

type Account = { ledger: WorkerLedger; key?: ChannelKey; voucher?: SignedVoucher; redeemed: bigint }
type Work = { -readonly [Field in keyof Earning]: Earning[Field] } & { readonly channel: ChannelId; receiptId?: string }
type Stream = { readonly attemptNonce: Uint8Array; readonly chunks: Uint8Array[]; final: boolean; readonly startedSeconds: number }

const nothing: WorkerLedger = { credited: 0n, reserved: 0n }

/**
 * Keeps in memory what `openSqliteJournal` keeps on disk.
 * @example
 * const journal = new MemoryJournal({ now: () => Math.floor(Date.now() / 1000) })
 */
export class MemoryJournal implements Journal {
  readonly #batches: Parameters<Journal['recordBatch']>[0][] = []
  readonly #now: () => number
  readonly #accounts = new Map<ChannelId, Account>()
  readonly #work = new Map<JobId, Work>()
  readonly #streams = new Map<string, Stream>()

  /** `now` in seconds since 1970. */
  constructor({ now }: { readonly now: () => number }) {
    this.#now = now
  }

  ledger(channel: ChannelId): WorkerLedger {
    return this.#accounts.get(channel)?.ledger ?? nothing
  }

  claimJob(session: SessionId, jobIndex: number, responseNonce: Uint8Array): void {
    const key = streamKey(session, jobIndex)
    if (this.#streams.has(key)) throw new Error('this job was claimed before')
    this.#streams.set(key, { attemptNonce: responseNonce, chunks: [], final: false, startedSeconds: this.#now() })
  }

  recordVoucher({ job, channel, voucher, ledger, acceptance }: Parameters<Journal['recordVoucher']>[0]): void {
    const account = this.#account(voucher.channelId)
    const paid = ledger.reserved - account.ledger.reserved
    const isHigher = account.voucher === undefined || amountOf(voucher) > amountOf(account.voucher)
    Object.assign(account, { ledger, key: channel, ...(isHigher ? { voucher } : {}) })
    const work = this.#work.get(job)
    if (work !== undefined) work.amount += paid
    else {
      const { acceptedAt } = acceptance.document
      this.#work.set(job, {
        job,
        channel: voucher.channelId,
        model: channel.model,
        amount: paid,
        outcome: 'running',
        acceptedAt,
        redeemed: false,
      })
    }
  }

  recordLedger(channel: ChannelId, job: JobId, ledger: WorkerLedger): void {
    const account = this.#account(channel)
    const work = this.#work.get(job)
    if (work !== undefined) {
      work.amount += ledger.reserved - account.ledger.reserved
      work.outcome = 'failed'
    }
    account.ledger = ledger
  }

  recordReceipt(_channel: ChannelId, receipt: Parameters<Journal['recordReceipt']>[1]): void {
    const work = this.#work.get(receipt.document.job)
    if (work === undefined) return
    work.outcome = 'receipt'
    work.receiptId = documentId(receipt.document as unknown as Json)
  }

  appendChunks(session: SessionId, jobIndex: number, firstCounter: number, chunks: readonly Uint8Array[], final: boolean): void {
    const stream = this.#streams.get(streamKey(session, jobIndex))
    if (stream === undefined) throw new Error('this job was never claimed')
    if (firstCounter !== stream.chunks.length) throw new Error('a counter would be written twice or left out')
    stream.chunks.push(...chunks)
    stream.final ||= final
  }

  stream(session: SessionId, jobIndex: number): StoredStream | undefined {
    const stream = this.#streams.get(streamKey(session, jobIndex))
    return stream === undefined ? undefined : { attemptNonce: stream.attemptNonce, chunks: [...stream.chunks], final: stream.final }
  }

  redeemable(): readonly Redeemable[] {
    return [...this.#accounts].flatMap(([channel, { key, ledger, voucher, redeemed }]) => {
      if (key === undefined || voucher === undefined) return []
      const amount = ledger.reserved < amountOf(voucher) ? ledger.reserved : amountOf(voucher)
      if (amount <= redeemed) return []
      const due = [...this.#work.values()].filter((work) => work.channel === channel && !work.redeemed)
      const receipts = due.flatMap(({ receiptId }) => (receiptId === undefined ? [] : [receiptId]))
      return [{ channel, key, voucher, amount, receipts, redeemed }]
    })
  }

  recordBatch(batch: Parameters<Journal['recordBatch']>[0]): void {
    this.#batches.push(batch)
  }

  markRedeemed(channel: ChannelId, amount: bigint, receipts: readonly string[]): void {
    this.#account(channel).redeemed = amount
    for (const work of this.#work.values()) if (work.receiptId !== undefined && receipts.includes(work.receiptId)) work.redeemed = true
  }

  earnings(): readonly Earning[] {
    return [...this.#work.values()]
      .map(({ job, model, amount, outcome, acceptedAt, redeemed }) => ({ job, model, amount, outcome, acceptedAt, redeemed }))
      .toSorted((a, b) => b.acceptedAt - a.acceptedAt || (a.job < b.job ? -1 : 1))
  }

  // The entry of the job stays, without its ciphertext: a job that was seen is never run again.
  prune(beforeSeconds: number): void {
    for (const stream of this.#streams.values()) if (stream.startedSeconds < beforeSeconds) stream.chunks.length = 0
  }

  close(): void {
    this.#streams.clear()
  }

  #account(channel: ChannelId): Account {
    const known = this.#accounts.get(channel)
    if (known !== undefined) return known
    const fresh: Account = { ledger: nothing, redeemed: 0n }
    this.#accounts.set(channel, fresh)
    return fresh
  }
}

const amountOf = ({ maxClaimableAmount }: SignedVoucher): bigint => parseUint(maxClaimableAmount, 'A voucher amount', 128)

const streamKey = (session: SessionId, jobIndex: number): string => `${session}/${jobIndex}`
