// Commits, runs, proves and prepares the verification of a whole described network: the loop that a worker and a verifier share out.
import type { ModelId } from '@tacit/protocol'
import { type ActivationOpening, commitActivation } from '../../src/commit/activation.ts'
import { commitWeights, type LayerRegistration, registerLayer, type SecretWeights } from '../../src/commit/weights.ts'
import type { ProofEngine } from '../../src/engine.ts'
import type { DescribedNetwork } from '../../src/network/describe-network.ts'
import { boundaryLayouts, type ProvableNetwork } from '../../src/network/network.ts'
import { type LayerJob, planJobs, type RequestContext } from '../../src/network/plan-jobs.ts'
import type { NetworkProof } from '../../src/network/verify-network.ts'
import { proveLayer } from '../../src/prover/prove-layer.ts'
import { context, evaluate, random } from './layers.ts'

export type Registered = {
  readonly network: ProvableNetwork
  readonly secrets: readonly (SecretWeights | undefined)[]
  readonly described: DescribedNetwork
}

/** Registers every layer of a model. */
export async function registerNetwork(engine: ProofEngine, described: DescribedNetwork): Promise<Registered> {
  const seed = random(32)
  const modelId: ModelId = context().modelId
  const secrets: (SecretWeights | undefined)[] = []
  const registrations: LayerRegistration[] = []
  for (const [layerIndex, { spec, weights }] of described.layers.entries()) {
    const secret = weights === undefined ? undefined : await commitWeights(spec, weights, { engine, modelId, layerIndex, seed })
    secrets.push(secret)
    registrations.push(secret?.registration ?? registerLayer(spec, { modelId, layerIndex }))
  }
  const layers = registrations.map((registration, k) => ({ registration, inputs: described.layers[k]?.inputs ?? [] }))
  return { network: { inputCount: described.inputCount, layers, outputs: described.outputs }, secrets, described }
}

/** The int8 tensors of every boundary. */
export function runNetwork(engine: ProofEngine, described: DescribedNetwork, inputs: readonly Int8Array[]): readonly Int8Array[] {
  const tensors = [...inputs]
  for (const { spec, weights, inputs: read } of described.layers)
    tensors.push(
      evaluate(
        engine,
        spec,
        read.map((boundary) => tensors[boundary] ?? new Int8Array(0)),
        weights,
      ),
    )
  return tensors
}

/** The part of an inference that is paid for per request: activation commitments and one proof per layer. */
export async function proveInference(
  engine: ProofEngine,
  registered: Registered,
  tensors: readonly Int8Array[],
  only?: (job: LayerJob) => boolean,
) {
  const { network, secrets } = registered
  const boundaries: ActivationOpening[] = []
  for (const [k, layout] of boundaryLayouts(network).entries())
    boundaries.push(await commitActivation(tensors[k] ?? new Int8Array(0), layout, { engine, random }))
  const { layerIndex: _, ...request } = context()
  const jobs = planJobs(network, boundaries, request)
  const proofs: Uint8Array[] = []
  for (const job of jobs) {
    const weights = secrets[job.layer]
    if (only !== undefined && !only(job)) continue
    proofs.push(await proveLayer(job.statement, { ...job, ...(weights === undefined ? {} : { weights }) }, { engine, random }))
  }
  const proof: NetworkProof = { boundaries: boundaries.map((b) => b.commitment), proofs }
  const expected = {
    inputs: boundaries.slice(0, network.inputCount).map((b) => b.commitment),
    outputs: network.outputs.map((k) => boundaries[k]?.commitment ?? '0x'),
  }
  const options: { engine: ProofEngine; context: RequestContext; expected: typeof expected } = { engine, context: request, expected }
  return { jobs, proof, options, boundaries }
}
