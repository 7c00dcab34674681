export {
  assertVector,
  buildDirectory,
  type Directory,
  type DirectoryRow,
  proveRow,
  quantizeVector,
  type RowProof,
  squaredNorm,
  verifyRow,
} from './directory.ts'
export { createLexicalEmbedder, createSemanticEmbedder, type Embedder, embedLexically, type FloatEmbeddingModel } from './embedder.ts'
export {
  CheckersError,
  DirectoryChangedError,
  MalformedRoutingError,
  QueryUsedError,
  RejectBudgetError,
  RoutingError,
  ScoresRefusedError,
  VectorRuleError,
} from './errors.ts'
export { largestSquaredNorm, type RouteParameters, route1 } from './parameters.ts'
export { breakEvenQueries, chooseRoutePlan, type ExpectedUse, type RoutePlan } from './plan.ts'
export { IntentQuery, IntentScorer, type RandomSource } from './query.ts'
export { referenceSeed } from './reference-string.ts'
export {
  type AnswerClaim,
  type CheckerConnection,
  coverQueries,
  type QueryResult,
  type RankedRow,
  Router,
  type RouterOptions,
  rejectsPerDay,
  rejectsPerIntent,
  sameClaim,
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
