// Who said something false? Answers, records and check vectors are functions of public bytes, so anybody recomputes them; no key, no intent is opened.
import { type DirectoryRecord, equalBytes, type Signed, type SigningDomain, toHex } from '@tacit/protocol'
import type { ScoredTable } from './directory.ts'
import { RoutingError } from './errors.ts'
import { type CheckSeed, computeCheckVector } from './score-check.ts'
import { DirectorySolver } from './solver.ts'
import {
  checkVectorBytes,
  isAnswerSigned,
  isCheckVectorSigned,
  readRecord,
  type SignedAnswer,
  type SignedCheckVector,
} from './statements.ts'

/** A signed answer with everything that decides whether it is true. A client may hand this to anybody: the query is a ciphertext. */
export type AnswerEvidence = { readonly record: Signed<DirectoryRecord>; readonly query: Uint8Array; readonly answer: SignedAnswer }

/** `unattributable`: the signatures do not say that this solver said it, so it counts against nobody. */
export type Verdict = 'true' | 'false' | 'unattributable'

/** Re-executes a signed answer against the table that its record commits to. About 10 ms at 10,000 rows once the version is prepared. */
export function judgeAnswer({ record, query, answer }: AnswerEvidence, solver: DirectorySolver, domain: SigningDomain): Verdict {
  const claimed = readRecord(record, record.document.solver, domain)
  if (claimed === undefined || !isAnswerSigned(answer, query, record, domain)) return 'unattributable'
  if (!equalBytes(claimed.root, solver.record.root) || !equalBytes(claimed.referenceSeed, solver.record.referenceSeed))
    return 'unattributable'
  try {
    return equalBytes(solver.answer(query), answer.bytes) ? 'true' : 'false'
  } catch (error) {
    // An honest solver refuses such a query and signs nothing.
    if (error instanceof RoutingError) return 'false'
    throw error
  }
}

/** Recomputes a signed record, public parts included, from the table that everybody can download. Takes the time of preparing a version. */
export function judgeRecord(record: Signed<DirectoryRecord>, directory: ScoredTable, domain: SigningDomain): Verdict {
  const claimed = readRecord(record, record.document.solver, domain)
  if (claimed === undefined || !equalBytes(claimed.root, directory.root)) return 'unattributable'
  const own = new DirectorySolver(directory, claimed.referenceSeed).record
  const hashes = (values: readonly Uint8Array[]): string => values.map(toHex).join()
  const same = own.count === claimed.count && own.dimensions === claimed.dimensions && hashes(own.hintHashes) === hashes(claimed.hintHashes)
  return same ? 'true' : 'false'
}

/** Recomputes a checker's vector once its seed may be opened: after the version retired. */
export function judgeCheckVector(
  { vector, statement }: SignedCheckVector,
  seed: CheckSeed,
  directory: ScoredTable,
  domain: SigningDomain,
): Verdict {
  if (!isCheckVectorSigned({ vector, statement }, seed, directory.root, statement.document.checker, domain)) return 'unattributable'
  return equalBytes(checkVectorBytes(vector), checkVectorBytes(computeCheckVector(directory, seed))) ? 'true' : 'false'
}
