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
import { DirectoryChangedError } from './errors.ts'
import { type CheckSeed, type CheckVector, isCheckVector } from './score-check.ts'
import type { DirectorySolver, EpochRecord } from './solver.ts'
import { routingSizes } from './wire.ts'

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
  // A version can change between two queries; an answer signed under the record of the other one would convict an honest solver.
  if (toHex(solver.root) !== record.document.root) throw new DirectoryChangedError()
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

/** A copy of a signed record, or undefined unless that solver signed it; without a solver, unless the one that it names did. */
export function readSignedRecord(value: unknown, solver: Address | undefined, domain: SigningDomain): Signed<DirectoryRecord> | undefined {
  return parse(() => {
    const signed = signedSchema(directoryRecordSchema)(value, 'The record')
    const named = signed.document.solver
    if (solver !== undefined && named !== solver) return undefined
    return isDocumentSignedBy(named, 'DirectoryRecord', signed, noScope, domain) ? signed : undefined
  })
}

/** The record in a signed document, or undefined unless that solver signed it. Unknown input is fine: it comes from the network. */
export function readRecord(value: unknown, solver: Address, domain: SigningDomain): EpochRecord | undefined {
  const signed = readSignedRecord(value, solver, domain)
  if (signed === undefined) return undefined
  return recordOf(signed)
}

/** The record in a document whose signature was checked. */
export function recordOf(signed: Signed<DirectoryRecord>): EpochRecord {
  const { root, count, dimensions, referenceSeed, hintHashes } = signed.document
  const bytes = (value: string): Uint8Array => parseHex(value, 'A hash', 32)
  return { root: bytes(root), count, dimensions, referenceSeed: bytes(referenceSeed), hintHashes: hintHashes.map(bytes) }
}

/** Whether that solver signed exactly this answer to exactly this query of this version. Unknown input is fine. */
export function isAnswerSigned(answer: unknown, query: Uint8Array, record: Signed<DirectoryRecord>, domain: SigningDomain): boolean {
  return readAnswer(answer, query, record, domain) !== undefined
}

/**
 * An answer that this solver signed for this query of this version, or undefined. Bytes and claim are copied before they are looked at: what is checked
 * is what is decoded and kept, whatever the sender does to its own afterwards.
 */
export function readAnswer(
  value: unknown,
  query: Uint8Array,
  record: Signed<DirectoryRecord>,
  domain: SigningDomain,
): SignedAnswer | undefined {
  return parse(() => {
    const { bytes: given, claim } = value as SignedAnswer
    // A little longer than an answer can still be a lie worth keeping; a flood is not worth its hash.
    if (!(given instanceof Uint8Array) || given.length > routingSizes(record.document.count, record.document.dimensions).down + 4096)
      return undefined
    const bytes = Uint8Array.from(given)
    const signed = signedSchema(solverAnswerSchema)(claim, 'The claim')
    const { document } = signed
    const { solver } = record.document
    if (document.solver !== solver || document.record !== documentId(record.document)) return undefined
    if (document.query !== hash(query) || document.answer !== hash(bytes)) return undefined
    return isDocumentSignedBy(solver, 'SolverAnswer', signed, noScope, domain) ? { bytes, claim: signed } : undefined
  })
}

/** Whether that checker signed exactly this vector for this seed and version. Unknown input is fine. */
export function isCheckVectorSigned(value: unknown, seed: CheckSeed, root: Uint8Array, checker: Address, domain: SigningDomain): boolean {
  return readCheckVector(value, seed, root, checker, domain) !== undefined
}

/** A copy of the vector that this checker signed for this seed and version, or undefined. */
export function readCheckVector(
  value: unknown,
  seed: CheckSeed,
  root: Uint8Array,
  checker: Address,
  domain: SigningDomain,
): SignedCheckVector | undefined {
  return parse(() => {
    const { vector: given, statement } = value as SignedCheckVector
    if (!isCheckVector(given)) return undefined
    const vector: CheckVector = [given[0].slice(), given[1].slice()]
    const signed = signedSchema(checkerStatementSchema)(statement, 'The statement')
    const { document } = signed
    if (document.checker !== checker || document.root !== toHex(root) || document.seed !== hash(seed)) return undefined
    if (document.vector !== hash(checkVectorBytes(vector))) return undefined
    return isDocumentSignedBy(checker, 'CheckVector', signed, noScope, domain) ? { vector, statement: signed } : undefined
  })
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
