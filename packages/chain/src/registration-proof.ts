// "This worker is registered and stakes that much, at that block": the evidence that a receipt carries, asked from a node.
// The node is not believed: what it sends is checked for form here and proven or refused by the verifier.
import { keccak256 } from 'viem'
import {
  type Address,
  type Checkpoint,
  deriveStakeSlot,
  deriveWorkerSlot,
  type Hex,
  type ModelId,
  parseBytes32,
  type RegistrationProof,
  registrationProofSchema,
} from '@tacit/protocol'
import { encodeBlockHeader, type RawBlock } from './block-header.ts'
import type { ChainConnection } from './connection.ts'
import { ProofUnavailableError } from './errors.ts'
import { translateChainError } from './internal/translate-error.ts'

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
  const { number, block } = await fetchBlock(chain, request.blockNumber)
  const registry = chain.deployment.contracts.workerRegistry
  const header = encodeBlockHeader(block)
  if (header === undefined) throw new ProofUnavailableError({ reason: 'the header does not hash to the block hash', blockNumber: number })
  const slots = [deriveWorkerSlot(request.worker), deriveStakeSlot(request.worker, request.model)]
  const answer = (await ask(chain, number, { method: 'eth_getProof', params: [registry, slots, block['number']] })) as ProofAnswer | null
  const [workerProof, stakeProof] = answer?.storageProof ?? []
  const root = answer?.accountProof?.[0]
  if (root === undefined || keccak256(root) !== block['stateRoot'])
    throw new ProofUnavailableError({ reason: 'the account proof does not start at the state root of the block', blockNumber: number })
  try {
    return registrationProofSchema(
      {
        type: 'tacit-registration/1',
        chainId: chain.chainId.toString(),
        registry,
        worker: request.worker,
        model: request.model,
        blockHeader: header,
        accountProof: answer?.accountProof,
        workerProof: workerProof?.proof,
        stakeProof: stakeProof?.proof,
      },
      'registration proof',
    )
  } catch (cause) {
    throw new ProofUnavailableError({ reason: 'the answer is malformed', blockNumber: number, cause })
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

type ProofAnswer = { readonly accountProof?: readonly Hex[]; readonly storageProof?: readonly { readonly proof?: readonly Hex[] }[] }

async function fetchBlock(chain: ChainConnection, blockNumber: bigint | undefined): Promise<{ number: bigint; block: RawBlock }> {
  const tag = blockNumber === undefined ? 'latest' : `0x${blockNumber.toString(16)}`
  const block = (await ask(chain, blockNumber ?? 0n, { method: 'eth_getBlockByNumber', params: [tag, false] })) as RawBlock | null
  const number = block?.['number']
  if (block === null || typeof number !== 'string')
    throw new ProofUnavailableError({ reason: 'there is no such block', blockNumber: blockNumber ?? 0n })
  return { number: BigInt(number), block }
}

async function ask(chain: ChainConnection, blockNumber: bigint, request: { method: string; params: readonly unknown[] }): Promise<unknown> {
  // viem types only the methods it knows, with its own parameter types; the answers are checked by the callers.
  const send = chain.client.request as (request: { method: string; params: readonly unknown[] }) => Promise<unknown>
  try {
    return await send(request)
  } catch (error) {
    const translated = translateChainError(error, { url: chain.url, label: request.method })
    if (translated !== error) throw translated
    throw new ProofUnavailableError({ reason: `${request.method} was refused`, blockNumber, cause: error })
  }
}
