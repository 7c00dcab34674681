// A receipt in sentences, for people.
import type { Levels } from '@tacit/protocol'
import type { CheckName, ReceiptVerification } from './result.ts'

const questions: Readonly<Record<CheckName, string>> = {
  file: 'Is it a receipt?',
  core: 'Is the signed part well formed?',
  signature: 'Did the worker sign it?',
  times: 'Do the times fit?',
  levels: 'Do levels and readers fit together?',
  acceptance: 'Had the worker taken this job?',
  network: 'Is it of your network?',
  block: 'Is the evidence about a block you trust?',
  registration: 'Did the worker have something to lose?',
  model: 'Are these the published weights?',
  privacy: 'Is the ordered privacy shown?',
  verification: 'Is the ordered verification shown?',
  evidence: 'Other evidence',
  openings: 'Do the openings belong to it?',
  input: 'Is this the input?',
  output: 'Is this the answer?',
  voucher: 'Is this the payment?',
  order: 'Is this what was ordered?',
}

/** One sentence a person understands per line: every check with its outcome, and what it all comes to. */
export function explainReceipt(result: ReceiptVerification): readonly string[] {
  const lines = result.lines.map(({ check, status, reason }) => `${status}  ${questions[check]} ${reason}`)
  return [...lines, ...summarize(result)]
}

function summarize(result: ReceiptVerification): readonly string[] {
  if (result.exitCode === 1) return ['REFUSED: at least one check failed. Do not rely on this receipt.']
  if (result.exitCode === 2)
    return [`INCOMPLETE: nothing is wrong, but not everything could be checked. Shown so far: ${inWords(result.level)}.`]
  return [`VERIFIED: everything that was ordered is shown: ${inWords(result.level)}.`]
}

function inWords(level: Levels | null): string {
  return level === null ? 'nothing that a staked worker stands for' : `${level.privacy} and ${level.verification}`
}
