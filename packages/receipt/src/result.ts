// What checking a receipt gives: one line per check, and what follows from them.
import type { Bytes32, Levels, ReceiptCore } from '@tacit/protocol'
import { ReceiptIncompleteError, ReceiptRefusedError } from './errors.ts'

/** SKIP is never a pass: the check could not be made, and the reason says what is missing. */
export type CheckStatus = 'PASS' | 'FAIL' | 'SKIP'

/** What is checked, in the order of the lines. */
export type CheckName =
  | 'file'
  | 'core'
  | 'signature'
  | 'times'
  | 'levels'
  | 'acceptance'
  | 'network'
  | 'block'
  | 'registration'
  | 'model'
  | 'privacy'
  | 'verification'
  | 'evidence'
  | 'openings'
  | 'input'
  | 'output'
  | 'voucher'
  | 'order'

/** The outcome of one check. */
export type CheckLine = {
  readonly check: CheckName
  readonly status: CheckStatus
  /** One sentence; printable ASCII whatever the file contained. */
  readonly reason: string
  /** Whether the ordered level depends on this check. */
  readonly needed: boolean
}

/** The outcome of checking one receipt. */
export type ReceiptVerification = {
  readonly lines: readonly CheckLine[]
  /** The levels that the evidence supports, or null when not even a staked worker's signature is shown. Derived, never read. */
  readonly level: Levels | null
  /** The levels that the receipt says were ordered, or null when it cannot be read. */
  readonly orderedLevel: Levels | null
  /** 0: everything that the ordered level needs passed. 1: a check failed. 2: something needed was skipped. */
  readonly exitCode: 0 | 1 | 2
  readonly receiptId: Bytes32 | null
  /** The signed core, for display; believe it only as far as the lines say. */
  readonly core: ReceiptCore | null
}

/** A check that passed. */
export function pass(check: CheckName, reason: string): CheckLine {
  return { check, status: 'PASS', reason: printable(reason), needed: true }
}

/** A check that failed. */
export function fail(check: CheckName, reason: string): CheckLine {
  return { check, status: 'FAIL', reason: printable(reason), needed: true }
}

/** Something that the ordered level needs and that could not be checked. */
export function skip(check: CheckName, reason: string): CheckLine {
  return { check, status: 'SKIP', reason: printable(reason), needed: true }
}

/** Something that could not be checked and that the ordered level does not need. */
export function skipUnneeded(check: CheckName, reason: string): CheckLine {
  return { check, status: 'SKIP', reason: printable(reason), needed: false }
}

// Reasons may quote the file, and a terminal obeys control characters.
function printable(reason: string): string {
  return reason.slice(0, 500).replace(/[^\x20-\x7e]/g, '?')
}

/** 1 on any FAIL, 2 when something needed was skipped, else 0. */
export function exitCodeOf(lines: readonly CheckLine[]): 0 | 1 | 2 {
  if (lines.length === 0 || lines.some((line) => line.status === 'FAIL')) return 1
  return lines.some((line) => line.status === 'SKIP' && line.needed) ? 2 : 0
}

/**
 * Turns anything but a complete success into an error.
 * @throws ReceiptRefusedError when a check failed.
 * @throws ReceiptIncompleteError when something needed was skipped.
 */
export function assertVerified(result: ReceiptVerification): void {
  if (result.exitCode === 1) throw new ReceiptRefusedError(result.lines.filter((line) => line.status === 'FAIL'))
  if (result.exitCode === 2) throw new ReceiptIncompleteError(result.lines.filter((line) => line.status === 'SKIP' && line.needed))
}
