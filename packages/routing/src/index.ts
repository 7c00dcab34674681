export { buildCardTable, type CardTable, CardFetcher, cardBytes, cardsPerBlock, isCardOfRow } from './cards.ts'
export {
  assertVector,
  buildDirectory,
  type Directory,
  type DirectoryRow,
  proveRow,
  quantizeVector,
  type RowProof,
  type ScoredTable,
  squaredNorm,
  verifyRow,
} from './directory.ts'
export { createLexicalEmbedder, createSemanticEmbedder, type Embedder, embedLexically, type FloatEmbeddingModel } from './embedder.ts'
export {
  CheckersError,
  DirectoryChangedError,
  MalformedRoutingError,
  QueryUsedError,
  RecordRefusedError,
  RejectBudgetError,
  RoutingError,
  ScoresRefusedError,
  VectorRuleError,
} from './errors.ts'
export { type AnswerEvidence, judgeAnswer, judgeCheckVector, judgeRecord, type Verdict } from './judge.ts'
export { largestSquaredNorm, type RouteParameters, route1 } from './parameters.ts'
export { breakEvenQueries, chooseRoutePlan, type ExpectedUse, type RoutePlan } from './plan.ts'
export { IntentQuery, IntentScorer, type RandomSource } from './query.ts'
export { referenceSeed } from './reference-string.ts'
export { type AskingLeave, RejectBudget, rejectsPerDay, rejectsPerIntent } from './reject-budget.ts'
export {
  type CheckerConnection,
  type CommittedVersion,
  coverQueries,
  type QueryResult,
  type RankedRow,
  Router,
  type RouterOptions,
  type SolverConnection,
  scoreInClear,
} from './router.ts'
export {
  addCheckVectors,
  type CheckSeed,
  type CheckVector,
  checkPrimes,
  computeCheckVector,
  expandCheckSeed,
  ScoreCheck,
} from './score-check.ts'
export { DirectorySolver, type EpochRecord } from './solver.ts'
export { routingSizes } from './wire.ts'
export {
  answerSigned,
  checkVectorBytes,
  isAnswerSigned,
  isCheckVectorSigned,
  readRecord,
  type SignedAnswer,
  type SignedCheckVector,
  signCheckVector,
  signRecord,
} from './statements.ts'
