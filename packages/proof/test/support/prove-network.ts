// Runs, registers, proves and prepares the verification of a described network.
import type { ProofEngine } from '../../src/engine.ts'
import type { DescribedNetwork } from '../../src/network/describe-network.ts'
import { networkDigest } from '../../src/network/network.ts'
import { planJobs, type RequestContext } from '../../src/network/plan-jobs.ts'
import { proveNetwork } from '../../src/network/prove-network.ts'
import { type RegisteredNetwork, registerNetwork as register } from '../../src/network/register-network.ts'
import { context, evaluate, random } from './layers.ts'

export type Registered = RegisteredNetwork

/** The request that tests prove for. */
export function requestContext(): RequestContext {
  const { layerIndex: _, ...request } = context()
  return request
}

/** Registers every layer of a model under a fresh seed. */
export async function registerNetwork(engine: ProofEngine, described: DescribedNetwork): Promise<Registered> {
  return await register(described, { engine, seed: random(32) })
}

/** The int8 tensors of every boundary, by the prover's own arithmetic. */
export function runNetwork(engine: ProofEngine, described: DescribedNetwork, inputs: readonly Int8Array[]): readonly Int8Array[] {
  const tensors = [...inputs]
  for (const { spec, weights, inputs: read } of described.layers) {
    const given = read.map((boundary) => tensors[boundary] ?? new Int8Array(0))
    tensors.push(evaluate(engine, spec, given, weights))
  }
  return tensors
}

/** The part of an inference that is paid for per request: activation commitments and one proof per layer. */
export async function proveInference(engine: ProofEngine, registered: Registered, tensors: readonly Int8Array[]) {
  const { network } = registered
  const request = requestContext()
  const { proof, openings } = await proveNetwork(registered, tensors, { engine, random, context: request })
  const expected = {
    network: networkDigest(network),
    inputs: openings.slice(0, network.inputCount).map((opening) => opening.commitment),
    outputs: network.outputs.map((k) => openings[k]?.commitment ?? '0x'),
  }
  return { jobs: planJobs(network, openings, request), proof, options: { engine, context: request, expected }, openings }
}
