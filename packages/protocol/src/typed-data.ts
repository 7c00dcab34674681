// EIP-712 for Tacit's own documents. Every document is canonical JSON; what is signed is its keccak256 together with
// the session and job it belongs to, under a type name of its own, so that no document can stand for another kind.
import { utf8 } from './bytes.ts'
import { canonicalBytes, type Json } from './canonical-json.ts'
import { type Address, type Bytes32, type JobId, keccak, parseBytes32, type SessionId } from './identifiers.ts'
import { parseHex } from './bytes.ts'
import { isSignedBy, type SignatureBackend, type SignatureHex, type Signer } from './signature.ts'
import { uintToBytes32 } from './uint.ts'

/** The chain and contract a signature is good for. */
export type SigningDomain = {
  readonly chainId: bigint
  /** `PaymentPool`: one deployment is one network. */
  readonly contract: Address
}

/** The kinds of signed documents; each has its own EIP-712 type `Tacit<Kind>`. */
export type DocumentKind =
  | 'Prekey'
  | 'Recommendation'
  | 'Quote'
  | 'Request'
  | 'Acceptance'
  | 'StepReceipt'
  | 'Receipt'
  | 'DirectoryRecord'
  | 'SolverAnswer'
  | 'CheckVector'

const domainType = keccak(utf8('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'))

/** The EIP-712 domain separator for a name and version. */
export function domainSeparator(name: string, version: string, domain: SigningDomain): Bytes32 {
  const contract = parseHex(domain.contract, 'A contract address', 20)
  const padded = new Uint8Array(32)
  padded.set(contract, 12)
  return keccak(word(domainType), word(keccak(utf8(name))), word(keccak(utf8(version))), uintToBytes32(domain.chainId), padded)
}

/** keccak256 of the canonical JSON. */
export function documentId(document: Json): Bytes32 {
  return keccak(canonicalBytes(document))
}

/** What a document is about; both are zero for documents that belong to no session. */
export type DocumentScope = { readonly session: SessionId | Bytes32; readonly job: JobId | Bytes32 }

export const noScope: DocumentScope = { session: parseBytes32(`0x${'00'.repeat(32)}`), job: parseBytes32(`0x${'00'.repeat(32)}`) }

/** The digest that is signed: EIP-712 `Tacit<Kind>(bytes32 document,bytes32 session,bytes32 job)` in the domain "Tacit", version "1". */
export function documentDigest(kind: DocumentKind, document: Json, scope: DocumentScope, domain: SigningDomain): Uint8Array {
  const type = keccak(utf8(`Tacit${kind}(bytes32 document,bytes32 session,bytes32 job)`))
  const struct = keccak(word(type), word(documentId(document)), word(scope.session), word(scope.job))
  return word(keccak(Uint8Array.of(0x19, 0x01), word(domainSeparator('Tacit', '1', domain)), word(struct)))
}

/** A document with the signature of whoever stands for it. */
export type Signed<T> = { readonly document: T; readonly signature: SignatureHex }

/** Signs a document. */
export function signDocument<T extends Json>(
  kind: DocumentKind,
  document: T,
  scope: DocumentScope,
  domain: SigningDomain,
  signer: Signer,
): Signed<T> {
  return { document, signature: signer.sign(documentDigest(kind, document, scope, domain)) }
}

/** Whether `address` signed exactly this document as this kind, for this scope and domain. */
export function isDocumentSignedBy<T extends Json>(
  address: Address,
  kind: DocumentKind,
  signed: Signed<T>,
  scope: DocumentScope,
  domain: SigningDomain,
  backend?: SignatureBackend,
): boolean {
  return isSignedBy(address, documentDigest(kind, signed.document, scope, domain), signed.signature, backend)
}

function word(value: string): Uint8Array {
  return parseHex(value, 'A 32-byte word', 32)
}
