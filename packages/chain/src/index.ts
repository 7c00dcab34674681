export { type ConfigParameters, fetchParameters, fetchTreasury } from './bindings/ai-config.ts'
export {
  type DisputeSubject,
  type DisputeTerms,
  fetchAssertion,
  fetchDisputeTerms,
  fetchGame,
  fetchIsVerified,
  fetchPublishedProof,
  fetchGameState,
  type GameKey,
  type GameState,
  type GameTurn,
  type DisputedSubtree,
  type ProofAssertion,
  type ProofGame,
  type PublishedProof,
} from './bindings/dispute-reads.ts'
export { dripTo } from './bindings/faucet.ts'
export {
  deriveModelId,
  fetchModel,
  fetchModelIds,
  type ModelPublication,
  type PublishedModel,
  publishModel,
  repriceModel,
  retireModel,
  setWorkerAllowed,
} from './bindings/model-registry.ts'
export {
  type ChannelKey,
  type ChannelTarget,
  channelIdOf,
  depositToPool,
  fetchChannel,
  fetchFreeBalance,
  lockForPayee,
  moveLock,
  type PaymentChannel,
  redeemCall,
  redeemVoucher,
  redeemVouchers,
  releaseChannel,
  requestUnlock,
  topUpLock,
  unlockChannel,
  type VoucherClaim,
  withdrawFromPool,
} from './bindings/payment-pool.ts'
export { anchorProofs, fetchAnchorTime } from './bindings/proof-anchors.ts'
export {
  assertProof,
  challengeProof,
  chooseNode,
  claimTimeout,
  deriveAssertionId,
  type DisputeMove,
  executeStep,
  finaliseProof,
  type OpenedStep,
  playMove,
  type ProofClaim,
  registerPrograms,
  revealNodes,
  type VerifierProgram,
  withdrawChallenge,
} from './bindings/proof-disputes.ts'
export { fetchRevenue, type RevenueBalance, type RevenueSplit, splitOf, withdrawRevenue } from './bindings/revenue.ts'
export { ensureAllowance, fetchGasBalance, fetchTokenBalance, transferTokens } from './bindings/token.ts'
export {
  drainWorker,
  fetchEligibility,
  fetchStake,
  fetchStakerIds,
  fetchWorker,
  fetchWorkerIds,
  type RegisteredWorker,
  registerWorker,
  requestUnstake,
  resumeWorker,
  setWorkerProfile,
  signRegistration,
  type StakeAmount,
  stakeFor,
  withdrawStake,
  type WorkerProfile,
} from './bindings/worker-registry.ts'
export { encodeBlockHeader, type RawBlock } from './block-header.ts'
export { type ContractCall, encodeCall } from './call.ts'
export { assertDeployed, connectChain, type ConnectOptions } from './connect.ts'
export { type ChainClient, type ChainConnection, createChainClient } from './connection.ts'
export { defaultDisputeTerms, defaultParameters, deployContracts, type DeployOptions } from './deploy.ts'
export { type DeployedContracts, type Deployment, deploymentSchema } from './deployment.ts'
export { assertNotDevelopmentKey, developmentAccounts } from './development-keys.ts'
export {
  BinaryMissingError,
  ChainError,
  ChainStalledError,
  ChainStartError,
  ChainUnreachableError,
  DeploymentMissingError,
  DevelopmentKeyError,
  DirectoryCorruptError,
  DirectoryInUseError,
  InsufficientGasFundsError,
  PortInUseError,
  ProofUnavailableError,
  TransactionRevertedError,
  TransactionTimeoutError,
  WrongChainError,
} from './errors.ts'
export { type ContractEvent, type EventCursor, type FollowedStep, followEvents, type FollowOptions } from './follow-events.ts'
export { aiConfigAbi } from './generated/ai-config.ts'
export { faucetAbi } from './generated/faucet.ts'
export { modelRegistryAbi } from './generated/model-registry.ts'
export { paymentPoolAbi } from './generated/payment-pool.ts'
export { proofAnchorsAbi } from './generated/proof-anchors.ts'
export { proofDisputesAbi } from './generated/proof-disputes.ts'
export { tacitTokenAbi } from './generated/tacit-token.ts'
export { verifierMachineAbi } from './generated/verifier-machine.ts'
export { workerRegistryAbi } from './generated/worker-registry.ts'
export { waitForBlockAfter, waitForChain, type WaitForChainOptions } from './health.ts'
export type { PageRange } from './internal/read-pages.ts'
export { fetchModelProof } from './model-proof.ts'
export { maxProofBatch, openProofBatch, type ProofBatchOpening, proofBatchRoot, verifyProofBatch } from './proof-batch.ts'
export { encodeProofNetwork, type ProofNetwork } from './proof-network.ts'
export { fetchCheckpoint, fetchRegistrationProof, type RegistrationProofRequest } from './registration-proof.ts'
export { createTransactionSender, type TransactionSender, type TransactionSenderOptions } from './transaction-sender.ts'
