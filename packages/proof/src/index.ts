export { type ActivationOpening, commitActivation, openActivation } from './commit/activation.ts'
export { encodeOpening, parseOpening } from './commit/opening-encoding.ts'
export {
  commitWeights,
  type LayerRegistration,
  type LayerWeights,
  type RegistrationOptions,
  registerLayer,
  registrationDigest,
  type SecretWeights,
} from './commit/weights.ts'
export { createProofEngine, type ProofEngine } from './engine.ts'
export { UnsupportedLayerError, UnusableRandomnessError, WitnessMismatchError } from './errors.ts'
export { accumulatorBits, accumulatorTerms, excessBitsFor, type WidthBounds } from './excess.ts'
export type { RandomSource } from './hedged-random.ts'
export type { KernelVariant } from './kernels/kernels.ts'
export { type DescribedLayer, type DescribedNetwork, describeNetwork } from './network/describe-network.ts'
export { decodeNetworkProof, encodeNetworkProof } from './network/encoding.ts'
export { type BoundaryCommitments, boundaryLayouts, type NetworkLayer, networkDigest, type ProvableNetwork } from './network/network.ts'
export { assignJobs, type LayerJob, planJobs, provingCost, type RequestContext } from './network/plan-jobs.ts'
export type { QuantisedBoundary, QuantisedLayer, QuantisedNetwork } from './network/quantised-network.ts'
export { type ProvedNetwork, type ProveNetworkOptions, proveNetwork } from './network/prove-network.ts'
export { parseProvableNetwork, type RegisteredNetwork, registerNetwork } from './network/register-network.ts'
export { type ExpectedEnds, type NetworkProof, type NetworkVerdict, verifyNetwork } from './network/verify-network.ts'
export { type LayerWitness, type ProveOptions, type ProvingStage, proveLayer } from './prover/prove-layer.ts'
export { describedBounds, isAlwaysProvable, type RegistrationBounds } from './registration-range/plan.ts'
export { type ProveRegistrationOptions, proveRegistration } from './registration-range/prove-registration.ts'
export { type FailedRangeCheck, type RegistrationVerdict, verifyRegistration } from './registration-range/verify-registration.ts'
export type { ActivationLayout } from './relation/index-space.ts'
export type { FailedCheck } from './verifier/equation.ts'
export { type BatchVerdict, type LayerVerdict, type ProvedLayer, verifyLayer, verifyLayers } from './verifier/verify-layer.ts'
