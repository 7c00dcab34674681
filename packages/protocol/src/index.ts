export { concatBytes, equalBytes, type Hex, parseHex, toHex, utf8 } from './bytes.ts'
export { canonicalBytes, canonicalJson, type Json, parseJson } from './canonical-json.ts'
export {
  type Checkpoint,
  checkpointSchema,
  maxCheckpointBytes,
  type NetworkContracts,
  networkContractsSchema,
  parseCheckpoint,
} from './checkpoint.ts'
export { commitVoucher, roundUsage, sha256Hash, type VoucherOpening } from './commitments.ts'
export {
  type Acceptance,
  acceptanceSchema,
  type FinishReason,
  type InferenceRequest,
  type KemSuite,
  type Prekey,
  prekeySchema,
  type Quote,
  quoteSchema,
  type ReceiptCore,
  receiptCoreSchema,
  requestSchema,
  signedSchema,
  type StepReceipt,
  stepReceiptSchema,
} from './documents.ts'
export { TacitError, type TacitErrorOptions } from './error.ts'
export { MalformedError } from './errors.ts'
export {
  acceptanceBodySchema,
  type AcceptanceEvidence,
  encodeReceiptFile,
  type Evidence,
  evidenceSchema,
  knownEvidenceKinds,
  type KnownEvidenceKind,
  maxEvidenceItems,
  maxReceiptFileBytes,
  type ReceiptFile,
  receiptFileSchema,
} from './evidence.ts'
export {
  type Address,
  type Bytes32,
  type ChannelBinding,
  type ChannelId,
  deriveChannelId,
  deriveJobId,
  deriveSessionId,
  type JobId,
  keccak,
  type ModelId,
  parseAddress,
  parseBytes32,
  parseChannelId,
  parseJobId,
  parseModelId,
  parseSessionId,
  type SessionBinding,
  type SessionId,
} from './identifiers.ts'
export {
  type AddSpec,
  type ArgmaxSpec,
  type AveragePoolSpec,
  type ConvolutionSpec,
  type DenseSpec,
  type ElementwiseSpec,
  type LayerContext,
  type LayerRequantisation,
  type LayerSpec,
  type LayerStatement,
  type LayerWindow,
  layerContextDigest,
  layerContextSchema,
  layerSpecDigest,
  layerSpecSchema,
  layerStatementSchema,
  type MaxPoolSpec,
} from './layer-statement.ts'
export {
  type Levels,
  type Privacy,
  privacySchema,
  type StreamMode,
  streamModeSchema,
  type Verification,
  verificationSchema,
} from './levels.ts'
export {
  deriveModelRegistryLocation,
  deriveModelSlots,
  type ModelEvidence,
  type ModelHead,
  type ModelProof,
  modelProofSchema,
  type ModelSlots,
  type ModelStatus,
  type ModelTerms,
  unpackModelHead,
  unpackModelTerms,
} from './model-proof.ts'
export {
  encodeOpenings,
  maxOpenedBytes,
  maxOpeningsBytes,
  type Openings,
  openingsSchema,
  parseOpenings,
  type StreamOpening,
} from './openings.ts'
export {
  type Candidate,
  candidateSchema,
  integerSquareRoot,
  isRankingHonest,
  rankCandidates,
  type Recommendation,
  recommendationSchema,
} from './ranking.ts'
export { type RegistrationEvidence, type RegistrationProof, registrationProofSchema } from './registration-proof.ts'
export {
  deriveStakeSlot,
  deriveWorkerRegistryLocation,
  deriveWorkerSlot,
  type StakeSlot,
  unpackStakeSlot,
  unpackWorkerSlot,
  type WorkerSlot,
  type WorkerStatus,
} from './registration-slots.ts'
export {
  address,
  bytes32,
  channelId,
  hex,
  integer,
  jobId,
  list,
  modelId,
  nullable,
  object,
  oneOf,
  type Schema,
  sessionId,
  text,
  uint,
  variant,
} from './schema.ts'
export {
  addressOf,
  createSigner,
  isSignedBy,
  isSignedByKey,
  nobleSignatures,
  recoverSigner,
  type SignatureBackend,
  type SignatureHex,
  type Signer,
  withRecoverableV,
} from './signature.ts'
export {
  documentDigest,
  documentId,
  type DocumentKind,
  type DocumentScope,
  domainSeparator,
  isDocumentSignedBy,
  noScope,
  signDocument,
  type Signed,
  type SigningDomain,
} from './typed-data.ts'
export { parseUint, type UintString, uintToBytes32 } from './uint.ts'
export { createVoucherDigest, type SignedVoucher, signedVoucherSchema, type Voucher } from './voucher.ts'
export { cardHash, type ModelCard, modelCardSchema, modelRoot, type TensorDescription, type WeightCommitments } from './model-card.ts'
