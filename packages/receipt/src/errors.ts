import { TacitError } from '@tacit/protocol'

/** The base of everything that `@tacit/receipt` throws. Verifying never throws: a bad receipt is a result. */
export abstract class ReceiptError<Code extends `receipt.${string}` = `receipt.${string}`> extends TacitError<Code> {}

/** A check of the receipt failed: it is forged, damaged, about something else, or the worker broke its word. */
export class ReceiptRefusedError extends ReceiptError<'receipt.refused'> {
  /** The names of the checks that failed. */
  readonly failed: readonly string[]
  constructor(failures: readonly { readonly check: string; readonly reason: string }[]) {
    super('receipt.refused', 'The receipt does not hold.', { details: failures.map(({ check, reason }) => `${check}: ${reason}`) })
    this.failed = failures.map(({ check }) => check)
  }
}

/** Nothing is wrong with the receipt, but something that its level needs could not be checked. */
export class ReceiptIncompleteError extends ReceiptError<'receipt.incomplete'> {
  /** The names of the checks that are missing. */
  readonly missing: readonly string[]
  constructor(gaps: readonly { readonly check: string; readonly reason: string }[]) {
    super('receipt.incomplete', 'The receipt could not be checked in full.', {
      details: gaps.map(({ check, reason }) => `${check}: ${reason}`),
    })
    this.missing = gaps.map(({ check }) => check)
  }
}
