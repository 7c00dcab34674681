import type { Bytes32, ChannelId, Address, Checkpoint, ModelId, Openings, ReceiptFile } from '@tacit/protocol'
import { type LedgerStore, MemoryLedgerStore } from './ledger-store.ts'

/** A lock that this payer made. */
export type OwnChannel = {
  readonly id: ChannelId
  readonly worker: Address
  readonly model: ModelId
  readonly salt: Bytes32
  readonly locked: bigint
}

/** Where a saved receipt lies; null for stores that have no places. */
export type SavedReceipt = { readonly receipt: string | null; readonly openings: string | null; readonly checkpoint: string | null }

/** What a client remembers: vouchers, locks, receipts. */
export type ClientStore = {
  readonly ledgers: LedgerStore
  channel(worker: Address, model: ModelId): OwnChannel | undefined
  writeChannel(channel: OwnChannel): void
  /** Openings are stored apart from the receipt: whoever has them can read the conversation. */
  saveReceipt(entry: {
    readonly id: Bytes32
    readonly file: ReceiptFile
    readonly openings: Openings
    /** Null when the chain has not been asked yet. */
    readonly checkpoint: Checkpoint | null
  }): Promise<SavedReceipt>
}

/** For tests and tabs that keep nothing: forgets everything with the page. */
export class MemoryClientStore implements ClientStore {
  readonly ledgers: LedgerStore = new MemoryLedgerStore()
  readonly receipts = new Map<
    Bytes32,
    { readonly file: ReceiptFile; readonly openings: Openings; readonly checkpoint: Checkpoint | null }
  >()
  readonly #channels = new Map<string, OwnChannel>()

  channel(worker: Address, model: ModelId): OwnChannel | undefined {
    return this.#channels.get(`${worker}/${model}`)
  }

  writeChannel(channel: OwnChannel): void {
    this.#channels.set(`${channel.worker}/${channel.model}`, channel)
  }

  async saveReceipt(entry: Parameters<ClientStore['saveReceipt']>[0]): Promise<SavedReceipt> {
    this.receipts.set(entry.id, entry)
    return { receipt: null, openings: null, checkpoint: null }
  }
}
