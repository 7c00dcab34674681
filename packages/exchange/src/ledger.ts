// Both ends' view of one channel: what was promised and what was used. Amounts are cumulative over the channel's life.

/** The worker's side. `credited` is the highest voucher it holds, `reserved` the price of every step it has started. */
export type WorkerLedger = { readonly credited: bigint; readonly reserved: bigint }

/** The payer's side. `signed` is the highest voucher it ever signed, `committed` the price of every step in flight or received. */
export type ClientLedger = { readonly signed: bigint; readonly committed: bigint }

/** The ledger after ordering one more step, and the voucher that pays for it: never lower than one signed before. */
export function commitStep(ledger: ClientLedger, stepPrice: bigint): ClientLedger {
  const committed = ledger.committed + stepPrice
  return { committed, signed: committed > ledger.signed ? committed : ledger.signed }
}

/** The ledger after a step that was ordered and not delivered: its voucher pays for the next one. */
export function uncommitStep(ledger: ClientLedger, stepPrice: bigint): ClientLedger {
  return { signed: ledger.signed, committed: ledger.committed - stepPrice }
}

/**
 * The worker says that it needs `needed` for one more step: its books may be one undelivered step ahead of ours. The ledger
 * that agrees with it, or undefined when that would put more than one step at risk.
 */
export function concedeStep(ledger: ClientLedger, needed: bigint, stepPrice: bigint): ClientLedger | undefined {
  const committed = needed - stepPrice
  if (committed <= ledger.committed || committed > ledger.committed + stepPrice) return undefined
  return { signed: ledger.signed, committed }
}

/** What a voucher does to the worker's ledger, if it pays for one more step. */
export function creditVoucher(ledger: WorkerLedger, amount: bigint, locked: bigint, stepPrice: bigint): Credit {
  if (amount > locked) return { ok: false, reason: 'over-lock' }
  const credited = amount > ledger.credited ? amount : ledger.credited
  if (credited < ledger.reserved + stepPrice || amount < ledger.credited)
    return { ok: false, reason: 'short', needed: max(ledger.reserved + stepPrice, ledger.credited) }
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

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
