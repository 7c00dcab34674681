// The client's side of one job, as a pure function from state and event to state and effects. It signs nothing that puts
// more than one undelivered step at risk, and it believes nothing that the worker has not signed.
import {
  type Acceptance,
  type Bytes32,
  commitVoucher,
  documentId,
  type Hex,
  type InferenceRequest,
  isDocumentSignedBy,
  maxOpenedBytes,
  parseUint,
  type Quote,
  type ReceiptCore,
  roundUsage,
  type Signed,
  type SignedVoucher,
  sha256Hash,
  signDocument,
  type StepReceipt,
  utf8,
} from '@tacit/protocol'
import type { ClientContext } from './context.ts'
import { affordableSteps, checkQuote } from './check-quote.ts'
import type { ClientOrder } from './client-order.ts'
import { MisbehaviourError, RefusedError } from './errors.ts'
import { type ClientLedger, commitStep, doubtStep, uncommitStep } from './ledger.ts'
import type { ClientMessage, Refusal, WorkerMessage } from './messages.ts'
import { inputBytes, type JobOutput, outputBytes } from './payload.ts'
import { isAcceptanceGenuine } from './worker-job.ts'

export type ClientReceipt = {
  readonly receipt: Signed<ReceiptCore>
  readonly acceptance: Signed<Acceptance>
  readonly request: Signed<InferenceRequest>
  readonly quote: Signed<Quote>
  readonly voucher: SignedVoucher
  readonly voucherSalt: Bytes32
  readonly inputFrankingKey: Hex
  readonly outputFrankingKey: Hex
  /** Steps that were paid. */
  readonly steps: number
  readonly inputUnits: number
  readonly outputUnits: number
}

type Ordered = {
  readonly quote: Signed<Quote>
  readonly request: Signed<InferenceRequest>
  readonly voucher: SignedVoucher
  readonly inputFrankingKey: Hex
  readonly step: number
}

export type StreamingJob = Ordered & {
  readonly phase: 'streaming'
  readonly acceptance: Signed<Acceptance>
  readonly outputFrankingKey: Hex
  readonly delivered: readonly JobOutput[]
  readonly deliveredBytes: number
  readonly outputTokens: number
  readonly tokensInStep: number
  /** What paid for the step before; null in the first. A job that is stopped while the next voucher travels ends with it. */
  readonly voucherBefore: SignedVoucher | null
}

export type ClientJob =
  | { readonly phase: 'quoting' }
  | { readonly phase: 'quoted'; readonly quote: Signed<Quote> }
  | ({ readonly phase: 'ordered' } & Ordered)
  | StreamingJob
  | { readonly phase: 'done'; readonly result: ClientReceipt }
  | { readonly phase: 'failed'; readonly error: Error }

export type ClientEvent = { readonly now: number; readonly ledger: ClientLedger } & (
  | { readonly type: 'start' }
  | { readonly type: 'message'; readonly message: WorkerMessage }
  /** The caller agreed to the quote. */
  | { readonly type: 'order'; readonly quote: Signed<Quote>; readonly frankingKey: Hex; readonly requestSalt: Bytes32 }
  | { readonly type: 'cancel' }
  /** The connection is gone for good. */
  | { readonly type: 'lost'; readonly error: Error }
)

export type ClientEffect =
  | { readonly type: 'persist-ledger'; readonly ledger: ClientLedger }
  | { readonly type: 'send'; readonly message: ClientMessage }
  | { readonly type: 'quote'; readonly quote: Signed<Quote> }
  | { readonly type: 'notice'; readonly notice: string }
  | { readonly type: 'deliver'; readonly output: JobOutput }
  /** The worker's books are one step ahead: what it asks for can be signed at the loss of that step. */
  | { readonly type: 'short'; readonly needed: bigint }

export type ClientStep = { readonly job: ClientJob; readonly effects: readonly ClientEffect[] }

export function advanceClientJob(job: ClientJob, event: ClientEvent, order: ClientOrder, context: ClientContext): ClientStep {
  switch (event.type) {
    case 'start':
      return { job: { phase: 'quoting' }, effects: [{ type: 'send', message: quoteRequest(order, context) }] }
    case 'order':
      return job.phase === 'quoting' || job.phase === 'quoted' ? placeOrder(event, order, context) : { job, effects: [] }
    case 'cancel':
      return job.phase === 'streaming' || job.phase === 'ordered'
        ? { job, effects: [{ type: 'send', message: { t: 'cancel' } }] }
        : { job, effects: [] }
    case 'lost':
      return job.phase === 'done' || job.phase === 'failed'
        ? { job, effects: [] }
        : { job: { phase: 'failed', error: event.error }, effects: giveBack(job, event.ledger, doubtStep) }
    case 'message':
      return takeMessage(job, event.message, event, order, context)
  }
}

function takeMessage(job: ClientJob, message: WorkerMessage, event: ClientEvent, order: ClientOrder, context: ClientContext): ClientStep {
  if (job.phase === 'done' || job.phase === 'failed') return { job, effects: [] }
  if (message.t === 'refused') return takeRefusal(job, message, event)
  if (message.t === 'quote' && job.phase === 'quoting') return takeQuote(message.quote, event, order, context)
  if (message.t === 'accepted' && job.phase === 'ordered') return takeAcceptance(job, message, context)
  if (job.phase === 'streaming') {
    if (message.t === 'output') return takeOutput(job, message)
    if (message.t === 'step') return takeStep(job, message.receipt, event, context)
    if (message.t === 'receipt') return takeReceipt(job, message, event, order, context)
  }
  return fail(`a ${message.t} message came while ${job.phase}`)
}

function takeRefusal(job: ClientJob, message: Refusal, event: ClientEvent): ClientStep {
  const effects: ClientEffect[] = giveBack(job, event.ledger, uncommitStep)
  if (message.code === 'voucher-short' && /^[0-9]{1,39}$/.test(message.needed))
    effects.push({ type: 'short', needed: BigInt(message.needed) })
  // In the middle of an answer the worker would wait for a better voucher; none will come.
  if (job.phase === 'streaming') effects.push({ type: 'send', message: { t: 'cancel' } })
  return { job: { phase: 'failed', error: new RefusedError(message.code, message.message) }, effects }
}

// A step in which nothing was delivered is not owed. A worker that disagrees says so with the next order.
function giveBack(job: ClientJob, ledger: ClientLedger, takeBack: typeof uncommitStep): ClientEffect[] {
  const undelivered =
    job.phase === 'ordered' || (job.phase === 'streaming' && job.tokensInStep === 0 && (job.step > 1 || job.delivered.length === 0))
  if (!undelivered) return []
  return [{ type: 'persist-ledger', ledger: takeBack(ledger, parseUint(job.quote.document.stepPrice, 'A price', 128)) }]
}

function quoteRequest(order: ClientOrder, context: ClientContext): ClientMessage {
  return {
    t: 'quote-request',
    payer: order.payer,
    sessionSalt: context.sessionSalt,
    model: context.model,
    privacy: order.levels.privacy,
    verification: order.levels.verification,
    streamMode: order.streamMode,
  }
}

function takeQuote(quote: Signed<Quote>, event: ClientEvent, order: ClientOrder, context: ClientContext): ClientStep {
  const problem = checkQuote(quote, event.now, order, context)
  if (problem !== null) return { job: { phase: 'failed', error: problem }, effects: [] }
  return { job: { phase: 'quoted', quote }, effects: [{ type: 'quote', quote }] }
}

function placeOrder(event: Extract<ClientEvent, { type: 'order' }>, order: ClientOrder, context: ClientContext): ClientStep {
  const { quote, frankingKey } = event
  const problem = checkQuote(quote, event.now, order, context)
  if (problem !== null) return { job: { phase: 'failed', error: problem }, effects: [] }
  const document: InferenceRequest = {
    type: 'tacit-request/1',
    session: context.session,
    job: context.job,
    payer: order.payer,
    channel: order.channel,
    quote: documentId(quote.document),
    inputCommitment: context.commit(frankingKey, 'request', inputBytes(order.input)),
    maxSteps: affordableSteps(quote.document, order),
    deadline: event.now + Math.min(order.deadlineSeconds, quote.document.deadlineSeconds),
    salt: event.requestSalt,
  }
  const request = signDocument('Request', document, { session: context.session, job: context.job }, context.domain, context.signer)
  const ledger = commitStep(event.ledger, parseUint(quote.document.stepPrice, 'A price', 128))
  const voucher = context.signVoucher(ledger.signed)
  return {
    job: { phase: 'ordered', quote, request, voucher, inputFrankingKey: frankingKey, step: 1 },
    effects: [
      { type: 'persist-ledger', ledger },
      { type: 'send', message: { t: 'order', request, voucher, channelSalt: order.channelSalt, frankingKey, input: order.input } },
    ],
  }
}

function takeAcceptance(
  job: Extract<ClientJob, { phase: 'ordered' }>,
  message: Extract<WorkerMessage, { t: 'accepted' }>,
  context: ClientContext,
): ClientStep {
  if (!isAcceptanceGenuine(message.acceptance, documentId(job.request.document), context))
    return fail('the acceptance does not fit the request or is not signed by the worker')
  const effects: ClientEffect[] = message.notice === '' ? [] : [{ type: 'notice', notice: message.notice }]
  return {
    job: {
      ...job,
      phase: 'streaming',
      acceptance: message.acceptance,
      outputFrankingKey: message.frankingKey,
      delivered: [],
      deliveredBytes: 0,
      outputTokens: 0,
      tokensInStep: 0,
      voucherBefore: null,
    },
    effects,
  }
}

function takeOutput(job: StreamingJob, message: Extract<WorkerMessage, { t: 'output' }>): ClientStep {
  const first = job.delivered[0]
  if (first !== undefined && (first.kind !== message.output.kind || first.kind === 'tensors')) return fail('the answer changes its kind')
  const deliveredBytes = job.deliveredBytes + sizeOf(message.output)
  if (deliveredBytes > maxOpenedBytes || job.delivered.length >= maxParts) return fail('the answer is longer than a receipt can cover')
  return {
    job: {
      ...job,
      delivered: [...job.delivered, message.output],
      deliveredBytes,
      outputTokens: job.outputTokens + message.tokens,
      tokensInStep: job.tokensInStep + message.tokens,
    },
    effects: [{ type: 'deliver', output: message.output }],
  }
}

/** More parts than any model has tokens of context. */
const maxParts = 1 << 17

function sizeOf(output: JobOutput): number {
  return output.kind === 'text' ? utf8(output.text).length : outputBytes([output]).length
}

function takeStep(job: StreamingJob, receipt: Signed<StepReceipt>, event: ClientEvent, context: ClientContext): ClientStep {
  const { document } = receipt
  const genuine =
    document.session === context.session &&
    document.job === context.job &&
    document.step === job.step &&
    document.outputTokens === job.outputTokens &&
    document.outputHash === sha256Hash(outputBytes(job.delivered)) &&
    document.voucherAmount === job.voucher.maxClaimableAmount &&
    isDocumentSignedBy(
      context.worker,
      'StepReceipt',
      receipt,
      { session: context.session, job: context.job },
      context.domain,
      context.signatures,
    )
  if (!genuine) return fail('a step receipt does not fit what was delivered')
  const { stepTokens, stepPrice } = job.quote.document
  if (stepTokens === 0 || job.outputTokens < job.step * stepTokens) return fail('a step receipt came before its tokens')
  // A token is a byte of text at least. Some end in no text (a stop word is cut off), but not a whole step of them.
  if (job.outputTokens > job.deliveredBytes + stepTokens) return fail('more tokens are charged for than the text can have')
  if (job.step >= job.request.document.maxSteps) return fail('more steps are asked for than were ordered')
  const ledger = commitStep(event.ledger, parseUint(stepPrice, 'A price', 128))
  const voucher = context.signVoucher(ledger.signed)
  return {
    job: { ...job, voucher, voucherBefore: job.voucher, step: job.step + 1, tokensInStep: 0 },
    effects: [
      { type: 'persist-ledger', ledger },
      { type: 'send', message: { t: 'voucher', voucher } },
    ],
  }
}

function takeReceipt(
  streaming: StreamingJob,
  message: Extract<WorkerMessage, { t: 'receipt' }>,
  event: ClientEvent,
  order: ClientOrder,
  context: ClientContext,
): ClientStep {
  const core = message.receipt.document
  const unused = endsBeforeVoucher(streaming, message, order)
  const job = unused ?? streaming
  const difference = findDifference(core, job, message, order, context)
  if (difference !== null) return fail(`the receipt names another ${difference}`)
  if (
    !isDocumentSignedBy(
      context.worker,
      'Receipt',
      message.receipt,
      { session: context.session, job: context.job },
      context.domain,
      context.signatures,
    )
  )
    return fail('the receipt is not signed by the worker')
  const result: ClientReceipt = {
    receipt: message.receipt,
    acceptance: job.acceptance,
    request: job.request,
    quote: job.quote,
    voucher: job.voucher,
    voucherSalt: message.voucherSalt,
    inputFrankingKey: job.inputFrankingKey,
    outputFrankingKey: job.outputFrankingKey,
    steps: job.step,
    inputUnits: message.inputUnits,
    outputUnits: message.outputUnits,
  }
  const effects: ClientEffect[] = [{ type: 'send', message: { t: 'done' } }]
  // The last voucher bought nothing: the worker ignores it, and the next order is paid with it.
  if (unused !== null) effects.unshift(...giveBack(streaming, event.ledger, uncommitStep))
  return { job: { phase: 'done', result }, effects }
}

// The deadline or a cancellation ended the job at the worker while the voucher for the next step was on its way: the job as it was before. Null
// when the receipt names the newest voucher, or neither.
function endsBeforeVoucher(job: StreamingJob, message: Extract<WorkerMessage, { t: 'receipt' }>, order: ClientOrder): StreamingJob | null {
  const { delivered, payment } = message.receipt.document
  if (job.voucherBefore === null || job.tokensInStep > 0 || delivered.finishReason !== 'cancelled') return null
  const names = ({ maxClaimableAmount }: SignedVoucher): boolean => {
    const amount = parseUint(maxClaimableAmount, 'A voucher amount', 128)
    return payment.voucherCommitment === commitVoucher({ salt: message.voucherSalt, channelId: order.channel, amount })
  }
  if (names(job.voucher) || !names(job.voucherBefore)) return null
  return { ...job, voucher: job.voucherBefore, step: job.step - 1, voucherBefore: null }
}

// Compares every field of the core with what this side knows; the names are those a person understands.
function findDifference(
  core: ReceiptCore,
  job: StreamingJob,
  message: Extract<WorkerMessage, { t: 'receipt' }>,
  order: ClientOrder,
  context: ClientContext,
): string | null {
  const quote = job.quote.document
  const amount = parseUint(job.voucher.maxClaimableAmount, 'A voucher amount', 128)
  const facts: readonly (readonly [string, boolean])[] = [
    ['chain', core.chainId === context.domain.chainId.toString() && core.contract === context.domain.contract],
    ['session or job', core.session === context.session && core.job === context.job],
    ['worker', core.worker === context.worker],
    ['model', core.model === context.model],
    ['order', core.ordered.request === documentId(job.request.document) && core.ordered.deadline === job.request.document.deadline],
    [
      'privacy or verification level',
      core.ordered.privacy === order.levels.privacy && core.ordered.verification === order.levels.verification,
    ],
    ['stream mode', core.ordered.streamMode === order.streamMode],
    [
      'list of readers',
      core.ordered.readers.length === quote.readers.length &&
        core.ordered.readers.every((reader, index) => reader === quote.readers[index]),
    ],
    ['input', core.delivered.inputCommitment === job.request.document.inputCommitment],
    ['output', core.delivered.outputCommitment === context.commit(job.outputFrankingKey, 'response', outputBytes(job.delivered))],
    [
      'usage',
      core.delivered.inputUnits === roundUsage(message.inputUnits) && core.delivered.outputUnits === roundUsage(message.outputUnits),
    ],
    ['voucher', core.payment.voucherCommitment === commitVoucher({ salt: message.voucherSalt, channelId: order.channel, amount })],
    ['number of steps', core.payment.steps === roundUsage(job.step)],
    ['time', core.acceptedAt === job.acceptance.document.acceptedAt && core.completedAt >= core.acceptedAt],
  ]
  return facts.find(([, same]) => !same)?.[0] ?? null
}

function fail(what: string): ClientStep {
  return { job: { phase: 'failed', error: new MisbehaviourError(what) }, effects: [] }
}
