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
  /** Absent from networks that were deployed before there were any. */
  readonly proofDisputes?: Address
  /** Absent from networks that were deployed before there were any. */
  readonly proofAnchors?: Address
}

type FirstContracts = Omit<DeployedContracts, 'proofDisputes' | 'proofAnchors'>
type Fields<T> = { readonly [K in keyof T]-?: Schema<T[K]> }

const firstContracts: Fields<FirstContracts> = {
  tacitToken: address,
  aiConfig: address,
  modelRegistry: address,
  workerRegistry: address,
  paymentPool: address,
  faucet: nullable(address),
}
const olderNetwork = object<FirstContracts>(firstContracts)
const wholeNetwork = object<Required<DeployedContracts>>({ ...firstContracts, proofDisputes: address, proofAnchors: address })

// All of the later contracts are there, or none.
function deployedContracts(value: unknown, path: string): DeployedContracts {
  const isWhole = typeof value === 'object' && value !== null && Object.hasOwn(value, 'proofDisputes')
  return isWhole ? wholeNetwork(value, path) : olderNetwork(value, path)
}

/** Reads an untrusted deployment, from a file or an invitation. */
export const deploymentSchema: Schema<Deployment> = object<Deployment>({
  type: oneOf('tacit-deployment/1'),
  chainId: uint(256),
  blockNumber: uint(64),
  contracts: deployedContracts,
})
