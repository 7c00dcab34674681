// What opens the commitments of one receipt: kept by client and worker, shown to a judge, never published with the receipt.
import { canonicalBytes, type Json, parseJson } from './canonical-json.ts'
import type { Hex } from './bytes.ts'
import { type InferenceRequest, type Quote, quoteSchema, requestSchema, signedSchema } from './documents.ts'
import type { Bytes32, ChannelId } from './identifiers.ts'
import { bytes32, channelId, hex, nullable, object, oneOf, type Schema, uint } from './schema.ts'
import type { Signed } from './typed-data.ts'
import type { UintString } from './uint.ts'

/** Opens the franking commitment of one stream: its key and exactly the bytes it covers. */
export type StreamOpening = { readonly frankingKey: Hex; readonly plaintext: Hex }

/** Everything that one side can open about a receipt; null where it does not want to, or cannot. */
export type Openings = {
  readonly type: 'tacit-openings/1'
  readonly receiptId: Bytes32
  readonly input: StreamOpening | null
  readonly output: StreamOpening | null
  readonly voucher: { readonly salt: Bytes32; readonly channelId: ChannelId; readonly amount: UintString } | null
  /** What the client signed, and the worker's quote that it accepts: shows price, payer and the levels that were ordered. */
  readonly order: { readonly request: Signed<InferenceRequest>; readonly quote: Signed<Quote> } | null
}

/** Largest plaintext of one stream that an openings file carries, and the largest file. */
export const maxOpenedBytes = 4 << 20
export const maxOpeningsBytes = 20 << 20

const streamOpening: Schema<StreamOpening> = object({ frankingKey: hex(32), plaintext: hex(0, maxOpenedBytes) })

export const openingsSchema: Schema<Openings> = object<Openings>({
  type: oneOf('tacit-openings/1'),
  receiptId: bytes32,
  input: nullable(streamOpening),
  output: nullable(streamOpening),
  voucher: nullable(object({ salt: bytes32, channelId, amount: uint(128) })),
  order: nullable(object({ request: signedSchema(requestSchema), quote: signedSchema(quoteSchema) })),
})

/**
 * Reads an openings file.
 * @throws MalformedError when it is not one.
 */
export function parseOpenings(bytes: Uint8Array): Openings {
  return openingsSchema(parseJson(bytes, 'The openings', maxOpeningsBytes), 'openings')
}

/** The bytes of an openings file. Whoever holds them can read input and output: store them like the conversation itself. */
export function encodeOpenings(openings: Openings): Uint8Array<ArrayBuffer> {
  return canonicalBytes(openings as unknown as Json) // plain data by construction
}
