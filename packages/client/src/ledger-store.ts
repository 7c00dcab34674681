import { type ClientLedger, emptyClientLedger } from '@tacit/exchange'
import type { ChannelId } from '@tacit/protocol'

/** Where a payer remembers what it signed. `write` returns when the entry is durable: vouchers leave after it. */
export type LedgerStore = {
  read(channel: ChannelId): ClientLedger
  write(channel: ChannelId, ledger: ClientLedger): void
}

/** For tests and throw-away clients: forgets everything with the process. */
export class MemoryLedgerStore implements LedgerStore {
  readonly #ledgers = new Map<ChannelId, ClientLedger>()

  read(channel: ChannelId): ClientLedger {
    return this.#ledgers.get(channel) ?? emptyClientLedger
  }

  write(channel: ChannelId, ledger: ClientLedger): void {
    this.#ledgers.set(channel, ledger)
  }
}
