import { type Address, isSignedBy, keccak, parseHex, type Signer, toHex, utf8 } from '@tacit/protocol'

/** Proves to a relay who a worker is. */
export type RelayIdentity = {
  readonly worker: Address
  /** A 65-byte signature over the digest. */
  readonly sign: (digest: Uint8Array) => Promise<Uint8Array>
}

/** Checks such a proof. */
export type RelayVerifier = (proof: {
  readonly worker: Address
  readonly digest: Uint8Array
  readonly signature: Uint8Array
}) => Promise<boolean>

/**
 * What a worker signs to be served at a relay: an EIP-191 personal message, so that it can never pass for a transaction or typed
 * data. The origin keeps one relay from passing off another relay's challenge as its own.
 */
export function relayProofDigest(options: { readonly origin: string; readonly worker: Address; readonly nonce: Uint8Array }): Uint8Array {
  const text = utf8(`tacit/relay/1\nserve ${options.worker}\nat ${options.origin}\nnonce ${toHex(options.nonce)}`)
  return parseHex(keccak(utf8(`\x19Ethereum Signed Message:\n${text.length}`), text), 'A digest')
}

/** The identity of a worker that holds its signer. */
export function identityOf(signer: Signer): RelayIdentity {
  return { worker: signer.address, sign: async (digest) => parseHex(signer.sign(digest), 'A signature', 65) }
}

/** Accepts every worker that proves its address. A relay may put its own admission in front. */
export const verifyBySignature: RelayVerifier = async ({ worker, digest, signature }) => isSignedBy(worker, digest, toHex(signature))

/** `host:port` of a relay URL: what proofs are bound to. */
export function relayOrigin(url: string): string {
  return new URL(url).host
}
