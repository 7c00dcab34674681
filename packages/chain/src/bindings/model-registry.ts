import type { TransactionReceipt } from 'viem'
import { type Address, type Bytes32, keccak, type ModelId, parseAddress, parseBytes32, parseHex, parseModelId, utf8 } from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { modelRegistryAbi } from '../generated/model-registry.ts'
import { readContract } from '../internal/read-contract.ts'
import type { TransactionSender } from '../transaction-sender.ts'

/** What an owner states when publishing a model. */
export type ModelPublication = {
  /** The one root over the model's weight commitments. */
  readonly commitmentsRoot: Bytes32
  readonly manifestHash: Bytes32
  /** Distinguishes two models of one owner with equal commitments. */
  readonly salt: Bytes32
  readonly pricePerStepWei: bigint
  readonly minStakeWei: bigint
  readonly engineClass: number
  /** The owner's share of every payment, in hundredths of a percent. */
  readonly ownerBps: number
  readonly allowListed: boolean
  /** The model that this is a new version of. */
  readonly previous?: ModelId
}

/** A published model. */
export type PublishedModel = {
  readonly modelId: ModelId
  readonly owner: Address
  readonly status: 'active' | 'retired'
  readonly engineClass: number
  readonly ownerBps: number
  readonly allowListed: boolean
  readonly version: number
  readonly commitmentsRoot: Bytes32
  readonly manifestHash: Bytes32
  readonly pricePerStepWei: bigint
  readonly minStakeWei: bigint
}

const modelIdType = keccak(utf8('ModelId(address publisher,bytes32 commitmentsRoot,bytes32 salt)'))
const zero = parseBytes32(`0x${'00'.repeat(32)}`)

/** The id that `publisher` gets for these commitments, as the contract derives it. */
export function deriveModelId(publisher: Address, commitmentsRoot: Bytes32, salt: Bytes32): ModelId {
  const padded = parseHex(`0x${'00'.repeat(12)}${publisher.slice(2)}`, 'An address', 32)
  return parseModelId(
    keccak(parseHex(modelIdType, 'A type', 32), padded, parseHex(commitmentsRoot, 'A root', 32), parseHex(salt, 'A salt', 32)),
  )
}

/**
 * Publishes a model under the sender's account.
 * @throws TransactionRevertedError (`ModelExists`, `OwnerShareTooHigh`, `NotModelOwner`, `EmptyCommitment`)
 */
export async function publishModel(
  sender: TransactionSender,
  publication: ModelPublication,
): Promise<{ readonly modelId: ModelId; readonly receipt: TransactionReceipt }> {
  const { pricePerStepWei, minStakeWei, previous, ...rest } = publication
  const registry = sender.connection.deployment.contracts.modelRegistry
  const args = [{ ...rest, pricePerStep: pricePerStepWei, minStake: minStakeWei, previous: previous ?? zero }] as const
  const receipt = await sender.send(encodeCall('publishing a model', registry, { abi: modelRegistryAbi, functionName: 'publish', args }))
  return { modelId: deriveModelId(sender.address, publication.commitmentsRoot, publication.salt), receipt }
}

/** Changes price, stake requirement and owner's share for locks made from now on. */
export async function repriceModel(
  sender: TransactionSender,
  modelId: ModelId,
  terms: { readonly pricePerStepWei: bigint; readonly minStakeWei: bigint; readonly ownerBps: number },
): Promise<TransactionReceipt> {
  const registry = sender.connection.deployment.contracts.modelRegistry
  const args = [modelId, terms.pricePerStepWei, terms.minStakeWei, terms.ownerBps] as const
  return await sender.send(encodeCall('repricing a model', registry, { abi: modelRegistryAbi, functionName: 'reprice', args }))
}

/** Ends a model for new work, for good. */
export async function retireModel(sender: TransactionSender, modelId: ModelId): Promise<TransactionReceipt> {
  const registry = sender.connection.deployment.contracts.modelRegistry
  return await sender.send(encodeCall('retiring a model', registry, { abi: modelRegistryAbi, functionName: 'retire', args: [modelId] }))
}

/** Puts a worker on a model's allow-list, or takes it off. */
export async function setWorkerAllowed(
  sender: TransactionSender,
  modelId: ModelId,
  { worker, allowed }: { readonly worker: Address; readonly allowed: boolean },
): Promise<TransactionReceipt> {
  const registry = sender.connection.deployment.contracts.modelRegistry
  const args = [modelId, worker, allowed] as const
  return await sender.send(
    encodeCall("changing a model's allow-list", registry, { abi: modelRegistryAbi, functionName: 'setAllowed', args }),
  )
}

/** The model, or undefined when nobody published it. */
export async function fetchModel(chain: ChainConnection, modelId: ModelId): Promise<PublishedModel | undefined> {
  const address = chain.deployment.contracts.modelRegistry
  const model = await readContract(chain, 'reading a model', { address, abi: modelRegistryAbi, functionName: 'model', args: [modelId] })
  if (model.status === 0) return undefined
  return {
    modelId,
    owner: parseAddress(model.owner.toLowerCase()),
    status: model.status === 1 ? 'active' : 'retired',
    engineClass: model.engineClass,
    ownerBps: model.ownerBps,
    allowListed: model.allowListed,
    version: model.version,
    commitmentsRoot: parseBytes32(model.commitmentsRoot),
    manifestHash: parseBytes32(model.manifestHash),
    pricePerStepWei: model.pricePerStep,
    minStakeWei: model.minStake,
  }
}

/** The ids of published models, in the order of publication. */
export async function fetchModelIds(
  chain: ChainConnection,
  { offset = 0, limit = 1_000 }: { readonly offset?: number; readonly limit?: number } = {},
): Promise<readonly ModelId[]> {
  const address = chain.deployment.contracts.modelRegistry
  const args = [BigInt(offset), BigInt(limit)] as const
  const ids = await readContract(chain, 'listing models', { address, abi: modelRegistryAbi, functionName: 'modelIds', args })
  return ids.map((id) => parseModelId(id))
}
