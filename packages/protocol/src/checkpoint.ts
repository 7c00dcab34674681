// What somebody who checks a receipt trusts about a chain: one block, and which contracts there are the network.
import type { Address, Bytes32 } from './identifiers.ts'
import { parseJson } from './canonical-json.ts'
import { address, bytes32, object, oneOf, type Schema, uint } from './schema.ts'
import type { UintString } from './uint.ts'

/** The contracts of one deployment that evidence is read from. */
export type NetworkContracts = {
  readonly paymentPool: Address
  readonly workerRegistry: Address
  readonly modelRegistry: Address
}

/**
 * A block that its holder believes in, and the deployment that they call the network. It comes from the holder's own node or
 * from somebody they trust, never from the receipt: a receipt of another chain or another deployment does not fit it.
 */
export type Checkpoint = {
  readonly type: 'tacit-checkpoint/1'
  readonly chainId: UintString
  readonly blockNumber: UintString
  readonly blockHash: Bytes32
  readonly contracts: NetworkContracts
}

export const networkContractsSchema: Schema<NetworkContracts> = object({
  paymentPool: address,
  workerRegistry: address,
  modelRegistry: address,
})

export const checkpointSchema: Schema<Checkpoint> = object({
  type: oneOf('tacit-checkpoint/1'),
  chainId: uint(256),
  blockNumber: uint(64),
  blockHash: bytes32,
  contracts: networkContractsSchema,
})

/** No checkpoint file is longer. */
export const maxCheckpointBytes = 4096

/**
 * Reads a checkpoint file.
 * @throws MalformedError when it is not one.
 */
export function parseCheckpoint(bytes: Uint8Array): Checkpoint {
  return checkpointSchema(parseJson(bytes, 'The checkpoint', maxCheckpointBytes), 'checkpoint')
}
