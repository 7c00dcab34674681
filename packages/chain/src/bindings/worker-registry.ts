import type { TransactionReceipt } from 'viem'
import {
  type Address,
  domainSeparator,
  type Hex,
  keccak,
  type ModelId,
  parseAddress,
  parseHex,
  type Signer,
  type StakeSlot,
  utf8,
  type WorkerSlot,
  type WorkerStatus,
} from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { workerRegistryAbi } from '../generated/worker-registry.ts'
import { readContract } from '../internal/read-contract.ts'
import { type PageRange, readPages } from '../internal/read-pages.ts'
import type { TransactionSender } from '../transaction-sender.ts'
import { ensureAllowance } from './token.ts'

/** What a worker says about itself. */
export type WorkerProfile = { readonly endpoint: string; readonly region: string; readonly capacity: number }

/** A worker as the registry knows it. */
export type RegisteredWorker = WorkerSlot & WorkerProfile & { readonly worker: Address }

const statuses: readonly WorkerStatus[] = ['none', 'active', 'draining', 'jailed']
const registrationType = keccak(utf8('Registration(address worker,address operator)'))

/** An identity's consent to be operated by another account (EIP-712 `Registration`). */
export function signRegistration(chain: ChainConnection, identity: Signer, operator: Address): Hex {
  const domain = { chainId: chain.chainId, contract: chain.deployment.contracts.workerRegistry }
  const struct = keccak(parseHex(registrationType, 'A type', 32), addressWord(identity.address), addressWord(operator))
  const separator = parseHex(domainSeparator('Tacit WorkerRegistry', '1', domain), 'A domain', 32)
  return identity.sign(parseHex(keccak(Uint8Array.of(0x19, 0x01), separator, parseHex(struct, 'A hash', 32)), 'A digest', 32))
}

/**
 * Registers a worker that the sender operates. Without `identity` the sender's own key is the identity.
 * @throws TransactionRevertedError (`AlreadyRegistered`, `IdentityConsentMissing`, `InvalidProfile`)
 */
export async function registerWorker(
  sender: TransactionSender,
  { profile, identity }: { readonly profile: WorkerProfile; readonly identity?: Signer },
): Promise<TransactionReceipt> {
  const consent = identity === undefined ? '0x' : signRegistration(sender.connection, identity, sender.address)
  const args = [identity?.address ?? sender.address, profile, consent] as const
  return await sender.send(
    encodeCall('registering a worker', registryOf(sender), { abi: workerRegistryAbi, functionName: 'register', args }),
  )
}

/** Changes what a worker says about itself. */
export async function setWorkerProfile(sender: TransactionSender, worker: Address, profile: WorkerProfile): Promise<TransactionReceipt> {
  return await sender.send(
    encodeCall("changing a worker's profile", registryOf(sender), {
      abi: workerRegistryAbi,
      functionName: 'setProfile',
      args: [worker, profile],
    }),
  )
}

/**
 * Stakes the sender's tokens on a worker for a model, allowance included.
 * @throws TransactionRevertedError (`UnknownWorker`, `WrongStatus`, `ModelNotOpen`, `InsufficientStake`)
 */
export async function stakeFor(sender: TransactionSender, { worker, modelId, amountWei }: StakeAmount): Promise<TransactionReceipt> {
  await ensureAllowance(sender, sender.connection.deployment.contracts.workerRegistry, amountWei)
  return await sender.send(
    encodeCall('staking', registryOf(sender), { abi: workerRegistryAbi, functionName: 'stake', args: [worker, modelId, amountWei] }),
  )
}

/** An amount of stake on a worker for a model. */
export type StakeAmount = { readonly worker: Address; readonly modelId: ModelId; readonly amountWei: bigint }

/** Starts the thawing of stake. */
export async function requestUnstake(sender: TransactionSender, { worker, modelId, amountWei }: StakeAmount): Promise<TransactionReceipt> {
  return await sender.send(
    encodeCall('asking for stake back', registryOf(sender), {
      abi: workerRegistryAbi,
      functionName: 'requestUnstake',
      args: [worker, modelId, amountWei],
    }),
  )
}

/** Pays thawed stake out. */
export async function withdrawStake(
  sender: TransactionSender,
  { worker, modelId, to }: { readonly worker: Address; readonly modelId: ModelId; readonly to: Address },
): Promise<TransactionReceipt> {
  return await sender.send(
    encodeCall('withdrawing stake', registryOf(sender), {
      abi: workerRegistryAbi,
      functionName: 'withdrawStake',
      args: [worker, modelId, to],
    }),
  )
}

/** Takes no new work from now on. */
export async function drainWorker(sender: TransactionSender, worker: Address): Promise<TransactionReceipt> {
  return await sender.send(
    encodeCall('draining a worker', registryOf(sender), { abi: workerRegistryAbi, functionName: 'drain', args: [worker] }),
  )
}

/** Takes work again. */
export async function resumeWorker(sender: TransactionSender, worker: Address): Promise<TransactionReceipt> {
  return await sender.send(
    encodeCall('resuming a worker', registryOf(sender), { abi: workerRegistryAbi, functionName: 'resume', args: [worker] }),
  )
}

/** The worker, or undefined when nobody registered it. */
export async function fetchWorker(chain: ChainConnection, worker: Address): Promise<RegisteredWorker | undefined> {
  const address = chain.deployment.contracts.workerRegistry
  const [slot, profile] = await Promise.all([
    readContract(chain, 'reading a worker', { address, abi: workerRegistryAbi, functionName: 'workerOf', args: [worker] }),
    readContract(chain, "reading a worker's profile", { address, abi: workerRegistryAbi, functionName: 'profileOf', args: [worker] }),
  ])
  const status = statuses[slot.status] ?? 'none'
  if (status === 'none') return undefined
  return {
    worker,
    operator: parseAddress(slot.operator.toLowerCase()),
    status,
    registeredAt: slot.registeredAt,
    endpoint: profile.endpoint,
    region: profile.region,
    capacity: slot.capacity,
  }
}

/**
 * The identities that ever registered, in order. Registering is free, so anybody can fill the first thousand: whoever looks
 * for workers reads `fetchStakerIds`.
 */
export async function fetchWorkerIds(chain: ChainConnection, range: PageRange = {}): Promise<readonly Address[]> {
  const address = chain.deployment.contracts.workerRegistry
  const found = await readPages(range, (offset, limit) =>
    readContract(chain, 'listing workers', { address, abi: workerRegistryAbi, functionName: 'workers', args: [offset, limit] }),
  )
  return found.map((worker) => parseAddress(worker.toLowerCase()))
}

/**
 * The workers that stake at least the network's floor for a model, in no order that lasts; some may be draining or jailed.
 * Nobody gets on this list without stake that lies there.
 */
export async function fetchStakerIds(chain: ChainConnection, modelId: ModelId, range: PageRange = {}): Promise<readonly Address[]> {
  const address = chain.deployment.contracts.workerRegistry
  const found = await readPages(range, (offset, limit) =>
    readContract(chain, 'listing stakers', { address, abi: workerRegistryAbi, functionName: 'stakersOf', args: [modelId, offset, limit] }),
  )
  return found.map((worker) => parseAddress(worker.toLowerCase()))
}

/** A worker's stake for a model. */
export async function fetchStake(chain: ChainConnection, worker: Address, modelId: ModelId): Promise<StakeSlot> {
  const address = chain.deployment.contracts.workerRegistry
  const stake = await readContract(chain, 'reading a stake', {
    address,
    abi: workerRegistryAbi,
    functionName: 'stakeOf',
    args: [worker, modelId],
  })
  return { stakedWei: stake.staked, thawingWei: stake.thawing, thawedAt: stake.thawedAt }
}

/** Whether the worker may be given new work for the model now. */
export async function fetchEligibility(chain: ChainConnection, worker: Address, modelId: ModelId): Promise<boolean> {
  const address = chain.deployment.contracts.workerRegistry
  return await readContract(chain, 'reading eligibility', {
    address,
    abi: workerRegistryAbi,
    functionName: 'isEligible',
    args: [worker, modelId],
  })
}

function registryOf(sender: TransactionSender): Address {
  return sender.connection.deployment.contracts.workerRegistry
}

function addressWord(address: Address): Uint8Array {
  return parseHex(`0x${'00'.repeat(12)}${address.slice(2)}`, 'An address', 32)
}
