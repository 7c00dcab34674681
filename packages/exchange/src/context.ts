import type {
  Address,
  Bytes32,
  Hex,
  JobId,
  ModelId,
  SessionId,
  SignatureBackend,
  SignedVoucher,
  Signer,
  SigningDomain,
} from '@tacit/protocol'

/** What both machines know from outside. Nothing in them reads a clock, draws randomness or does I/O. */
export type ExchangeContext = {
  readonly domain: SigningDomain
  readonly session: SessionId
  readonly job: JobId
  readonly worker: Address
  readonly model: ModelId
  readonly signer: Signer
  readonly signatures: SignatureBackend
  /** Franking commitment (docs/spec/session.md) over a plaintext in one direction of this job. */
  readonly commit: (frankingKey: Hex, direction: 'request' | 'response', plaintext: Uint8Array) => Bytes32
}

/** What the worker knows besides. */
export type WorkerContext = ExchangeContext & {
  readonly modelRoot: Bytes32
  /** Shown beside every answer of this model; empty when there is nothing to say. */
  readonly notice: string
  /** Whether the voucher carries the payer's signature. */
  readonly isVoucherSigned: (voucher: SignedVoucher, payer: Address) => boolean
}

/** What the client knows besides. */
export type ClientContext = ExchangeContext & {
  readonly sessionSalt: Bytes32
  readonly signVoucher: (amount: bigint) => SignedVoucher
}
