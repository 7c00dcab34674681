// The signed documents of one request, in the order in which they appear. docs/spec/documents.md describes each field.
import type { Hex } from './bytes.ts'
import type { Address, Bytes32, ChannelId, JobId, ModelId, SessionId } from './identifiers.ts'
import { type Privacy, privacySchema, type StreamMode, streamModeSchema, type Verification, verificationSchema } from './levels.ts'
import {
  address,
  bytes32,
  channelId,
  hex,
  integer,
  jobId,
  list,
  modelId,
  nullable,
  object,
  oneOf,
  type Schema,
  sessionId,
  text,
  uint,
} from './schema.ts'
import type { Signed } from './typed-data.ts'
import type { UintString } from './uint.ts'

/** Largest time in a document: seconds since 1970, far enough and still a safe integer. */
const timestamp = integer(0, 2 ** 40)

export type KemSuite = 'x-wing' | 'x25519'

/** A worker's short-lived KEM key. Times are seconds since 1970; `notAfter - notBefore` is at most 24 h. */
export type Prekey = {
  readonly type: 'tacit-prekey/1'
  readonly worker: Address
  readonly suite: KemSuite
  readonly publicKey: Hex
  readonly notBefore: number
  readonly notAfter: number
}

export const prekeySchema: Schema<Prekey> = object({
  type: oneOf('tacit-prekey/1'),
  worker: address,
  suite: oneOf('x-wing', 'x25519'),
  publicKey: hex(32, 1216),
  notBefore: timestamp,
  notAfter: timestamp,
})

/** What a worker asks for serving a model under given levels; good for any job of the session until it expires. */
export type Quote = {
  readonly type: 'tacit-quote/1'
  readonly worker: Address
  readonly model: ModelId
  readonly privacy: Privacy
  readonly verification: Verification
  readonly streamMode: StreamMode
  readonly stepPrice: UintString
  /** Output tokens one step covers; 0 when the whole request is one step. */
  readonly stepTokens: number
  readonly maxSteps: number
  /** Everybody who will be able to read the input, the worker included. */
  readonly readers: readonly Address[]
  /** How long a job may take, from acceptance to receipt. */
  readonly deadlineSeconds: number
  readonly expiresAt: number
}

export const quoteSchema: Schema<Quote> = object({
  type: oneOf('tacit-quote/1'),
  worker: address,
  model: modelId,
  privacy: privacySchema,
  verification: verificationSchema,
  streamMode: streamModeSchema,
  stepPrice: uint(128),
  stepTokens: integer(0, 65_536),
  maxSteps: integer(1, 65_536),
  readers: list(address, 16),
  deadlineSeconds: integer(1, 86_400),
  expiresAt: timestamp,
})

/** What the client orders: signed before any input is sent. */
export type InferenceRequest = {
  readonly type: 'tacit-request/1'
  readonly session: SessionId
  readonly job: JobId
  readonly payer: Address
  readonly channel: ChannelId
  /** Document id of the quote that is accepted. */
  readonly quote: Bytes32
  /** Franking commitment to the input (docs/spec/session.md). */
  readonly inputCommitment: Bytes32
  /** Steps the client is ready to pay for; at most the quote's. */
  readonly maxSteps: number
  /** Seconds since 1970 after which the job is void. */
  readonly deadline: number
  /** 32 random bytes: published receipts name the request by its id, and without them payer and price could be guessed from it. */
  readonly salt: Bytes32
}

export const requestSchema: Schema<InferenceRequest> = object({
  type: oneOf('tacit-request/1'),
  session: sessionId,
  job: jobId,
  payer: address,
  channel: channelId,
  quote: bytes32,
  inputCommitment: bytes32,
  maxSteps: integer(1, 65_536),
  deadline: timestamp,
  salt: bytes32,
})

/** The worker binds itself to a signed request before the first paid chunk. */
export type Acceptance = {
  readonly type: 'tacit-acceptance/1'
  readonly session: SessionId
  readonly job: JobId
  readonly worker: Address
  /** Document id of the request. */
  readonly request: Bytes32
  readonly acceptedAt: number
}

export const acceptanceSchema: Schema<Acceptance> = object({
  type: oneOf('tacit-acceptance/1'),
  session: sessionId,
  job: jobId,
  worker: address,
  request: bytes32,
  acceptedAt: timestamp,
})

/** The worker's word that step `step` is delivered and what it counts as paid. */
export type StepReceipt = {
  readonly type: 'tacit-step/1'
  readonly session: SessionId
  readonly job: JobId
  /** From 1. */
  readonly step: number
  /** Output tokens delivered so far. */
  readonly outputTokens: number
  /** SHA-256 over everything delivered so far. */
  readonly outputHash: Bytes32
  readonly voucherAmount: UintString
}

export const stepReceiptSchema: Schema<StepReceipt> = object({
  type: oneOf('tacit-step/1'),
  session: sessionId,
  job: jobId,
  step: integer(1, 65_536),
  outputTokens: integer(0, 2 ** 32),
  outputHash: bytes32,
  voucherAmount: uint(128),
})

/** `stop`: the model ended its answer; `length`: a limit did; `complete`: nothing to stream; `cancelled`: the client did. */
export type FinishReason = 'stop' | 'length' | 'complete' | 'cancelled'

/** The immutable core of a receipt. Published without openings it tells model, worker, time and rounded usage only. */
export type ReceiptCore = {
  readonly type: 'tacit-receipt/1'
  readonly chainId: UintString
  /** `PaymentPool`. */
  readonly contract: Address
  readonly session: SessionId
  readonly job: JobId
  readonly worker: Address
  readonly model: ModelId
  /** The one root over the model's four weight commitments, as published. */
  readonly modelRoot: Bytes32
  readonly ordered: {
    readonly privacy: Privacy
    readonly verification: Verification
    readonly streamMode: StreamMode
    /** Document id of the request; hides its price, payer and channel by the request's random salt. */
    readonly request: Bytes32
    readonly readers: readonly Address[]
    readonly deadline: number
  }
  readonly delivered: {
    readonly inputCommitment: Bytes32
    readonly outputCommitment: Bytes32
    /** Salted root of the layer trace; null for engines that have none. */
    readonly traceRoot: Bytes32 | null
    /** Rounded up to a power of two, so that it does not identify an input. */
    readonly inputUnits: number
    readonly outputUnits: number
    /** Engine, build, and everything else that decides the bits. */
    readonly profile: string
    readonly finishReason: FinishReason
  }
  readonly payment: {
    /** Hiding commitment to channel and amount of the last voucher. */
    readonly voucherCommitment: Bytes32
    /** Rounded up like the units: steps times tokens per step would otherwise tell the length of the answer. */
    readonly steps: number
  }
  readonly acceptedAt: number
  readonly completedAt: number
}

export const receiptCoreSchema: Schema<ReceiptCore> = object({
  type: oneOf('tacit-receipt/1'),
  chainId: uint(256),
  contract: address,
  session: sessionId,
  job: jobId,
  worker: address,
  model: modelId,
  modelRoot: bytes32,
  ordered: object({
    privacy: privacySchema,
    verification: verificationSchema,
    streamMode: streamModeSchema,
    request: bytes32,
    readers: list(address, 16),
    deadline: timestamp,
  }),
  delivered: object({
    inputCommitment: bytes32,
    outputCommitment: bytes32,
    traceRoot: nullable(bytes32),
    inputUnits: integer(0, 2 ** 32),
    outputUnits: integer(0, 2 ** 32),
    profile: text(512),
    finishReason: oneOf('stop', 'length', 'complete', 'cancelled'),
  }),
  payment: object({ voucherCommitment: bytes32, steps: integer(1, 65_536) }),
  acceptedAt: timestamp,
  completedAt: timestamp,
})

/** A document with its signature, as it travels. */
export function signedSchema<T>(document: Schema<T>): Schema<Signed<T>> {
  return object<Signed<T>>({ document, signature: hex(65) })
}
