// What solvers sign when intents are routed in private. docs/spec/routing.md says how each is made and judged.
import type { Address, Bytes32 } from './identifiers.ts'
import { address, bytes32, integer, list, object, oneOf, type Schema } from './schema.ts'

/** A version of the directory as a solver serves it: everybody can recompute every field from the table. */
export type DirectoryRecord = {
  readonly type: 'tacit-directory/1'
  readonly solver: Address
  readonly parameterSet: 'route-1'
  readonly root: Bytes32
  readonly count: number
  readonly dimensions: number
  /** Of the day's random polynomials. */
  readonly referenceSeed: Bytes32
  /** SHA-256 of every block's public part. */
  readonly hintHashes: readonly Bytes32[]
}

export const directoryRecordSchema: Schema<DirectoryRecord> = object({
  type: oneOf('tacit-directory/1'),
  solver: address,
  parameterSet: oneOf('route-1'),
  root: bytes32,
  count: integer(1, 2 ** 22),
  dimensions: integer(128, 1024),
  referenceSeed: bytes32,
  hintHashes: list(bytes32, 2048),
})

/** One encrypted query and what was answered to it; a function of the record and the query, so anybody can re-execute it without a key. */
export type SolverAnswer = {
  readonly type: 'tacit-solver-answer/1'
  readonly solver: Address
  /** Document id of the record. */
  readonly record: Bytes32
  /** SHA-256 of the bytes. */
  readonly query: Bytes32
  readonly answer: Bytes32
}

export const solverAnswerSchema: Schema<SolverAnswer> = object({
  type: oneOf('tacit-solver-answer/1'),
  solver: address,
  record: bytes32,
  query: bytes32,
  answer: bytes32,
})

/** A checker's weighing of a version under a seed that stays secret until the version retires. */
export type CheckerStatement = {
  readonly type: 'tacit-check-vector/1'
  readonly checker: Address
  readonly root: Bytes32
  /** SHA-256 of the seed, and of the vector's bytes. */
  readonly seed: Bytes32
  readonly vector: Bytes32
}

export const checkerStatementSchema: Schema<CheckerStatement> = object({
  type: oneOf('tacit-check-vector/1'),
  checker: address,
  root: bytes32,
  seed: bytes32,
  vector: bytes32,
})
