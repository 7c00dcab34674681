export { type NetworkBounds, boundNetwork, type DenseLayer, evaluateInClear, type SquareNetwork } from './circuit/network.ts'
export {
  assertEncoded,
  type EncodedHidden,
  type EncodedNetwork,
  encodedNetworkRoot,
  encodeNetwork,
  hashEncodedIntegers,
  hashEncodedNetwork,
  networkRoot,
  parseEncodedNetwork,
  serializeEncodedNetwork,
} from './circuit/encoded-network.ts'
export { floodingDistanceLog2 } from './circuit/flooding.ts'
export type { ErrorPrediction } from './circuit/noise.ts'
export type { TraceObserver } from './circuit/evaluate.ts'
export {
  type CircuitPlan,
  type HiddenPlan,
  type InputPlan,
  keyNeedsOf,
  type OutputPlan,
  type PlanOptions,
  planCircuit,
} from './circuit/plan.ts'
export { CircuitSession, type CircuitSessionOptions, type EvaluatedRequest } from './circuit/session.ts'
export {
  AnswerBudgetError,
  FheError,
  IncompatibleOperandsError,
  InputRangeError,
  InsecureParametersError,
  MalformedEncryptionError,
  MissingKeyError,
  NoiseExhaustedError,
  RefusedAnswerError,
  SecretDestroyedError,
  TicketError,
  UnknownParametersError,
  UnsignedAnswerError,
  UnsupportedCircuitError,
  WeakRandomnessError,
} from './errors.ts'
export type { RandomSource } from './internal/streams.ts'
export { type AnswerStatement, encodeAnswerStatement, hashCiphertext } from './lifecycle/answer-statement.ts'
export {
  ConfirmedAnswer,
  EncryptedModelClient,
  type EncryptedModelClientOptions,
  type EncryptedRequest,
  SealedAnswer,
} from './lifecycle/encrypted-model-client.ts'
export { answerLimit, labelBits, leakBudgetBits, outputStep, roundedBits, unverifiedAnswerLimit } from './lifecycle/leak-budget.ts'
export { assertSecure, type CkksParameters, getParameters, type ParameterSetName, parameterSetNames } from './parameters.ts'
export type { Automorphism } from './ckks/automorphism.ts'
export type { SlotValues } from './ckks/embedding.ts'
export { encodeEvaluationKeys, type EvaluationKeys, type KeyNeeds, type KeyPair, parseEvaluationKeys } from './ckks/evaluation-keys.ts'
export { SecretKey } from './ckks/secret-key.ts'
export { type Ciphertext, decodeCiphertextBytes, encodeCiphertextBytes } from './scheme/ciphertext-bytes.ts'
export { CkksContext } from './scheme/context.ts'
export {
  decode,
  decryptUnsafe,
  encode,
  encryptCompact,
  encryptPublic,
  expandCompact,
  generateKeyPair,
  type Plaintext,
} from './scheme/encryption.ts'
export { Evaluator } from './scheme/evaluator.ts'
