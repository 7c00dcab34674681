// "Worker W is registered, and stakes S for model M, at block B", as an EIP-1186 storage proof in plain data: a block
// header, the registry's account in its state, two slots in the account's storage. docs/spec/storage.md.
import type { Hex } from './bytes.ts'
import type { Evidence } from './evidence.ts'
import type { Address, ModelId } from './identifiers.ts'
import { address, hex, list, modelId, object, oneOf, type Schema, uint } from './schema.ts'
import type { UintString } from './uint.ts'

/**
 * What an offline verifier needs besides a trusted block hash. Nothing in it is to be believed: the header must hash to
 * the checkpoint's block hash, and the nodes must lead from the header's state root to the two slots.
 */
export type RegistrationProof = {
  readonly type: 'tacit-registration/1'
  readonly chainId: UintString
  /** The WorkerRegistry contract. */
  readonly registry: Address
  /** The identity whose registration is shown. */
  readonly worker: Address
  readonly model: ModelId
  /** The RLP of the block header; its keccak256 is the block hash. */
  readonly blockHeader: Hex
  /** RLP nodes from the state root to the registry's account. */
  readonly accountProof: readonly Hex[]
  /** RLP nodes from the account's storage root to the worker's slot. */
  readonly workerProof: readonly Hex[]
  /** RLP nodes from the account's storage root to the slot of the stake. */
  readonly stakeProof: readonly Hex[]
}

/** The registration of a receipt's worker, as an item of evidence. */
export type RegistrationEvidence = Evidence<'registration/1', RegistrationProof>

// A header of a known fork is below 700 bytes; a branch node of the Merkle Patricia trie is at most 532 bytes, and a path
// has at most 64 nibbles and a leaf.
const trieNodes: Schema<readonly Hex[]> = list(hex(1, 1024), 65)

/** Parses what somebody sent as a registration proof; whether it proves anything is for the verifier to find out. */
export const registrationProofSchema: Schema<RegistrationProof> = object<RegistrationProof>({
  type: oneOf('tacit-registration/1'),
  chainId: uint(256),
  registry: address,
  worker: address,
  model: modelId,
  blockHeader: hex(1, 2048),
  accountProof: trieNodes,
  workerProof: trieNodes,
  stakeProof: trieNodes,
})
