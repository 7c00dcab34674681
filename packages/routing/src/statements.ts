// What solvers and checkers sign (docs/spec/routing.md, "Statements"): with it, a false answer is evidence that anybody can re-execute.
import { sha256 } from '@noble/hashes/sha2.js'
import {
  type Address,
  type CheckerStatement,
  checkerStatementSchema,
  concatBytes,
  type DirectoryRecord,
  directoryRecordSchema,
  documentId,
  isDocumentSignedBy,
  noScope,
  parseBytes32,
  parseHex,
  type Signed,
  type Signer,
  type SigningDomain,
  type SolverAnswer,
  signDocument,
  signedSchema,
  solverAnswerSchema,
  toHex,
} from '@tacit/protocol'
import type { CheckSeed, CheckVector } from './score-check.ts'
import type { DirectorySolver, EpochRecord } from './solver.ts'

/** An answer with its solver's word. */
export type SignedAnswer = { readonly bytes: Uint8Array; readonly claim: Signed<SolverAnswer> }

/** A checker's vector with its word. */
export type SignedCheckVector = { readonly vector: CheckVector; readonly statement: Signed<CheckerStatement> }

const hash = (bytes: Uint8Array) => parseBytes32(toHex(sha256(bytes)))

/** A solver signs the version that it serves. */
export function signRecord(record: EpochRecord, domain: SigningDomain, signer: Signer): Signed<DirectoryRecord> {
  const document: DirectoryRecord = {
    type: 'tacit-directory/1',
    solver: signer.address,
    parameterSet: 'route-1',
    root: parseBytes32(toHex(record.root)),
    count: record.count,
    dimensions: record.dimensions,
    referenceSeed: parseBytes32(toHex(record.referenceSeed)),
    hintHashes: record.hintHashes.map((value) => parseBytes32(toHex(value))),
  }
  return signDocument('DirectoryRecord', document, noScope, domain, signer)
}

/** A solver answers a query and signs that it did. Throws what {@link DirectorySolver.answer} throws: malformed queries get no signature. */
export function answerSigned(
  solver: DirectorySolver,
  record: Signed<DirectoryRecord>,
  query: Uint8Array,
  domain: SigningDomain,
  signer: Signer,
): SignedAnswer {
  const bytes = solver.answer(query)
  const document: SolverAnswer = {
    type: 'tacit-solver-answer/1',
    solver: signer.address,
    record: documentId(record.document),
    query: hash(query),
    answer: hash(bytes),
  }
  return { bytes, claim: signDocument('SolverAnswer', document, noScope, domain, signer) }
}

/** A checker signs the vector that it computed for a seed. */
export function signCheckVector(
  root: Uint8Array,
  seed: CheckSeed,
  vector: CheckVector,
  domain: SigningDomain,
  signer: Signer,
): SignedCheckVector {
  const document: CheckerStatement = {
    type: 'tacit-check-vector/1',
    checker: signer.address,
    root: parseBytes32(toHex(root)),
    seed: hash(seed),
    vector: hash(checkVectorBytes(vector)),
  }
  return { vector, statement: signDocument('CheckVector', document, noScope, domain, signer) }
}

/** The record in a signed document, or undefined unless that solver signed it. Unknown input is fine: it comes from the network. */
export function readRecord(value: unknown, solver: Address, domain: SigningDomain): EpochRecord | undefined {
  const signed = parse(() => signedSchema(directoryRecordSchema)(value, 'The record'))
  if (signed === undefined || signed.document.solver !== solver) return undefined
  if (!isDocumentSignedBy(solver, 'DirectoryRecord', signed, noScope, domain)) return undefined
  const { root, count, dimensions, referenceSeed, hintHashes } = signed.document
  const bytes = (value: string): Uint8Array => parseHex(value, 'A hash', 32)
  return { root: bytes(root), count, dimensions, referenceSeed: bytes(referenceSeed), hintHashes: hintHashes.map(bytes) }
}

/** Whether that solver signed exactly this answer to exactly this query of this version. */
export function isAnswerSigned(
  { bytes, claim }: { readonly bytes: Uint8Array; readonly claim: unknown },
  query: Uint8Array,
  record: Signed<DirectoryRecord>,
  domain: SigningDomain,
): boolean {
  const signed = parse(() => signedSchema(solverAnswerSchema)(claim, 'The claim'))
  if (signed === undefined) return false
  const { document } = signed
  const { solver } = record.document
  if (document.solver !== solver || document.record !== documentId(record.document)) return false
  if (document.query !== hash(query) || document.answer !== hash(bytes)) return false
  return isDocumentSignedBy(solver, 'SolverAnswer', signed, noScope, domain)
}

/** Whether that checker signed exactly this vector for this seed and version. */
export function isCheckVectorSigned(
  { vector, statement }: { readonly vector: CheckVector; readonly statement: unknown },
  seed: CheckSeed,
  root: Uint8Array,
  checker: Address,
  domain: SigningDomain,
): boolean {
  const signed = parse(() => signedSchema(checkerStatementSchema)(statement, 'The statement'))
  if (signed === undefined) return false
  const { document } = signed
  if (document.checker !== checker || document.root !== toHex(root) || document.seed !== hash(seed)) return false
  if (document.vector !== hash(checkVectorBytes(vector))) return false
  return isDocumentSignedBy(checker, 'CheckVector', signed, noScope, domain)
}

/** Both halves, every entry as eight bytes, little-endian. */
export function checkVectorBytes(vector: CheckVector): Uint8Array {
  return concatBytes(
    ...vector.map((half) => {
      const view = new DataView(new ArrayBuffer(8 * half.length))
      half.forEach((value, i) => void view.setBigInt64(8 * i, value, true))
      return new Uint8Array(view.buffer)
    }),
  )
}

function parse<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
