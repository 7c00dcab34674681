// The worker's side of one job, as a pure function from state and event to state and effects.
//
// The order of effects is the safety argument: whatever gives the client a claim is persisted before it is sent, and
// nothing is sent that is not paid for. A driver executes them in order and makes `persist` durable before going on.
import {
  type Acceptance,
  type Bytes32,
  commitVoucher,
  documentId,
  type FinishReason,
  type Hex,
  type InferenceRequest,
  isDocumentSignedBy,
  parseUint,
  type Quote,
  type ReceiptCore,
  roundUsage,
  type Signed,
  type SignedVoucher,
  sha256Hash,
  signDocument,
  type StepReceipt,
} from '@tacit/protocol'
import type { WorkerContext } from './context.ts'
import { type ChannelView, checkOrder, checkVoucher } from './order-check.ts'
import { releaseStep, type WorkerLedger } from './ledger.ts'
import { type Order, type Refusal, refusal, type WorkerMessage } from './messages.ts'
import { type JobInput, type JobOutput, outputBytes } from './payload.ts'

/** A part of the answer and the output tokens it took. */
export type PricedOutput = { readonly output: JobOutput; readonly tokens: number }

/** What the engine said when it ended. */
export type EngineEnd = {
  readonly finishReason: FinishReason
  readonly inputUnits: number
  readonly outputUnits: number
  readonly profile: string
  readonly traceRoot: Bytes32 | null
  /** 32 random bytes that hide the voucher in the receipt. */
  readonly voucherSalt: Bytes32
}

export type RunningJob = {
  readonly phase: 'running'
  readonly request: Signed<InferenceRequest>
  readonly quote: Quote
  readonly channel: ChannelView
  readonly acceptance: Signed<Acceptance>
  readonly inputCommitment: Bytes32
  readonly frankingKey: Hex
  readonly voucher: SignedVoucher
  /** Paid steps, from 1. */
  readonly step: number
  readonly tokensInStep: number
  readonly outputTokens: number
  readonly delivered: readonly JobOutput[]
  /** Ready and not paid for yet. */
  readonly queue: readonly PricedOutput[]
  /** A step receipt is out and the next voucher has not come. */
  readonly awaitingVoucher: boolean
  readonly end: EngineEnd | null
}

export type FinishedJob = {
  readonly phase: 'finished'
  readonly outcome: 'receipt' | 'refused' | 'failed'
  readonly receipt: Signed<ReceiptCore> | null
}

export type WorkerJob = { readonly phase: 'idle' } | RunningJob | FinishedJob

/** Every event carries the time (seconds) and the channel's ledger as they are now. */
export type WorkerEvent = { readonly now: number; readonly ledger: WorkerLedger } & (
  | {
      readonly type: 'order'
      readonly order: Order
      readonly quote: Quote | undefined
      readonly channel: ChannelView | undefined
      readonly preflight: Refusal | null
      readonly frankingKey: Hex
    }
  | { readonly type: 'voucher'; readonly voucher: SignedVoucher }
  | { readonly type: 'output'; readonly item: PricedOutput }
  | { readonly type: 'engine-end'; readonly end: EngineEnd }
  | { readonly type: 'engine-failed'; readonly message: string }
  | { readonly type: 'cancel'; readonly end: EngineEnd }
)

export type WorkerEffect =
  | {
      readonly type: 'persist-voucher'
      readonly voucher: SignedVoucher
      readonly ledger: WorkerLedger
      readonly acceptance: Signed<Acceptance>
    }
  | { readonly type: 'persist-ledger'; readonly ledger: WorkerLedger }
  | { readonly type: 'persist-receipt'; readonly receipt: Signed<ReceiptCore> }
  | { readonly type: 'send'; readonly message: WorkerMessage }
  | { readonly type: 'run'; readonly input: JobInput; readonly maxTokens: number }
  | { readonly type: 'stop-engine' }

export type WorkerStep = { readonly job: WorkerJob; readonly effects: readonly WorkerEffect[] }

/** Whether the driver should go on pulling from the engine: at most one step is computed ahead of its payment. */
export function wantsOutput(job: WorkerJob): boolean {
  return job.phase === 'running' && job.end === null && job.queue.length <= Math.max(1, job.quote.stepTokens)
}

export function advanceWorkerJob(job: WorkerJob, event: WorkerEvent, context: WorkerContext): WorkerStep {
  switch (event.type) {
    case 'order':
      return job.phase === 'idle' ? takeOrder(event, context) : refuse(job, refusal('job-seen', 'this job was ordered before'))
    case 'voucher':
      return job.phase === 'running' && job.awaitingVoucher ? takeVoucher(job, event.voucher, event, context) : { job, effects: [] }
    case 'output':
      return job.phase === 'running' && job.end === null
        ? release({ ...job, queue: [...job.queue, event.item] }, event, context)
        : { job, effects: [] }
    case 'engine-end':
      return job.phase === 'running' && job.end === null ? release({ ...job, end: event.end }, event, context) : { job, effects: [] }
    case 'engine-failed':
      return job.phase === 'running' && job.end === null
        ? stop(job, null, refusal('engine-failed', event.message), event, context)
        : { job, effects: [] }
    case 'cancel':
      return job.phase === 'running'
        ? stop(job, event.end, refusal('deadline-passed', 'the job was cancelled'), event, context)
        : { job, effects: [] }
  }
}

function takeOrder(event: Extract<WorkerEvent, { type: 'order' }>, context: WorkerContext): WorkerStep {
  const checked = checkOrder(event, context)
  if ('t' in checked) return refuse({ phase: 'idle' }, checked)
  const request = event.order.request
  const acceptance = signDocument(
    'Acceptance',
    {
      type: 'tacit-acceptance/1' as const,
      session: context.session,
      job: context.job,
      worker: context.worker,
      request: documentId(request.document),
      acceptedAt: event.now,
    },
    { session: context.session, job: context.job },
    context.domain,
    context.signer,
  )
  const job: RunningJob = {
    phase: 'running',
    request,
    quote: checked.quote,
    channel: checked.channel,
    acceptance,
    inputCommitment: request.document.inputCommitment,
    frankingKey: event.frankingKey,
    voucher: event.order.voucher,
    step: 1,
    tokensInStep: 0,
    outputTokens: 0,
    delivered: [],
    queue: [],
    awaitingVoucher: false,
    end: null,
  }
  const input = event.order.input
  const paidFor = checked.quote.stepTokens === 0 ? Number.MAX_SAFE_INTEGER : checked.quote.stepTokens * request.document.maxSteps
  const maxTokens = Math.min(input.kind === 'chat' ? input.maxTokens : 1, paidFor)
  return {
    job,
    effects: [
      { type: 'persist-voucher', voucher: event.order.voucher, ledger: checked.ledger, acceptance },
      { type: 'send', message: { t: 'accepted', acceptance, frankingKey: event.frankingKey, notice: context.notice } },
      { type: 'run', input, maxTokens },
    ],
  }
}

function takeVoucher(job: RunningJob, voucher: SignedVoucher, event: WorkerEvent, context: WorkerContext): WorkerStep {
  const credit = checkVoucher(voucher, job.request.document, job.quote, job.channel, event.ledger, context)
  // A voucher that does not pay changes nothing: the client is told and may send a right one before the deadline.
  if ('t' in credit) return { job, effects: [{ type: 'send', message: credit }] }
  const paid = release(
    { ...job, voucher, step: job.step + 1, tokensInStep: 0, awaitingVoucher: false },
    { ...event, ledger: credit },
    context,
  )
  return { job: paid.job, effects: [{ type: 'persist-voucher', voucher, ledger: credit, acceptance: job.acceptance }, ...paid.effects] }
}

// Sends what is paid for; asks for the next step only when there is something to deliver in it.
function release(job: RunningJob, event: WorkerEvent, context: WorkerContext): WorkerStep {
  const effects: WorkerEffect[] = []
  let current = job
  while (current.queue.length > 0 && !current.awaitingVoucher) {
    const [item, ...queue] = current.queue
    if (item === undefined) break
    if (isStepUsedUp(current)) {
      if (current.step >= current.request.document.maxSteps) return cutAtLimit(current, effects, event, context)
      effects.push({ type: 'send', message: { t: 'step', receipt: signStep(current, context) } })
      current = { ...current, awaitingVoucher: true }
      break
    }
    effects.push({ type: 'send', message: { t: 'output', tokens: item.tokens, output: item.output } })
    current = {
      ...current,
      queue,
      delivered: [...current.delivered, item.output],
      tokensInStep: current.tokensInStep + item.tokens,
      outputTokens: current.outputTokens + item.tokens,
    }
  }
  if (current.end === null || current.queue.length > 0) return { job: current, effects }
  const finished = finish(current, current.end, event, context)
  return { job: finished.job, effects: [...effects, ...finished.effects] }
}

const isStepUsedUp = (job: RunningJob): boolean => job.quote.stepTokens > 0 && job.tokensInStep >= job.quote.stepTokens

// The engine went on although the paid steps are used up: deliver what was paid, end with `length`.
function cutAtLimit(job: RunningJob, effects: readonly WorkerEffect[], event: WorkerEvent, context: WorkerContext): WorkerStep {
  if (job.end === null) return { job, effects: [...effects, { type: 'stop-engine' }] }
  const finished = finish({ ...job, queue: [] }, { ...job.end, finishReason: 'length', outputUnits: job.outputTokens }, event, context)
  return { job: finished.job, effects: [...effects, ...finished.effects] }
}

// Ends early: a receipt for what was delivered, or the step given back when nothing was.
function stop(job: RunningJob, end: EngineEnd | null, reason: Refusal, event: WorkerEvent, context: WorkerContext): WorkerStep {
  const halt: readonly WorkerEffect[] = job.end === null ? [{ type: 'stop-engine' }] : []
  if (job.delivered.length === 0 || end === null) {
    // A failed engine leaves delivered steps paid and gives back the one in which nothing was delivered.
    const giveBack = job.tokensInStep === 0 && (job.step > 1 || job.delivered.length === 0)
    const ledger = giveBack ? releaseStep(event.ledger, parseUint(job.quote.stepPrice, 'A price', 128)) : event.ledger
    return {
      job: { phase: 'finished', outcome: 'failed', receipt: null },
      effects: [...halt, { type: 'persist-ledger', ledger }, { type: 'send', message: reason }],
    }
  }
  const finished = finish({ ...job, queue: [] }, { ...end, finishReason: 'cancelled', outputUnits: job.outputTokens }, event, context)
  return { job: finished.job, effects: [...halt, ...finished.effects] }
}

function finish(job: RunningJob, end: EngineEnd, event: WorkerEvent, context: WorkerContext): WorkerStep {
  const request = job.request.document
  const core: ReceiptCore = {
    type: 'tacit-receipt/1',
    chainId: context.domain.chainId.toString(),
    contract: context.domain.contract,
    session: context.session,
    job: context.job,
    worker: context.worker,
    model: context.model,
    modelRoot: context.modelRoot,
    ordered: {
      privacy: job.quote.privacy,
      verification: job.quote.verification,
      streamMode: job.quote.streamMode,
      request: documentId(request),
      readers: job.quote.readers,
      deadline: request.deadline,
    },
    delivered: {
      inputCommitment: job.inputCommitment,
      outputCommitment: context.commit(job.frankingKey, 'response', outputBytes(job.delivered)),
      traceRoot: end.traceRoot,
      inputUnits: roundUsage(end.inputUnits),
      outputUnits: roundUsage(end.outputUnits),
      profile: end.profile,
      finishReason: end.finishReason,
    },
    payment: {
      voucherCommitment: commitVoucher({
        salt: end.voucherSalt,
        channelId: request.channel,
        amount: parseUint(job.voucher.maxClaimableAmount, 'A voucher amount', 128),
      }),
      steps: roundUsage(job.step),
    },
    acceptedAt: job.acceptance.document.acceptedAt,
    completedAt: Math.max(event.now, job.acceptance.document.acceptedAt),
  }
  const receipt = signDocument('Receipt', core, { session: context.session, job: context.job }, context.domain, context.signer)
  return {
    job: { phase: 'finished', outcome: 'receipt', receipt },
    effects: [
      { type: 'persist-receipt', receipt },
      {
        type: 'send',
        message: { t: 'receipt', receipt, voucherSalt: end.voucherSalt, inputUnits: end.inputUnits, outputUnits: end.outputUnits },
      },
    ],
  }
}

function signStep(job: RunningJob, context: WorkerContext): Signed<StepReceipt> {
  const document: StepReceipt = {
    type: 'tacit-step/1',
    session: context.session,
    job: context.job,
    step: job.step,
    outputTokens: job.outputTokens,
    outputHash: sha256Hash(outputBytes(job.delivered)),
    voucherAmount: job.voucher.maxClaimableAmount,
  }
  return signDocument('StepReceipt', document, { session: context.session, job: context.job }, context.domain, context.signer)
}

function refuse(job: WorkerJob, message: Refusal): WorkerStep {
  const next: WorkerJob = job.phase === 'idle' ? { phase: 'finished', outcome: 'refused', receipt: null } : job
  return { job: next, effects: [{ type: 'send', message }] }
}

/** Whether the acceptance is this worker's word for this request. */
export function isAcceptanceGenuine(
  acceptance: Signed<Acceptance>,
  request: Bytes32,
  context: Omit<WorkerContext, 'isVoucherSigned' | 'modelRoot' | 'notice'>,
): boolean {
  const { document } = acceptance
  return (
    document.session === context.session &&
    document.job === context.job &&
    document.worker === context.worker &&
    document.request === request &&
    isDocumentSignedBy(
      context.worker,
      'Acceptance',
      acceptance,
      { session: context.session, job: context.job },
      context.domain,
      context.signatures,
    )
  )
}
