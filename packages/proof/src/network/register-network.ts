// Registers every layer of a model at once. Owner and worker get the same result from the same weights and seed.
import {
  integer,
  type LayerSpec,
  layerSpecSchema,
  list,
  MalformedError,
  nullable,
  object,
  parseHex,
  type Schema,
  hex,
  bytes32,
} from '@tacit/protocol'
import { commitWeights, type LayerRegistration, type RegistrationOptions, registerLayer, type SecretWeights } from '../commit/weights.ts'
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import { createRelation } from '../relation/create-relation.ts'
import type { DescribedNetwork } from './describe-network.ts'
import { boundaryLayouts, type NetworkLayer, type ProvableNetwork } from './network.ts'

/** A registered model: what verifiers get, and what only provers may have. */
export type RegisteredNetwork = {
  readonly network: ProvableNetwork
  /** One per layer; undefined for layers without weights. Secret. */
  readonly secrets: readonly (SecretWeights | undefined)[]
}

/**
 * Commits to the weights of all layers.
 * @example
 * const { network, secrets } = await registerNetwork(describeNetwork(q8Model), { engine, seed })
 * @throws UnsupportedLayerError when a layer cannot be proved or boundaries do not fit together.
 */
export async function registerNetwork(
  described: DescribedNetwork,
  options: Omit<RegistrationOptions, 'layerIndex'>,
): Promise<RegisteredNetwork> {
  const secrets: (SecretWeights | undefined)[] = []
  const layers: NetworkLayer[] = []
  for (const [layerIndex, { spec, weights, inputs }] of described.layers.entries()) {
    const secret = weights === undefined ? undefined : await commitWeights(spec, weights, { ...options, layerIndex })
    secrets.push(secret)
    layers.push({ registration: secret?.registration ?? registerLayer(spec, { ...options, layerIndex }), inputs })
  }
  const network = { inputCount: described.inputCount, layers, outputs: described.outputs }
  boundaryLayouts(network)
  return { network, secrets }
}

const boundaryNumber = integer(0, 65_535)
const registrationSchema: Schema<LayerRegistration> = object<LayerRegistration>({
  spec: layerSpecSchema as Schema<LayerSpec>,
  points: nullable(hex(ENCODED_POINT_BYTES, ENCODED_POINT_BYTES << 17)),
  digest: bytes32,
})
const networkSchema: Schema<ProvableNetwork> = object<ProvableNetwork>({
  inputCount: integer(1, 64),
  layers: list(object<NetworkLayer>({ registration: registrationSchema, inputs: list(boundaryNumber, 2) }), 4096),
  outputs: list(boundaryNumber, 64),
})

/**
 * Reads a published network from untrusted JSON. That it is the registered one is for `networkDigest` to say.
 * @throws MalformedError when it is not one.
 * @throws UnsupportedLayerError when its layers contradict each other.
 */
export function parseProvableNetwork(value: unknown): ProvableNetwork {
  const network = networkSchema(value, 'network')
  boundaryLayouts(network)
  for (const { registration } of network.layers) {
    const rows = createRelation(registration.spec).weightRows
    const bytes = registration.points === null ? 0 : parseHex(registration.points, 'The weight commitments').length
    if (bytes !== ENCODED_POINT_BYTES * rows) throw new MalformedError('The weight commitments', 'are not one point per row')
  }
  return network
}
