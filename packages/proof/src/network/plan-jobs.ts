// One proving job per layer, independent of each other once the activations are committed.
import { isDense, type LayerContext, type LayerSpec, type LayerStatement } from '@tacit/protocol'
import type { ActivationOpening } from '../commit/activation.ts'
import { WitnessMismatchError } from '../errors.ts'
import { createRelation } from '../relation/create-relation.ts'
import { boundaryLayouts, type ProvableNetwork, sameChunks } from './network.ts'

/** One layer to prove. `cost` is relative: an estimate of the work, for sharing jobs out. */
export type LayerJob = {
  readonly layer: number
  readonly statement: LayerStatement
  readonly inputs: readonly ActivationOpening[]
  readonly output: ActivationOpening
  readonly cost: number
}

/** The request that the proofs serve; the layer index is added per job. */
export type RequestContext = Omit<LayerContext, 'layerIndex'>

/**
 * The jobs of one inference, in layer order. Whoever gets a job with its openings and weights can read them.
 * @throws WitnessMismatchError when a boundary has no opening or one with another layout.
 */
export function planJobs(network: ProvableNetwork, boundaries: readonly ActivationOpening[], context: RequestContext): readonly LayerJob[] {
  const layouts = boundaryLayouts(network)
  if (boundaries.length !== layouts.length) throw new WitnessMismatchError('There is not one opening per boundary.')
  layouts.forEach((layout, k) => {
    const given = boundaries[k]?.layout
    if (given === undefined || !sameChunks(given, layout))
      throw new WitnessMismatchError(`The opening of boundary a${k} has another layout.`)
  })
  const opening = (boundary: number): ActivationOpening => {
    const found = boundaries[boundary]
    if (found === undefined) throw new WitnessMismatchError(`Boundary a${boundary} has no opening.`)
    return found
  }
  return network.layers.map(({ registration, inputs }, layer) => {
    const read = inputs.map(opening)
    const output = opening(network.inputCount + layer)
    const statement: LayerStatement = {
      spec: registration.spec,
      weights: registration.points,
      inputs: read.map((input) => input.commitment),
      output: output.commitment,
      context: { ...context, layerIndex: layer },
    }
    return { layer, statement, inputs: read, output, cost: provingCost(registration.spec) }
  })
}

/** Relative proving time: half an addition per cell, field work per cell and column, one addition per weight limb group. */
export function provingCost(spec: LayerSpec): number {
  const { space, gate, columns, inputs } = createRelation(spec)
  const cells = space.rows.length * space.slots * gate.cells
  const weights = isDense(spec) ? spec.inputSize * spec.outputSize : spec.kind === 'conv' ? columns * spec.outputChannels : 0
  const tensors = inputs.reduce((sum, layout) => sum + layout.groups * layout.length, 0)
  return cells + 60 * (columns + space.slots * gate.cells) + weights / 8 + 4 * tensors
}

/** Shares jobs among provers, longest first to the least loaded; returns the job numbers of each prover. */
export function assignJobs(jobs: readonly LayerJob[], provers: number): readonly (readonly number[])[] {
  const loads = Array.from({ length: provers }, () => ({ cost: 0, jobs: [] as number[] }))
  for (const [index, job] of [...jobs.entries()].sort((a, b) => b[1].cost - a[1].cost)) {
    const lightest = loads.reduce((best, load) => (load.cost < best.cost ? load : best))
    lightest.cost += job.cost
    lightest.jobs.push(index)
  }
  return loads.map((load) => load.jobs)
}
