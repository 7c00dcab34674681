import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8 } from '@tacit/protocol'

/** What a worker signs about an encrypted answer before the client decrypts it: all of it ciphertext hashes and public names. */
export type AnswerStatement = {
  /** The worker's identity, as the caller names workers. */
  readonly worker: string
  readonly modelRoot: Uint8Array
  readonly keySetHash: Uint8Array
  readonly requestHash: Uint8Array
  readonly responseHash: Uint8Array
}

const domain = utf8('tacit/fhe/answer/1')

/** The bytes that are signed: a domain, the worker's name with its length, four hashes of 32 bytes. */
export function encodeAnswerStatement(statement: AnswerStatement): Uint8Array<ArrayBuffer> {
  const worker = utf8(statement.worker)
  const length = new Uint8Array(new Uint32Array([worker.length]).buffer)
  const hashes = [statement.modelRoot, statement.keySetHash, statement.requestHash, statement.responseHash]
  return concatBytes(domain, length, worker, ...hashes)
}

/** SHA-256 of a ciphertext, key set or response: what vouchers, receipts and statements name. */
export function hashCiphertext(bytes: Uint8Array): Uint8Array {
  return sha256(bytes)
}
