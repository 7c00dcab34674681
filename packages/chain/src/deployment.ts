import { type Address, address, nullable, type NetworkContracts, object, oneOf, type Schema, uint, type UintString } from '@tacit/protocol'

/** Where the contracts of one network are. */
export type Deployment = {
  readonly type: 'tacit-deployment/1'
  readonly chainId: UintString
  /** The block in which the last contract appeared: nothing happened before it. */
  readonly blockNumber: UintString
  readonly contracts: DeployedContracts
}

/** Every contract of a network. */
export type DeployedContracts = NetworkContracts & {
  readonly tacitToken: Address
  readonly aiConfig: Address
  /** On local networks only. */
  readonly faucet: Address | null
}

/** Reads an untrusted deployment, from a file or an invitation. */
export const deploymentSchema: Schema<Deployment> = object<Deployment>({
  type: oneOf('tacit-deployment/1'),
  chainId: uint(256),
  blockNumber: uint(64),
  contracts: object<DeployedContracts>({
    tacitToken: address,
    aiConfig: address,
    modelRegistry: address,
    workerRegistry: address,
    paymentPool: address,
    faucet: nullable(address),
  }),
})
