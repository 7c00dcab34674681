// Questions that every storage proof asks a node.
import type { Address, Hex } from '@tacit/protocol'
import { keccak256 } from 'viem'
import { encodeBlockHeader, type RawBlock } from './block-header.ts'
import type { ChainConnection } from './connection.ts'
import { ProofUnavailableError } from './errors.ts'
import { translateChainError } from './internal/translate-error.ts'

/** A block, its header's RLP, and proofs of one contract's slots, in the order of the request. */
export type StorageProof = {
  readonly blockNumber: bigint
  readonly blockHeader: Hex
  readonly accountProof: readonly Hex[]
  readonly slotProofs: readonly (readonly Hex[])[]
}

/**
 * Asks for slots of a contract at a block. The node is not believed: the header must hash to the block's hash, and the
 * account proof must start at its state root; the rest is proven or refused by whoever verifies.
 * @throws ProofUnavailableError
 */
export async function fetchStorageProof(
  chain: ChainConnection,
  contract: Address,
  slots: readonly Hex[],
  at: bigint | undefined,
): Promise<StorageProof> {
  const { number, block } = await fetchBlock(chain, at)
  const blockHeader = encodeBlockHeader(block)
  if (blockHeader === undefined)
    throw new ProofUnavailableError({ reason: 'the header does not hash to the block hash', blockNumber: number })
  const answer = (await ask(chain, number, { method: 'eth_getProof', params: [contract, slots, block['number']] })) as ProofAnswer | null
  const accountProof = answer?.accountProof ?? []
  const root = accountProof[0]
  if (root === undefined || keccak256(root) !== block['stateRoot'])
    throw new ProofUnavailableError({ reason: 'the account proof does not start at the state root of the block', blockNumber: number })
  return { blockNumber: number, blockHeader, accountProof, slotProofs: slots.map((_, index) => answer?.storageProof?.[index]?.proof ?? []) }
}

type ProofAnswer = { readonly accountProof?: readonly Hex[]; readonly storageProof?: readonly { readonly proof?: readonly Hex[] }[] }

/** The block with this number, or the newest. */
export async function fetchBlock(chain: ChainConnection, blockNumber: bigint | undefined): Promise<{ number: bigint; block: RawBlock }> {
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
