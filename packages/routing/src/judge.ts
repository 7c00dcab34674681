// Who said something false? Answers, records and check vectors are functions of public bytes, so anybody recomputes them; no key, no intent is opened.
import { type Address, type DirectoryRecord, equalBytes, type Signed, type SigningDomain, toHex } from '@tacit/protocol'
import type { ScoredTable } from './directory.ts'
import { RoutingError } from './errors.ts'
import { type CheckSeed, computeCheckVector } from './score-check.ts'
import { DirectorySolver } from './solver.ts'
import {
  checkVectorBytes,
  isAnswerSigned,
  readCheckVector,
  readSignedRecord,
  recordOf,
  type SignedAnswer,
  type SignedCheckVector,
} from './statements.ts'

/** A signed answer with everything that decides whether it is true. A client may hand this to anybody: the query is a ciphertext. */
export type AnswerEvidence = { readonly record: Signed<DirectoryRecord>; readonly query: Uint8Array; readonly answer: SignedAnswer }

/** `unattributable`: the signatures do not say that this solver said it, so it counts against nobody. */
export type Verdict = 'true' | 'false' | 'unattributable'

/** Re-executes a signed answer against the table that its record commits to. About 10 ms at 10,000 rows once the version is prepared. */
export function judgeAnswer({ record, query, answer }: AnswerEvidence, solver: DirectorySolver, domain: SigningDomain): Verdict {
  const signed = readSignedRecord(record, undefined, domain)
  if (signed === undefined || !(query instanceof Uint8Array) || !isAnswerSigned(answer, query, signed, domain)) return 'unattributable'
  const claimed = recordOf(signed)
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
  const signed = readSignedRecord(record, undefined, domain)
  if (signed === undefined) return 'unattributable'
  const claimed = recordOf(signed)
  if (!equalBytes(claimed.root, directory.root)) return 'unattributable'
  const own = new DirectorySolver(directory, claimed.referenceSeed).record
  const hashes = (values: readonly Uint8Array[]): string => values.map(toHex).join()
  const same = own.count === claimed.count && own.dimensions === claimed.dimensions && hashes(own.hintHashes) === hashes(claimed.hintHashes)
  return same ? 'true' : 'false'
}

/** Recomputes a checker's vector once its seed may be opened: after the version retired. */
export function judgeCheckVector(signed: SignedCheckVector, seed: CheckSeed, directory: ScoredTable, domain: SigningDomain): Verdict {
  const checker = (signed as { statement?: { document?: { checker?: unknown } } } | null)?.statement?.document?.checker
  const own = readCheckVector(signed, seed, directory.root, checker as Address, domain)
  if (own === undefined) return 'unattributable'
  return equalBytes(checkVectorBytes(own.vector), checkVectorBytes(computeCheckVector(directory, seed))) ? 'true' : 'false'
}
