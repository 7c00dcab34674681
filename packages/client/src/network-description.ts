import { type Deployment, deploymentSchema } from '@tacit/chain'
import { type Address, address, nullable, object, oneOf, type Schema, text } from '@tacit/protocol'

/** Where a network is: what `tacit up` writes and an invitation carries. */
export type NetworkDescription = {
  readonly type: 'tacit-network/1'
  readonly chainUrl: string
  readonly deployment: Deployment
  readonly relayUrl: string
  /** Null where there is none: sessions open without a recommendation. */
  readonly dispatcherUrl: string | null
  readonly dispatcher: Address | null
}

export const networkDescriptionSchema: Schema<NetworkDescription> = object<NetworkDescription>({
  type: oneOf('tacit-network/1'),
  chainUrl: text(512),
  deployment: deploymentSchema,
  relayUrl: text(512),
  dispatcherUrl: nullable(text(512)),
  dispatcher: nullable(address),
})
