// Both ends' view of one channel: what was promised and what was used. Amounts are cumulative over the channel's life.

/** The worker's side. `credited` is the highest voucher it holds, `reserved` the price of every step it has started. */
export type WorkerLedger = { readonly credited: bigint; readonly reserved: bigint }

/** The payer's side. `signed` is the highest voucher it ever signed, `spent` the price of every step it received. */
export type ClientLedger = { readonly signed: bigint; readonly spent: bigint }

/** The voucher that pays for one more step, never lower than one that was signed before. */
export function nextVoucherAmount(ledger: ClientLedger, stepPrice: bigint): bigint {
  const needed = ledger.spent + stepPrice
  return needed > ledger.signed ? needed : ledger.signed
}

/** Whether the payer may sign this much: at most one step beyond what it signed or spent. This is the bound on its loss. */
export function maySign(ledger: ClientLedger, amount: bigint, stepPrice: bigint): boolean {
  const base = ledger.signed > ledger.spent ? ledger.signed : ledger.spent
  return amount <= base + stepPrice
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
