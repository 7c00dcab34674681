// Where WorkerRegistry keeps a worker and its stake. docs/spec/storage.md is the text of this file; the contract's own
// STORAGE_LOCATION and its storage layout are tested against it.
import { concatBytes, parseHex, toHex, utf8 } from './bytes.ts'
import { type Address, type Bytes32, keccak, type ModelId, parseAddress } from './identifiers.ts'
import { uintToBytes32 } from './uint.ts'

/** What the slot of a worker holds. */
export type WorkerSlot = {
  /** The account that owns the stake. */
  readonly operator: Address
  readonly status: WorkerStatus
  /** Unix seconds. */
  readonly registeredAt: number
  readonly capacity: number
}

/** Draining and jailed workers get no new work. */
export type WorkerStatus = 'none' | 'active' | 'draining' | 'jailed'

/** What the slot of a worker's stake for a model holds. Thawing stake is still slashable until it has left. */
export type StakeSlot = { readonly stakedWei: bigint; readonly thawingWei: bigint; readonly thawedAt: number }

const statuses: readonly WorkerStatus[] = ['none', 'active', 'draining', 'jailed']

/** The root slot of WorkerRegistry, by ERC-7201: keccak256(keccak256(id) - 1) with the last byte cleared. */
export function deriveWorkerRegistryLocation(): bigint {
  const inner = BigInt(keccak(utf8('tacit.storage.WorkerRegistry'))) - 1n
  return BigInt(keccak(uintToBytes32(inner))) & ~0xffn
}

/** The slot of a worker: `keccak256(worker . location)`, each part padded to 32 bytes. */
export function deriveWorkerSlot(worker: Address): Bytes32 {
  return keccak(addressWord(worker), uintToBytes32(deriveWorkerRegistryLocation()))
}

/** The slot of a worker's stake for a model: `keccak256(modelId . keccak256(worker . location + 1))`. */
export function deriveStakeSlot(worker: Address, model: ModelId): Bytes32 {
  const ofWorker = keccak(addressWord(worker), uintToBytes32(deriveWorkerRegistryLocation() + 1n))
  return keccak(parseHex(model, 'A model id', 32), parseHex(ofWorker, 'A slot', 32))
}

/** Unpacks the value of a worker's slot; a status that this version does not know counts as none. */
export function unpackWorkerSlot(value: bigint): WorkerSlot {
  return {
    operator: parseAddress(toHex(uintToBytes32(value & ((1n << 160n) - 1n)).subarray(12))),
    status: statuses[Number((value >> 160n) & 0xffn)] ?? 'none',
    registeredAt: Number((value >> 168n) & 0xff_ffff_ffffn),
    capacity: Number((value >> 208n) & 0xffff_ffffn),
  }
}

/** Unpacks the value of a stake's slot. */
export function unpackStakeSlot(value: bigint): StakeSlot {
  const mask = (1n << 104n) - 1n
  return { stakedWei: value & mask, thawingWei: (value >> 104n) & mask, thawedAt: Number((value >> 208n) & 0xff_ffff_ffffn) }
}

function addressWord(address: Address): Uint8Array {
  return concatBytes(new Uint8Array(12), parseHex(address, 'An address', 20))
}
