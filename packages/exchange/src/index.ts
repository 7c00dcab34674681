export { checkQuote } from './check-quote.ts'
export type { ClientOrder } from './client-order.ts'
export {
  advanceClientJob,
  type ClientEffect,
  type ClientEvent,
  type ClientJob,
  type ClientReceipt,
  type ClientStep,
  type StreamingJob,
} from './client-job.ts'
export { ClientStream, type Received } from './client-stream.ts'
export type { ClientContext, ExchangeContext, WorkerContext } from './context.ts'
export { MisbehaviourError, QuoteRejectedError, RefusedError, StreamError } from './errors.ts'
export {
  type ClientLedger,
  type Credit,
  creditVoucher,
  commitStep,
  concedeStep,
  doubtStep,
  emptyClientLedger,
  releaseStep,
  uncommitStep,
  type WorkerLedger,
} from './ledger.ts'
export {
  type ClientMessage,
  encodeMessage,
  maxMessageBytes,
  type Order,
  parseClientMessage,
  parseWorkerMessage,
  type QuoteRequest,
  type Refusal,
  type RefusalCode,
  refusal,
  type WorkerMessage,
} from './messages.ts'
export { type ChannelView, checkOrder, checkVoucher, clockSkewSeconds, type GoodOrder } from './order-check.ts'
export {
  type ChatInput,
  type ChatMessage,
  inputBytes,
  jobInputSchema,
  type JobInput,
  type JobOutput,
  maxInputBytes,
  outputBytes,
  type TensorInput,
  type WireTensor,
} from './payload.ts'
export { releaseMode } from './release-mode.ts'
export { StreamLog } from './stream-log.ts'
export { encodeFrame, type Fault, type Frame, faults, maxFrameBytes, parseFrame } from './wire.ts'
export {
  advanceWorkerJob,
  type EngineEnd,
  type FinishedJob,
  type PricedOutput,
  type RunningJob,
  type WorkerEffect,
  type WorkerEvent,
  type WorkerJob,
  type WorkerStep,
  wantsOutput,
} from './worker-job.ts'
export { type Due, WorkerStream } from './worker-stream.ts'
