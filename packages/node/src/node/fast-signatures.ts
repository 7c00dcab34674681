// secp256k1 by libsecp256k1 compiled to WebAssembly: about ten times faster than pure JavaScript, same results.
import { instantiateSecp256k1 } from '@bitauth/libauth'
import type { SignatureBackend } from '@tacit/protocol'

/** Loads the backend; both signers and verifiers of a process share it. */
export async function loadFastSignatures(): Promise<SignatureBackend> {
  const secp256k1 = await instantiateSecp256k1()
  return {
    sign(digest, secretKey) {
      const signed = secp256k1.signMessageHashRecoverableCompact(secretKey, digest)
      if (typeof signed === 'string') throw new Error('the secret key is outside the group order')
      const out = new Uint8Array(65)
      out.set(signed.signature)
      out[64] = signed.recoveryId
      return out
    },
    recover(digest, rs, recovery) {
      const publicKey = secp256k1.recoverPublicKeyUncompressed(rs, recovery, digest)
      return typeof publicKey === 'string' ? undefined : publicKey.subarray(1)
    },
    verify: (digest, rs, publicKey) => secp256k1.verifySignatureCompact(rs, publicKey, digest),
    publicKey(secretKey) {
      const publicKey = secp256k1.derivePublicKeyUncompressed(secretKey)
      if (typeof publicKey === 'string') throw new Error('the secret key is outside the group order')
      return publicKey
    },
  }
}
