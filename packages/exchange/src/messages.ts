// What client and worker say to each other inside the sealed stream; docs/spec/exchange.md draws the order.
import {
  type Acceptance,
  type Address,
  acceptanceSchema,
  address,
  type Bytes32,
  bytes32,
  canonicalBytes,
  type Hex,
  hex,
  type InferenceRequest,
  integer,
  type Json,
  type ModelId,
  modelId,
  object,
  oneOf,
  type Privacy,
  parseJson,
  privacySchema,
  type Quote,
  quoteSchema,
  type ReceiptCore,
  receiptCoreSchema,
  requestSchema,
  type Schema,
  type Signed,
  type SignedVoucher,
  type StepReceipt,
  type StreamMode,
  signedSchema,
  signedVoucherSchema,
  stepReceiptSchema,
  streamModeSchema,
  text,
  type Verification,
  variant,
  verificationSchema,
} from '@tacit/protocol'
import { type JobInput, type JobOutput, jobInputSchema, jobOutputSchema, maxInputBytes } from './payload.ts'

/** Asks for a price; tells the worker who pays. The salt opens the session id. */
export type QuoteRequest = {
  readonly t: 'quote-request'
  readonly payer: Address
  readonly sessionSalt: Bytes32
  readonly model: ModelId
  readonly privacy: Privacy
  readonly verification: Verification
  readonly streamMode: StreamMode
}

/** The order: signed request, first voucher, and the input with the key that opens its commitment. */
export type Order = {
  readonly t: 'order'
  readonly request: Signed<InferenceRequest>
  readonly voucher: SignedVoucher
  /** Opens the channel id: the pool knows a channel by payer, payee, model and this. */
  readonly channelSalt: Bytes32
  readonly frankingKey: Hex
  readonly input: JobInput
}

export type ClientMessage =
  | QuoteRequest
  | Order
  | { readonly t: 'voucher'; readonly voucher: SignedVoucher }
  | { readonly t: 'cancel' }
  /** The client holds the receipt; the worker may drop its stored stream. */
  | { readonly t: 'done' }

/** Why a worker does not go on. Codes are stable; none of them charges the client. */
export type RefusalCode =
  | 'unknown-model'
  | 'level-not-offered'
  | 'bad-request'
  | 'bad-signature'
  | 'quote-expired'
  | 'channel-unusable'
  | 'voucher-over-lock'
  | 'voucher-short'
  | 'context-exceeded'
  | 'input-mismatch'
  | 'job-seen'
  | 'busy'
  | 'draining'
  | 'engine-failed'
  | 'deadline-passed'

export type Refusal = {
  readonly t: 'refused'
  readonly code: RefusalCode
  /** One sentence for the person; never contains the input. */
  readonly message: string
  /** For `voucher-short`: the cumulative amount that would do. */
  readonly needed: string
}

export type WorkerMessage =
  | { readonly t: 'quote'; readonly quote: Signed<Quote> }
  | { readonly t: 'accepted'; readonly acceptance: Signed<Acceptance>; readonly frankingKey: Hex; readonly notice: string }
  | { readonly t: 'output'; readonly tokens: number; readonly output: JobOutput }
  | { readonly t: 'step'; readonly receipt: Signed<StepReceipt> }
  | {
      readonly t: 'receipt'
      readonly receipt: Signed<ReceiptCore>
      readonly voucherSalt: Bytes32
      readonly inputUnits: number
      readonly outputUnits: number
    }
  | Refusal

const refusalCodes: readonly RefusalCode[] = [
  'unknown-model',
  'level-not-offered',
  'bad-request',
  'bad-signature',
  'quote-expired',
  'channel-unusable',
  'voucher-over-lock',
  'voucher-short',
  'context-exceeded',
  'input-mismatch',
  'job-seen',
  'busy',
  'draining',
  'engine-failed',
  'deadline-passed',
]

type Of<M extends { readonly t: string }, T extends M['t']> = Extract<M, { readonly t: T }>

const clientMessageSchema: Schema<ClientMessage> = variant<ClientMessage>('t', {
  'quote-request': object<QuoteRequest>({
    t: oneOf('quote-request'),
    payer: address,
    sessionSalt: bytes32,
    model: modelId,
    privacy: privacySchema,
    verification: verificationSchema,
    streamMode: streamModeSchema,
  }),
  order: object<Order>({
    t: oneOf('order'),
    request: signedSchema(requestSchema),
    voucher: signedVoucherSchema,
    channelSalt: bytes32,
    frankingKey: hex(32),
    input: jobInputSchema,
  }),
  voucher: object<Of<ClientMessage, 'voucher'>>({ t: oneOf('voucher'), voucher: signedVoucherSchema }),
  cancel: object<Of<ClientMessage, 'cancel'>>({ t: oneOf('cancel') }),
  done: object<Of<ClientMessage, 'done'>>({ t: oneOf('done') }),
})

const workerMessageSchema: Schema<WorkerMessage> = variant<WorkerMessage>('t', {
  quote: object<Of<WorkerMessage, 'quote'>>({ t: oneOf('quote'), quote: signedSchema(quoteSchema) }),
  accepted: object<Of<WorkerMessage, 'accepted'>>({
    t: oneOf('accepted'),
    acceptance: signedSchema(acceptanceSchema),
    frankingKey: hex(32),
    notice: text(512),
  }),
  output: object<Of<WorkerMessage, 'output'>>({ t: oneOf('output'), tokens: integer(0, 65_536), output: jobOutputSchema }),
  step: object<Of<WorkerMessage, 'step'>>({ t: oneOf('step'), receipt: signedSchema(stepReceiptSchema) }),
  receipt: object<Of<WorkerMessage, 'receipt'>>({
    t: oneOf('receipt'),
    receipt: signedSchema(receiptCoreSchema),
    voucherSalt: bytes32,
    inputUnits: integer(0, 2 ** 32),
    outputUnits: integer(0, 2 ** 32),
  }),
  refused: object<Refusal>({ t: oneOf('refused'), code: oneOf(...refusalCodes), message: text(512), needed: text(78) }),
})

/** Largest message: an input of `maxInputBytes` as JSON with hex data. */
export const maxMessageBytes: number = 4 * maxInputBytes

export function encodeMessage(message: ClientMessage | WorkerMessage): Uint8Array<ArrayBuffer> {
  return canonicalBytes(message as unknown as Json) // plain data by construction
}

/** @throws MalformedError for anything but exactly one client message. */
export function parseClientMessage(bytes: Uint8Array): ClientMessage {
  return clientMessageSchema(parseJson(bytes, 'A client message', maxMessageBytes), 'message')
}

/** @throws MalformedError for anything but exactly one worker message. */
export function parseWorkerMessage(bytes: Uint8Array): WorkerMessage {
  return workerMessageSchema(parseJson(bytes, 'A worker message', maxMessageBytes), 'message')
}

export function refusal(code: RefusalCode, message: string, needed = ''): Refusal {
  return { t: 'refused', code, message, needed }
}
