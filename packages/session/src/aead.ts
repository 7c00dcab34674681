import { gcm } from '@noble/ciphers/aes.js'

/** One AES-256-GCM key, ready for use. Nonces are 12 bytes, ciphertexts carry the 16-byte tag at their end. */
export type AeadKey = {
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** The plaintext, or undefined when the ciphertext is not authentic. */
  open(nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined
}

/** A synchronous AES-256-GCM implementation. All backends give the same bytes. */
export type AeadBackend = {
  readonly name: string
  /** `key` is 32 bytes; the backend copies it. */
  importKey(key: Uint8Array): AeadKey
}

/** AES-256-GCM in JavaScript, for tabs and web workers. In Node take `nodeAead` from `@tacit/session/node`. */
export const nobleAead: AeadBackend = {
  name: 'noble',
  importKey(key) {
    const own = Uint8Array.from(key)
    return {
      seal: (nonce, aad, plaintext) => gcm(own, nonce, aad).encrypt(plaintext),
      open: (nonce, aad, ciphertext) => {
        if (ciphertext.length < 16) return undefined
        try {
          return gcm(own, nonce, aad).decrypt(ciphertext)
        } catch {
          // The lengths are right, so the only thing it can throw for is the tag.
          return undefined
        }
      },
    }
  },
}
