// "Model M is published with commitments root R and asks for stake S, at block B", as an EIP-1186 storage proof in plain
// data: it binds the weights that a receipt names to what the model's owner put on the chain. docs/spec/receipt.md.
import { type Hex, parseHex, toHex, utf8 } from './bytes.ts'
import type { Evidence } from './evidence.ts'
import { type Address, type Bytes32, keccak, type ModelId, parseAddress, parseBytes32 } from './identifiers.ts'
import { address, hex, list, modelId, object, oneOf, type Schema, uint } from './schema.ts'
import { type UintString, uintToBytes32 } from './uint.ts'

/** What an offline verifier needs besides a trusted block hash; nothing in it is to be believed. */
export type ModelProof = {
  readonly type: 'tacit-publication/1'
  readonly chainId: UintString
  /** The ModelRegistry contract. */
  readonly registry: Address
  readonly model: ModelId
  /** The RLP of the block header; its keccak256 is the block hash. */
  readonly blockHeader: Hex
  /** RLP nodes from the state root to the registry's account. */
  readonly accountProof: readonly Hex[]
  /** RLP nodes from the account's storage root to the slots of `deriveModelSlots`: head, commitments root, terms. */
  readonly headProof: readonly Hex[]
  readonly rootProof: readonly Hex[]
  readonly termsProof: readonly Hex[]
}

/** The publication of a receipt's model, as an item of evidence. */
export type ModelEvidence = Evidence<'model/1', ModelProof>

const trieNodes: Schema<readonly Hex[]> = list(hex(1, 1024), 65)

/** Parses what somebody sent as a model proof; whether it proves anything is for the verifier to find out. */
export const modelProofSchema: Schema<ModelProof> = object<ModelProof>({
  type: oneOf('tacit-publication/1'),
  chainId: uint(256),
  registry: address,
  model: modelId,
  blockHeader: hex(1, 2048),
  accountProof: trieNodes,
  headProof: trieNodes,
  rootProof: trieNodes,
  termsProof: trieNodes,
})

/** The root slot of ModelRegistry, by ERC-7201: keccak256(keccak256(id) - 1) with the last byte cleared. */
export function deriveModelRegistryLocation(): bigint {
  const inner = BigInt(keccak(utf8('tacit.storage.ModelRegistry'))) - 1n
  return BigInt(keccak(uintToBytes32(inner))) & ~0xffn
}

/** The slots of a model that evidence shows, of the four at `keccak256(modelId . location)`: the first, second and fourth. */
export type ModelSlots = { readonly head: Bytes32; readonly root: Bytes32; readonly terms: Bytes32 }

export function deriveModelSlots(model: ModelId): ModelSlots {
  const first = BigInt(keccak(parseHex(model, 'A model id', 32), uintToBytes32(deriveModelRegistryLocation())))
  const slot = (offset: bigint) => parseBytes32(toHex(uintToBytes32(BigInt.asUintN(256, first + offset))))
  return { head: slot(0n), root: slot(1n), terms: slot(3n) }
}

/** Retired models take no new work; what was ordered before is still paid. */
export type ModelStatus = 'none' | 'active' | 'retired'

/** What the first slot of a model holds, as far as evidence needs it. */
export type ModelHead = { readonly owner: Address; readonly status: ModelStatus }

const statuses: readonly ModelStatus[] = ['none', 'active', 'retired']

/** Unpacks the first slot of a model; a status that this version does not know counts as none. */
export function unpackModelHead(value: bigint): ModelHead {
  return {
    owner: parseAddress(toHex(uintToBytes32(value & ((1n << 160n) - 1n)).subarray(12))),
    status: statuses[Number((value >> 160n) & 0xffn)] ?? 'none',
  }
}

/** What the fourth slot of a model holds. */
export type ModelTerms = { readonly pricePerStepWei: bigint; readonly minStakeWei: bigint }

/** Unpacks the fourth slot of a model. */
export function unpackModelTerms(value: bigint): ModelTerms {
  return { pricePerStepWei: value & ((1n << 128n) - 1n), minStakeWei: value >> 128n }
}
