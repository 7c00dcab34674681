// The order of the checks, and what follows from them. Every claim about a receipt is one line.
import { type Bytes32, type Checkpoint, documentId, type Evidence, knownEvidenceKinds, type ReceiptFile } from '@tacit/protocol'
import { checkAcceptance } from './checks/acceptance.ts'
import { checkNetwork, checkRegistration } from './checks/chain.ts'
import { checkCore, checkSignature, checkTimes } from './checks/core.ts'
import { checkLevels, checkPrivacy, checkVerification, deriveLevel } from './checks/levels.ts'
import { checkModel } from './checks/model.ts'
import { checkOpenings } from './checks/openings.ts'
import { readReceiptFile } from './read-file.ts'
import { type CheckLine, exitCodeOf, fail, pass, type ReceiptVerification, skipUnneeded } from './result.ts'

/** What the reader of a receipt brings along. */
export type VerifyReceiptOptions = {
  /** A block and a deployment that the reader trusts; without it no receipt verifies in full. */
  readonly checkpoint?: Checkpoint
  /** An openings file, as bytes or parsed JSON, from whoever wants to show what was said. */
  readonly openings?: unknown
  /** The reader's clock, in seconds since 1970. */
  readonly now?: number
}

/**
 * Checks a receipt file: its bytes, or what `JSON.parse` made of them. Offline, in bounded time and memory, and without
 * believing anything in it; never throws for a bad receipt, because a bad receipt is a result.
 *
 * @example
 * const result = await verifyReceipt(bytes, { checkpoint: parseCheckpoint(checkpointBytes) })
 * console.log(explainReceipt(result).join('\n'))
 * process.exitCode = result.exitCode
 */
export async function verifyReceipt(input: unknown, options: VerifyReceiptOptions = {}): Promise<ReceiptVerification> {
  const reading = readReceiptFile(input)
  if ('refused' in reading) {
    return { lines: [fail('file', reading.refused)], level: null, orderedLevel: null, exitCode: 1, receiptId: null, core: null }
  }
  const { receipt } = reading.file
  const core = receipt.document
  const receiptId = documentId(core)
  const base = [pass('file', `It is a receipt file; receipt id ${receiptId}.`), ...(await checkVouching(reading.file, receiptId, options))]
  const isVouchedFor = base.every((line) => line.status === 'PASS' || !line.needed)
  const lines = [
    ...base,
    checkPrivacy(core, isVouchedFor),
    checkVerification(core, isVouchedFor),
    ...findUnknown(reading.file.evidence),
    ...(options.openings === undefined ? [] : checkOpenings(core, options.openings)),
  ]
  const { privacy, verification } = core.ordered
  return { lines, level: deriveLevel(isVouchedFor), orderedLevel: { privacy, verification }, exitCode: exitCodeOf(lines), receiptId, core }
}

/** Everything that makes it true that a registered, staked worker stands for this receipt. */
async function checkVouching(file: ReceiptFile, receiptId: Bytes32, options: VerifyReceiptOptions): Promise<readonly CheckLine[]> {
  const core = file.receipt.document
  const { checkpoint } = options
  const registration = await checkRegistration(core, ofKind(file.evidence, 'registration/1'), checkpoint)
  const { stakedWei } = registration
  return [
    checkCore(core),
    checkSignature(file.receipt),
    checkTimes(core, options.now),
    checkLevels(core),
    ...findForeign(file.evidence, receiptId),
    checkAcceptance(core, ofKind(file.evidence, 'acceptance/1')),
    checkNetwork(core, checkpoint),
    ...registration.lines,
    await checkModel(core, ofKind(file.evidence, 'model/1'), { checkpoint, stakedWei }),
  ]
}

function ofKind(evidence: readonly Evidence[], kind: (typeof knownEvidenceKinds)[number]): readonly Evidence[] {
  return evidence.filter((item) => item.kind === kind)
}

function findForeign(evidence: readonly Evidence[], receiptId: Bytes32): readonly CheckLine[] {
  const foreign = evidence.filter((item) => item.receiptId !== receiptId)
  return foreign.map((item) => fail('evidence', `Evidence of kind ${item.kind} is about another receipt, ${item.receiptId}.`))
}

function findUnknown(evidence: readonly Evidence[]): readonly CheckLine[] {
  const unknown = evidence.filter((item) => !knownEvidenceKinds.some((kind) => kind === item.kind))
  return unknown.map((item) => skipUnneeded('evidence', `Evidence of kind ${item.kind} is unknown to this version.`))
}
