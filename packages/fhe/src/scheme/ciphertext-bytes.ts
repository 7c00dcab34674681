import { type Ciphertext, encodeCiphertext, parseCiphertext } from './ciphertext.ts'
import { type CkksContext, ringOf } from './context.ts'

export type { Ciphertext }

/** A ciphertext as bytes. */
export function encodeCiphertextBytes(context: CkksContext, ciphertext: Ciphertext): Uint8Array<ArrayBuffer> {
  return encodeCiphertext(ringOf(context), ciphertext)
}

/**
 * A ciphertext from untrusted bytes: only canonical residues of this parameter set come through.
 * @throws MalformedEncryptionError
 */
export function decodeCiphertextBytes(context: CkksContext, bytes: Uint8Array): Ciphertext {
  return parseCiphertext(ringOf(context), bytes)
}
