import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { type Hex, parseHex, toHex } from './bytes.ts'
import { MalformedError } from './errors.ts'
import { type Address, parseAddress } from './identifiers.ts'

/** 65 bytes r | s | v with low s and v in {27, 28}: the one form of an Ethereum signature that is accepted here. */
export type SignatureHex = Hex

/** ECDSA on secp256k1 over 32-byte digests. The default is @noble/curves; a faster one may be passed in. */
export type SignatureBackend = {
  /** r | s | recovery bit (0 or 1), low s, deterministic nonce (RFC 6979). */
  readonly sign: (digest: Uint8Array, secretKey: Uint8Array) => Uint8Array
  /** The uncompressed public key without its prefix (64 bytes), or undefined when the signature has none. */
  readonly recover: (digest: Uint8Array, rs: Uint8Array, recovery: 0 | 1) => Uint8Array | undefined
  /** Whether r | s (low s) signs the digest under the 65-byte uncompressed public key. */
  readonly verify: (digest: Uint8Array, rs: Uint8Array, publicKey: Uint8Array) => boolean
  readonly publicKey: (secretKey: Uint8Array) => Uint8Array
}

export const nobleSignatures: SignatureBackend = {
  sign(digest, secretKey) {
    const recovered = secp256k1.sign(digest, secretKey, { prehash: false, format: 'recovered' })
    const out = new Uint8Array(65) // noble puts the recovery bit first, Ethereum last
    out.set(recovered.subarray(1), 0)
    out[64] = recovered[0] ?? 0
    return out
  },
  recover(digest, rs, recovery) {
    try {
      return secp256k1.Signature.fromBytes(rs, 'compact').addRecoveryBit(recovery).recoverPublicKey(digest).toBytes(false).subarray(1)
    } catch {
      return undefined
    }
  },
  verify(digest, rs, publicKey) {
    try {
      return secp256k1.verify(rs, digest, publicKey, { prehash: false, lowS: true })
    } catch {
      return false
    }
  },
  publicKey: (secretKey) => secp256k1.getPublicKey(secretKey, false),
}

/** Somebody who can sign. The key stays inside: it is not a property and does not appear when logged. */
export type Signer = {
  readonly address: Address
  /** Uncompressed, 65 bytes. */
  readonly publicKey: Uint8Array
  readonly sign: (digest: Uint8Array) => SignatureHex
}

/** A signer over a secret key in memory. */
export function createSigner(secretKey: Uint8Array, backend: SignatureBackend = nobleSignatures): Signer {
  const key = Uint8Array.from(secretKey)
  const publicKey = backend.publicKey(key)
  return {
    address: addressOf(publicKey),
    publicKey,
    sign(digest) {
      const signature = Uint8Array.from(backend.sign(digest, key))
      signature[64] = (signature[64] ?? 0) + 27
      return toHex(signature)
    },
  }
}

/** Last 20 bytes of keccak256 of the uncompressed public key without its prefix. */
export function addressOf(publicKey: Uint8Array): Address {
  const body = publicKey.length === 65 ? publicKey.subarray(1) : publicKey
  return parseAddress(toHex(keccak_256(body).subarray(12)))
}

// Half of the group order: signatures with a larger s are the malleated twin of one with a smaller s.
const halfOrder = secp256k1.Point.CURVE().n >> 1n

type ParsedSignature = { readonly rs: Uint8Array; readonly recovery: 0 | 1 }

function parseSignature(signature: string): ParsedSignature {
  const bytes = parseHex(signature, 'A signature', 65)
  const v = bytes[64]
  if (v !== 27 && v !== 28) throw new MalformedError('A signature', 'must end in 27 or 28')
  const s = BigInt(toHex(bytes.subarray(32, 64)))
  if (s === 0n || s > halfOrder) throw new MalformedError('A signature', 'has a high or zero s')
  return { rs: bytes.subarray(0, 64), recovery: v === 27 ? 0 : 1 }
}

/**
 * The account that signed the digest, or undefined when the signature fits no account.
 * @throws MalformedError when the signature is not in canonical form.
 */
export function recoverSigner(digest: Uint8Array, signature: string, backend: SignatureBackend = nobleSignatures): Address | undefined {
  const { rs, recovery } = parseSignature(signature)
  const publicKey = backend.recover(digest, rs, recovery)
  return publicKey === undefined ? undefined : addressOf(publicKey)
}

/** Whether `address` signed the digest. A malformed signature is simply not a signature. */
export function isSignedBy(address: Address, digest: Uint8Array, signature: string, backend: SignatureBackend = nobleSignatures): boolean {
  try {
    return recoverSigner(digest, signature, backend) === address
  } catch (error) {
    if (error instanceof MalformedError) return false
    throw error
  }
}

/**
 * Whether the holder of a public key that is already known signed the digest: several times cheaper than recovering it.
 * ECDSA verification does not look at v, so a signature whose last byte was flipped between 27 and 28 passes here and is
 * worth nothing to `ecrecover`: whoever hands such a signature on (redeems a voucher) first takes `withRecoverableV`.
 */
export function isSignedByKey(
  publicKey: Uint8Array,
  digest: Uint8Array,
  signature: string,
  backend: SignatureBackend = nobleSignatures,
): boolean {
  try {
    return backend.verify(digest, parseSignature(signature).rs, publicKey)
  } catch (error) {
    if (error instanceof MalformedError) return false
    throw error
  }
}

/**
 * The signature with the v under which `ecrecover` gives `address`, or undefined when neither does.
 * @throws MalformedError when the signature is not in canonical form.
 */
export function withRecoverableV(
  address: Address,
  digest: Uint8Array,
  signature: string,
  backend: SignatureBackend = nobleSignatures,
): SignatureHex | undefined {
  const { rs } = parseSignature(signature)
  for (const recovery of [0, 1] as const) {
    const publicKey = backend.recover(digest, rs, recovery)
    if (publicKey !== undefined && addressOf(publicKey) === address) return toHex(Uint8Array.of(...rs, 27 + recovery))
  }
  return undefined
}
