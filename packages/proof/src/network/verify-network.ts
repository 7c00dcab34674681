// Verifies all layers of one inference: count, order, chaining and both ends. A layer proof says nothing about its neighbours; here
// every boundary has one commitment, which producer and consumers share.
import type { Bytes32, Hex, LayerStatement } from '@tacit/protocol'
import { registrationDigest } from '../commit/weights.ts'
import { dataDigest } from '../digest.ts'
import type { ProofEngine } from '../engine.ts'
import { UnsupportedLayerError } from '../errors.ts'
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import { chunkCount } from '../relation/index-space.ts'
import type { FailedCheck } from '../verifier/equation.ts'
import { verifyLayers } from '../verifier/verify-layer.ts'
import { parseHex } from '@tacit/protocol'
import { type BoundaryCommitments, boundaryLayouts, networkDigest, type ProvableNetwork } from './network.ts'
import type { RequestContext } from './plan-jobs.ts'

/** What a prover publishes for one inference. */
export type NetworkProof = { readonly boundaries: BoundaryCommitments; readonly proofs: readonly Uint8Array[] }

/**
 * What the verifier knows from elsewhere: the `proof` commitment in the card of the registered model (`networkDigest`), its own input
 * commitments, the output commitments that the receipt names.
 */
export type ExpectedEnds = { readonly network: Bytes32; readonly inputs: readonly Hex[]; readonly outputs: readonly Hex[] }

/** The verdict on an inference. */
export type NetworkVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly failedCheck: 'network' | 'count' | 'boundary' | 'input' | 'output' }
  | { readonly ok: false; readonly failedCheck: FailedCheck; readonly layer: number }

/**
 * Checks that `network`, and nothing else, turned the expected inputs into the expected outputs for this request and payee.
 * @example
 * const verdict = verifyNetwork(network, proof, { engine, context, expected: { network: card.commitments.proof, inputs: [mine], outputs: [answer] } })
 */
export function verifyNetwork(
  network: ProvableNetwork,
  proof: NetworkProof,
  options: { readonly engine: ProofEngine; readonly context: RequestContext; readonly expected: ExpectedEnds },
): NetworkVerdict {
  const { engine, context, expected } = options
  const lengths = boundaryLengths(network)
  if (lengths === undefined || networkDigest(network) !== expected.network) return { ok: false, failedCheck: 'network' }
  const { boundaries, proofs } = proof
  if (boundaries.length !== lengths.length || proofs.length !== network.layers.length) return { ok: false, failedCheck: 'count' }
  if (boundaries.some((points, k) => points.length !== lengths[k])) return { ok: false, failedCheck: 'boundary' }
  if (expected.inputs.length !== network.inputCount || expected.inputs.some((points, k) => points !== boundaries[k]))
    return { ok: false, failedCheck: 'input' }
  if (
    expected.outputs.length !== network.outputs.length ||
    expected.outputs.some((points, k) => points !== boundaries[network.outputs[k] ?? -1])
  )
    return { ok: false, failedCheck: 'output' }
  const layers = network.layers.map(({ registration, inputs }, layer) => {
    const statement: LayerStatement = {
      spec: registration.spec,
      weights: registration.points,
      inputs: inputs.map((boundary) => boundaries[boundary] ?? '0x'),
      output: boundaries[network.inputCount + layer] ?? '0x',
      context: { ...context, layerIndex: layer },
    }
    return { statement, proof: proofs[layer] ?? new Uint8Array(0) }
  })
  const verdict = verifyLayers(layers, { engine })
  return verdict.ok ? verdict : { ok: false, failedCheck: verdict.failedCheck, layer: verdict.index }
}

// Hex lengths of the boundary commitments; undefined if the network contradicts itself or a registration is not what it says.
function boundaryLengths(network: ProvableNetwork): readonly number[] | undefined {
  try {
    for (const [layerIndex, { registration }] of network.layers.entries()) {
      const points = dataDigest(registration.points === null ? new Uint8Array(0) : parseHex(registration.points, 'The weight commitments'))
      if (registrationDigest(registration.spec, points, { layerIndex }) !== registration.digest) return undefined
    }
    return boundaryLayouts(network).map((layout) => 2 + 2 * ENCODED_POINT_BYTES * chunkCount(layout))
  } catch (error) {
    if (error instanceof UnsupportedLayerError) return undefined
    throw error
  }
}
