// "This worker is registered and stakes that much, at that block": the evidence that a receipt carries, asked from a node.
// The node is not believed: what it sends is checked for form here and proven or refused by the verifier.
import {
  type Address,
  type Checkpoint,
  deriveStakeSlot,
  deriveWorkerSlot,
  type ModelId,
  parseBytes32,
  type RegistrationProof,
  registrationProofSchema,
} from '@tacit/protocol'
import { encodeBlockHeader } from './block-header.ts'
import type { ChainConnection } from './connection.ts'
import { ProofUnavailableError } from './errors.ts'
import { fetchBlock, fetchStorageProof } from './storage-proof.ts'

/** Whose registration, for which model, at which block. */
export type RegistrationProofRequest = {
  readonly worker: Address
  readonly model: ModelId
  /** By default the newest block. */
  readonly blockNumber?: bigint
}

/**
 * Asks for the storage proof of a worker's registration and stake.
 *
 * @throws ProofUnavailableError when the node has no state for the block, or its answer does not fit the block.
 */
export async function fetchRegistrationProof(chain: ChainConnection, request: RegistrationProofRequest): Promise<RegistrationProof> {
  const registry = chain.deployment.contracts.workerRegistry
  const slots = [deriveWorkerSlot(request.worker), deriveStakeSlot(request.worker, request.model)]
  const proof = await fetchStorageProof(chain, registry, slots, request.blockNumber)
  try {
    return registrationProofSchema(
      {
        type: 'tacit-registration/1',
        chainId: chain.chainId.toString(),
        registry,
        worker: request.worker,
        model: request.model,
        blockHeader: proof.blockHeader,
        accountProof: proof.accountProof,
        workerProof: proof.slotProofs[0],
        stakeProof: proof.slotProofs[1],
      },
      'registration proof',
    )
  } catch (cause) {
    throw new ProofUnavailableError({ reason: 'the answer is malformed', blockNumber: proof.blockNumber, cause })
  }
}

/** A block to trust, from a node that the caller trusts: what `tacit verify --checkpoint` reads. */
export async function fetchCheckpoint(chain: ChainConnection, options: { readonly blockNumber?: bigint } = {}): Promise<Checkpoint> {
  const { number, block } = await fetchBlock(chain, options.blockNumber)
  if (encodeBlockHeader(block) === undefined)
    throw new ProofUnavailableError({ reason: 'the header does not hash to the block hash', blockNumber: number })
  const { paymentPool, workerRegistry, modelRegistry } = chain.deployment.contracts
  return {
    type: 'tacit-checkpoint/1',
    chainId: chain.chainId.toString(),
    blockNumber: number.toString(),
    blockHash: parseBytes32(String(block['hash']).toLowerCase()),
    contracts: { paymentPool, workerRegistry, modelRegistry },
  }
}
