import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import type { AeadBackend } from '../aead.ts'

const tagBytes = 16

/** AES-256-GCM of OpenSSL through node:crypto: the same bytes as the default backend, about five times as fast. */
export const nodeAead: AeadBackend = {
  name: 'node',
  importKey(key) {
    const secret = createSecretKey(key)
    return {
      seal(nonce, aad, plaintext) {
        const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagBytes })
        cipher.setAAD(aad)
        const body = cipher.update(plaintext)
        cipher.final()
        const sealed = new Uint8Array(body.length + tagBytes)
        sealed.set(body)
        sealed.set(cipher.getAuthTag(), body.length)
        return sealed
      },
      open(nonce, aad, ciphertext) {
        if (ciphertext.length < tagBytes) return undefined
        const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagBytes })
        decipher.setAAD(aad)
        decipher.setAuthTag(ciphertext.subarray(-tagBytes))
        const plaintext = decipher.update(ciphertext.subarray(0, -tagBytes))
        try {
          decipher.final()
        } catch {
          // final() throws exactly when the tag does not match.
          return undefined
        }
        return Uint8Array.from(plaintext)
      },
    }
  },
}
