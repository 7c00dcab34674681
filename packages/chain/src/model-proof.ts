// "This model is published with these commitments, at that block": evidence for a receipt, asked from a node.
import { deriveModelSlots, type ModelId, type ModelProof, modelProofSchema } from '@tacit/protocol'
import type { ChainConnection } from './connection.ts'
import { ProofUnavailableError } from './errors.ts'
import { fetchStorageProof } from './storage-proof.ts'

/**
 * Asks for the storage proof of a model's publication.
 * @throws ProofUnavailableError when the node has no state for the block, or its answer does not fit the block.
 */
export async function fetchModelProof(
  chain: ChainConnection,
  { model, blockNumber }: { readonly model: ModelId; readonly blockNumber?: bigint },
): Promise<ModelProof> {
  const registry = chain.deployment.contracts.modelRegistry
  const { head, root, terms } = deriveModelSlots(model)
  const proof = await fetchStorageProof(chain, registry, [head, root, terms], blockNumber)
  const [headProof, rootProof, termsProof] = proof.slotProofs
  try {
    return modelProofSchema(
      {
        type: 'tacit-publication/1',
        chainId: chain.chainId.toString(),
        registry,
        model,
        blockHeader: proof.blockHeader,
        accountProof: proof.accountProof,
        headProof,
        rootProof,
        termsProof,
      },
      'model proof',
    )
  } catch (cause) {
    throw new ProofUnavailableError({ reason: 'the answer is malformed', blockNumber: proof.blockNumber, cause })
  }
}
