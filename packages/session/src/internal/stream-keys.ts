// Keys of one stream: one direction of one attempt of one job. RFC 9458 section 4.4 with the response secret replaced by
// one that is bound to session, job and attempt (docs/spec/session.md says where and why this differs).
import { expand, extract } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, type Hex, parseHex, utf8 } from '@tacit/protocol'
import type { Direction } from '../session.ts'

export type StreamKeys = { readonly key: Uint8Array; readonly baseNonce: Uint8Array }

/** Exporter context of a direction's root secret. */
export function exporterContext(direction: Direction): Uint8Array<ArrayBuffer> {
  return utf8(`tacit/session/1 ${direction}`)
}

export function deriveStreamKeys(options: {
  readonly root: Uint8Array
  readonly encapsulation: Uint8Array
  readonly sessionId: Hex
  readonly jobId: Hex
  readonly attempt: number
  readonly attemptNonce: Uint8Array
}): StreamKeys {
  const attempt = new Uint8Array(4)
  new DataView(attempt.buffer).setUint32(0, options.attempt)
  const context = concatBytes(
    utf8('tacit/session/1 attempt'),
    parseHex(options.sessionId, 'The session id', 32),
    parseHex(options.jobId, 'The job id', 32),
    attempt,
  )
  const secret = expand(sha256, options.root, context, 32)
  const salt = concatBytes(options.encapsulation, options.attemptNonce)
  const prk = extract(sha256, secret, salt)
  const keys = { key: expand(sha256, prk, utf8('key'), 32), baseNonce: expand(sha256, prk, utf8('nonce'), 12) }
  secret.fill(0)
  prk.fill(0)
  return keys
}

/** base XOR counter, the counter big-endian in the last bytes (RFC 9180 section 5.2). */
export function chunkNonce(baseNonce: Uint8Array, counter: number): Uint8Array<ArrayBuffer> {
  const nonce = Uint8Array.from(baseNonce)
  const view = new DataView(nonce.buffer)
  view.setUint32(8, view.getUint32(8) ^ counter)
  return nonce
}

const empty = new Uint8Array(0)
const final = utf8('final')

/** Associated data of a chunk: empty, or "final" for the last one (draft-ietf-ohai-chunked-ohttp section 6). */
export function chunkAad(isFinal: boolean): Uint8Array {
  return isFinal ? final : empty
}
