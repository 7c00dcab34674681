// Both ends' view of one channel: what was promised and what was used. Amounts are cumulative over the channel's life.

/** The worker's side. `credited` is the highest voucher it holds, `reserved` the price of every step it has started. */
export type WorkerLedger = { readonly credited: bigint; readonly reserved: bigint }

/**
 * The payer's side. `signed` is the highest voucher it ever signed, `committed` the price of every step in flight or received,
 * `doubtful` the price of steps that it took back when a connection was lost: the worker may think that it delivered them.
 */
export type ClientLedger = { readonly signed: bigint; readonly committed: bigint; readonly doubtful: bigint }

/** The ledger of a channel on which nothing was signed yet. */
export const emptyClientLedger: ClientLedger = { signed: 0n, committed: 0n, doubtful: 0n }

/** The ledger after ordering one more step, and the voucher that pays for it: never lower than one signed before. */
export function commitStep(ledger: ClientLedger, stepPrice: bigint): ClientLedger {
  const committed = ledger.committed + stepPrice
  return { ...ledger, committed, signed: committed > ledger.signed ? committed : ledger.signed }
}

/** The ledger after a step that was ordered and not delivered: its voucher pays for the next one. */
export function uncommitStep(ledger: ClientLedger, stepPrice: bigint): ClientLedger {
  return { ...ledger, committed: ledger.committed - stepPrice }
}

/** The same after a lost connection: whether the step was delivered into it only the worker knows. */
export function doubtStep(ledger: ClientLedger, stepPrice: bigint): ClientLedger {
  return { ...uncommitStep(ledger, stepPrice), doubtful: ledger.doubtful + stepPrice }
}

/**
 * The worker says that it needs `needed` for one more step. The ledger that agrees with it, or undefined when its books are
 * further ahead of ours than lost connections explain: a refusal alone never makes a step paid.
 */
export function concedeStep(ledger: ClientLedger, needed: bigint, stepPrice: bigint): ClientLedger | undefined {
  const committed = needed - stepPrice
  const ahead = committed - ledger.committed
  if (ahead <= 0n || ahead > ledger.doubtful) return undefined
  return { ...ledger, committed, doubtful: ledger.doubtful - ahead }
}

/**
 * What a voucher does to the worker's ledger, if it pays for one more step. Vouchers of jobs that run side by side may arrive
 * out of order: a lower one is as good as the highest that is held, and what is used up is counted apart.
 */
export function creditVoucher(ledger: WorkerLedger, amount: bigint, locked: bigint, stepPrice: bigint): Credit {
  if (amount > locked) return { ok: false, reason: 'over-lock' }
  const credited = amount > ledger.credited ? amount : ledger.credited
  if (credited < ledger.reserved + stepPrice) return { ok: false, reason: 'short', needed: ledger.reserved + stepPrice }
  return { ok: true, ledger: { credited, reserved: ledger.reserved + stepPrice } }
}

export type Credit =
  | { readonly ok: true; readonly ledger: WorkerLedger }
  | { readonly ok: false; readonly reason: 'over-lock' }
  | { readonly ok: false; readonly reason: 'short'; readonly needed: bigint }

/** Gives a step back that was reserved and not delivered: the client's next order may use the same voucher. */
export function releaseStep(ledger: WorkerLedger, stepPrice: bigint): WorkerLedger {
  return { credited: ledger.credited, reserved: ledger.reserved - stepPrice }
}
