// The worker's side of one proved inference: commit to every activation, then prove every layer. The jobs are independent, so a
// worker may also hand some of them to provers whom the client named as readers.
import { type ActivationOpening, commitActivation } from '../commit/activation.ts'
import { WitnessMismatchError } from '../errors.ts'
import { type ProveOptions, proveLayer } from '../prover/prove-layer.ts'
import { boundaryLayouts } from './network.ts'
import { planJobs, type RequestContext } from './plan-jobs.ts'
import type { RegisteredNetwork } from './register-network.ts'
import type { NetworkProof } from './verify-network.ts'

/** What `proveNetwork` makes: the proof to publish, and the openings to keep. */
export type ProvedNetwork = { readonly proof: NetworkProof; readonly openings: readonly ActivationOpening[] }

/** Options of `proveNetwork`. */
export type ProveNetworkOptions = Omit<ProveOptions, 'onProgress'> & {
  readonly context: RequestContext
  /** Openings that exist already, by boundary: the client's input commitment, for example. */
  readonly openings?: readonly (ActivationOpening | undefined)[]
  readonly onProgress?: (provedLayers: number, layers: number) => void
}

/**
 * Proves one inference.
 * @param activations the int8 tensor of every boundary, as the run produced them (the trace of docs/spec/q8.md)
 * @example
 * const { proof } = await proveNetwork(registered, run.activations, { engine, random, context })
 * @throws WitnessMismatchError when an activation is missing or is not what its layer computes.
 */
export async function proveNetwork(
  registered: RegisteredNetwork,
  activations: readonly Int8Array[],
  options: ProveNetworkOptions,
): Promise<ProvedNetwork> {
  const { network, secrets } = registered
  const { context, engine, random, signal, onProgress } = options
  const openings: ActivationOpening[] = []
  for (const [boundary, layout] of boundaryLayouts(network).entries()) {
    signal?.throwIfAborted()
    const values = activations[boundary]
    const known = options.openings?.[boundary]
    if (known === undefined && values === undefined) throw new WitnessMismatchError(`The activation of boundary a${boundary} is missing.`)
    openings.push(known ?? (await commitActivation(values ?? new Int8Array(0), layout, { engine, random })))
  }
  const proofs: Uint8Array[] = []
  const jobs = planJobs(network, openings, context)
  for (const job of jobs) {
    const weights = secrets[job.layer]
    const witness = { inputs: job.inputs, output: job.output, ...(weights === undefined ? {} : { weights }) }
    proofs.push(await proveLayer(job.statement, witness, { engine, random, ...(signal === undefined ? {} : { signal }) }))
    onProgress?.(proofs.length, jobs.length)
  }
  return { proof: { boundaries: openings.map((opening) => opening.commitment), proofs }, openings }
}
