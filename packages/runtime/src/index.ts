export {
  type BoundaryHash,
  type EncryptedEvaluation,
  EncryptedEvaluator,
  type EncryptedEvaluatorOptions,
  type ReexecutionResult,
} from './encrypted/encrypted-evaluator.ts'
export type {
  BoundaryActivation,
  ChatMessage,
  Engine,
  EngineBase,
  EngineHealth,
  EngineInfo,
  EngineOptions,
  LanguageEnd,
  LanguageEngine,
  LanguageEvent,
  LanguageInput,
  LanguageRequest,
  LanguageText,
  ModelDigest,
  NamedTensors,
  Tensor,
  TensorEngine,
  TensorRun,
  TensorRunOptions,
  TensorSpec,
  TensorType,
} from './engine.ts'
export {
  ChatTemplateError,
  ContextExceededError,
  DigestMismatchError,
  EngineBusyError,
  EngineClosedError,
  EngineCrashedError,
  EngineFailedError,
  EngineHungError,
  EngineStartError,
  InputMismatchError,
  InvalidRequestError,
  ModelChangedError,
  ModelMalformedError,
  ModelNameTakenError,
  ModelNotFoundError,
  OllamaFailedError,
  OllamaRemoteModelError,
  OllamaUnreachableError,
  PlatformUnsupportedError,
  RuntimeError,
} from './errors.ts'
export { type GgufHeader, type GgufParse, type GgufTensor, type GgufValue, ggufStrings, parseGgufHeader } from './gguf.ts'
export { formatProfile, type ProfileFields } from './profile.ts'
export { assertInputs, openReferenceEngine } from './reference-engine.ts'
export { assertModule } from './sandbox/check-module.ts'
export { SandboxDeadlineError, SandboxRefusedError, SandboxTrapError } from './sandbox/sandbox-errors.ts'
export {
  defaultDeadlineMs,
  type LoadModelOptions,
  loadModelOn,
  type SandboxedModel,
  type SandboxRun,
  type SandboxRunOptions,
  type Threads,
} from './sandbox/sandboxed-model.ts'
export type { SandboxHost, SandboxWorker } from './sandbox/worker-group.ts'
export { inspectModule } from '@tacit/wasm'
