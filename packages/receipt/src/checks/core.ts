// What can be said about a receipt from its core alone.
import { isDocumentSignedBy, type ReceiptCore, roundUsage, type Signed } from '@tacit/protocol'
import { type CheckLine, fail, pass } from '../result.ts'

/** Receipts may be this far ahead of the reader's clock. */
const clockSkewSeconds = 300

/** Counts are rounded, so that a published receipt does not tell the length of what was said. */
export function checkCore(core: ReceiptCore): CheckLine {
  const counts = [core.delivered.inputUnits, core.delivered.outputUnits, core.payment.steps]
  if (counts.some((count) => roundUsage(count) !== count)) return fail('core', 'Units or steps are not rounded to a power of two.')
  if (new Set(core.ordered.readers).size !== core.ordered.readers.length) return fail('core', 'A reader is named twice.')
  return pass('core', 'The signed part is complete, in its one canonical form, and its counts are rounded.')
}

/** The worker named in the core signed exactly this core, for this chain, contract, session and job. */
export function checkSignature(receipt: Signed<ReceiptCore>): CheckLine {
  const { document: core } = receipt
  const domain = { chainId: BigInt(core.chainId), contract: core.contract }
  const scope = { session: core.session, job: core.job }
  return isDocumentSignedBy(core.worker, 'Receipt', receipt, scope, domain)
    ? pass('signature', `Worker ${core.worker} signed it.`)
    : fail('signature', `Worker ${core.worker}, who is named, did not sign this.`)
}

/** Accepted, then completed, before the deadline and not in the future. */
export function checkTimes(core: ReceiptCore, now: number | undefined): CheckLine {
  if (core.acceptedAt > core.completedAt) return fail('times', 'The job was completed before it was accepted.')
  if (core.completedAt > core.ordered.deadline) return fail('times', 'The job was completed after its deadline.')
  if (now !== undefined && core.completedAt > now + clockSkewSeconds) return fail('times', 'The job was completed in the future.')
  const seconds = core.completedAt - core.acceptedAt
  return pass('times', `Accepted ${isoTime(core.acceptedAt)}, completed ${seconds} s later, within the deadline.`)
}

/** Seconds since 1970 as people write times; headers may hold numbers that are no date. */
export function isoTime(seconds: number): string {
  if (seconds > 2 ** 40) return `second ${seconds}`
  return new Date(seconds * 1000).toISOString().replace('.000', '')
}
