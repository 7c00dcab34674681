// A receipt as it is stored and published: the signed core and evidence about it. docs/spec/receipt.md.
import { canonicalBytes, type Json } from './canonical-json.ts'
import { type Acceptance, acceptanceSchema, type ReceiptCore, receiptCoreSchema, signedSchema } from './documents.ts'
import type { Bytes32 } from './identifiers.ts'
import { bytes32, list, object, oneOf, type Schema, text } from './schema.ts'
import type { Signed } from './typed-data.ts'

/**
 * One item of evidence. `kind` is a name and a version; `body` has the form of its kind and authenticates itself, so that
 * anybody may add evidence to a receipt and nobody needs to be believed. Verifiers skip kinds that they do not know.
 */
export type Evidence<Kind extends string = string, Body = unknown> = {
  readonly kind: Kind
  /** Document id of the core that the item is about. */
  readonly receiptId: Bytes32
  readonly body: Body
}

/** The worker's signed word, given before the first paid chunk, that it takes this job. */
export type AcceptanceEvidence = Evidence<'acceptance/1', Signed<Acceptance>>

/** The kinds that this version of the software understands. */
export const knownEvidenceKinds = ['acceptance/1', 'registration/1', 'model/1'] as const
export type KnownEvidenceKind = (typeof knownEvidenceKinds)[number]

/** What a client stores and publishes. Openings never travel in it. */
export type ReceiptFile = {
  readonly type: 'tacit-receipt-file/1'
  readonly receipt: Signed<ReceiptCore>
  readonly evidence: readonly Evidence[]
}

/** No receipt file is longer, and none has more items. */
export const maxReceiptFileBytes = 1 << 20
export const maxEvidenceItems = 64

export const evidenceSchema: Schema<Evidence> = object<Evidence>({ kind: text(64), receiptId: bytes32, body: (value) => value })

export const receiptFileSchema: Schema<ReceiptFile> = object<ReceiptFile>({
  type: oneOf('tacit-receipt-file/1'),
  receipt: signedSchema(receiptCoreSchema),
  evidence: list(evidenceSchema, maxEvidenceItems),
})

export const acceptanceBodySchema: Schema<Signed<Acceptance>> = signedSchema(acceptanceSchema)

/** The one byte form of a receipt file: RFC 8785 canonical JSON. Any other spelling is refused, so every byte is checked. */
export function encodeReceiptFile(file: ReceiptFile): Uint8Array<ArrayBuffer> {
  return canonicalBytes(file as unknown as Json) // plain data by construction; canonicalJson checks every value
}
