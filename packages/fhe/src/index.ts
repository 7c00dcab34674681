export { type NetworkBounds, boundNetwork, type DenseLayer, evaluateInClear, type SquareNetwork } from './circuit/network.ts'
export {
  assertEncoded,
  type EncodedHidden,
  type EncodedNetwork,
  encodedNetworkRoot,
  encodeNetwork,
  hashEncodedNetwork,
  parseEncodedNetwork,
  serializeEncodedNetwork,
} from './circuit/encoded-network.ts'
export type { TraceObserver } from './circuit/evaluate.ts'
export { type CircuitPlan, type HiddenPlan, type InputPlan, keyNeedsOf, type OutputPlan, planCircuit } from './circuit/plan.ts'
export { CircuitSession, type CircuitSessionOptions, type EvaluatedRequest } from './circuit/session.ts'
export * from './errors.ts'
export type { RandomSource } from './internal/streams.ts'
export { type AnswerStatement, encodeAnswerStatement, hashCiphertext } from './lifecycle/answer-statement.ts'
export {
  ConfirmedAnswer,
  EncryptedModelClient,
  type EncryptedModelClientOptions,
  type EncryptedRequest,
  SealedAnswer,
} from './lifecycle/encrypted-model-client.ts'
export { labelBits, leakBudgetBits, outputStep, roundedBits, unverifiedAnswerLimit } from './lifecycle/leak-budget.ts'
export { assertSecure, type CkksParameters, getParameters, type ParameterSetName, parameterSetNames } from './parameters.ts'
