// Openings reveal what a receipt commits to; here they are checked against the commitments, never believed.
import {
  commitVoucher,
  documentId,
  isDocumentSignedBy,
  MalformedError,
  noScope,
  type Openings,
  openingsSchema,
  parseHex,
  parseOpenings,
  type ReceiptCore,
  type StreamOpening,
} from '@tacit/protocol'
import { verifyOpening } from '@tacit/session'
import { inTokens } from '../amounts.ts'
import { asBytes } from '../read-file.ts'
import { type CheckLine, fail, pass } from '../result.ts'

/** One line per commitment that the openings open. */
export function checkOpenings(core: ReceiptCore, input: unknown): readonly CheckLine[] {
  const openings = readOpenings(input)
  if (typeof openings === 'string') return [fail('openings', openings)]
  if (openings.receiptId !== documentId(core)) return [fail('openings', 'The openings are of another receipt.')]
  const lines: CheckLine[] = []
  if (openings.input !== null) lines.push(checkStream(core, 'input', openings.input))
  if (openings.output !== null) lines.push(checkStream(core, 'output', openings.output))
  if (openings.voucher !== null) lines.push(checkVoucher(core, openings.voucher, openings.order))
  if (openings.order !== null) lines.push(checkOrder(core, openings.order))
  return lines
}

function readOpenings(input: unknown): Openings | string {
  try {
    const bytes = asBytes(input)
    return bytes === undefined ? openingsSchema(input, 'openings') : parseOpenings(bytes)
  } catch (error) {
    if (error instanceof MalformedError) return error.message
    throw error
  }
}

function checkStream(core: ReceiptCore, name: 'input' | 'output', opening: StreamOpening): CheckLine {
  const plaintext = parseHex(opening.plaintext, 'A plaintext')
  const opens = verifyOpening({
    commitment: name === 'input' ? core.delivered.inputCommitment : core.delivered.outputCommitment,
    frankingKey: parseHex(opening.frankingKey, 'A franking key', 32),
    context: { sessionId: core.session, jobId: core.job, direction: name === 'input' ? 'request' : 'response' },
    plaintext,
  })
  return opens
    ? pass(name, `The ${name} shown (${plaintext.length} bytes) is the one that the worker signed for.`)
    : fail(name, `The ${name} shown is not the one that the worker signed for.`)
}

function checkVoucher(core: ReceiptCore, voucher: NonNullable<Openings['voucher']>, order: Openings['order']): CheckLine {
  const commitment = commitVoucher({ salt: voucher.salt, channelId: voucher.channelId, amount: BigInt(voucher.amount) })
  if (commitment !== core.payment.voucherCommitment) return fail('voucher', 'The voucher shown is not the one that the receipt commits to.')
  if (order !== null && order.request.document.channel !== voucher.channelId)
    return fail('voucher', 'The voucher is of another channel than the order.')
  return pass('voucher', `The receipt is paid by a voucher up to ${inTokens(BigInt(voucher.amount))} on channel ${voucher.channelId}.`)
}

function checkOrder(core: ReceiptCore, order: NonNullable<Openings['order']>): CheckLine {
  const mismatch = findOrderMismatch(core, order)
  const { stepPrice } = order.quote.document
  return mismatch === undefined
    ? pass(
        'order',
        `The client ordered these levels, readers and deadline, at ${inTokens(BigInt(stepPrice))} a step, and both sides signed it.`,
      )
    : fail('order', mismatch)
}

function findOrderMismatch(core: ReceiptCore, { request, quote }: NonNullable<Openings['order']>): string | undefined {
  const domain = { chainId: BigInt(core.chainId), contract: core.contract }
  const scope = { session: core.session, job: core.job }
  const [ordered, offered] = [request.document, quote.document]
  if (documentId(ordered) !== core.ordered.request) return 'The request shown is not the one that the receipt names.'
  if (ordered.session !== core.session || ordered.job !== core.job) return 'The request is of another session or job.'
  if (ordered.inputCommitment !== core.delivered.inputCommitment) return 'The worker signed for another input than the client sent.'
  if (ordered.deadline !== core.ordered.deadline) return 'Request and receipt give different deadlines.'
  if (!isDocumentSignedBy(ordered.payer, 'Request', request, scope, domain)) return 'The payer did not sign the request.'
  if (documentId(offered) !== ordered.quote) return 'The request accepts another quote than the one shown.'
  if (offered.worker !== core.worker || offered.model !== core.model) return 'The quote is of another worker or model.'
  const { privacy, verification, streamMode, readers } = core.ordered
  if (offered.privacy !== privacy || offered.verification !== verification || offered.streamMode !== streamMode) {
    return 'The receipt does not show the levels that were ordered.'
  }
  if (offered.readers.join() !== readers.join()) return 'The receipt does not name the readers that were quoted.'
  // A quote is good for any job of its session.
  return isDocumentSignedBy(core.worker, 'Quote', quote, { session: core.session, job: noScope.job }, domain)
    ? undefined
    : 'The worker did not sign the quote.'
}
