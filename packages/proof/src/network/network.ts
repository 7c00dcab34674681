// A network as verifiers see it: registered layers and which boundary each one reads. Boundaries are numbered as in docs/spec/q8.md:
// the inputs first, then the output of every layer.
import { type Bytes32, type Hex, keccak, parseHex, utf8 } from '@tacit/protocol'
import type { LayerRegistration } from '../commit/weights.ts'
import { UnsupportedLayerError } from '../errors.ts'
import { createRelation } from '../relation/create-relation.ts'
import type { ActivationLayout } from '../relation/index-space.ts'

/** One layer and the boundaries that it reads. */
export type NetworkLayer = { readonly registration: LayerRegistration; readonly inputs: readonly number[] }

/** The layers of a model in order; layer k computes boundary inputCount + k. */
export type ProvableNetwork = { readonly inputCount: number; readonly layers: readonly NetworkLayer[]; readonly outputs: readonly number[] }

/**
 * The layout of every boundary. Producer and consumers must agree, so that one commitment serves all of them.
 * @throws UnsupportedLayerError when they do not, or a layer reads something that comes later.
 */
export function boundaryLayouts(network: ProvableNetwork): readonly ActivationLayout[] {
  const layouts = new Map<number, ActivationLayout>()
  const agree = (boundary: number, layout: ActivationLayout): void => {
    const known = layouts.get(boundary)
    if (known !== undefined && !sameChunks(known, layout))
      throw new UnsupportedLayerError(`Boundary a${boundary} is cut into chunks in two ways.`)
    layouts.set(boundary, layout)
  }
  network.layers.forEach(({ registration, inputs }, k) => {
    const relation = createRelation(registration.spec)
    if (inputs.length !== relation.inputs.length)
      throw new UnsupportedLayerError(`Layer a${network.inputCount + k} does not read as many inputs as its kind has.`)
    inputs.forEach((boundary, i) => {
      if (!Number.isInteger(boundary) || boundary < 0 || boundary >= network.inputCount + k)
        throw new UnsupportedLayerError(`Layer a${network.inputCount + k} reads a boundary that does not come before it.`)
      const layout = relation.inputs[i]
      if (layout !== undefined) agree(boundary, layout)
    })
    agree(network.inputCount + k, relation.output)
  })
  const count = network.inputCount + network.layers.length
  if (network.outputs.some((boundary) => !Number.isInteger(boundary) || boundary < 0 || boundary >= count))
    throw new UnsupportedLayerError('An output of the network does not exist.')
  return Array.from({ length: count }, (_, boundary) => {
    const layout = layouts.get(boundary)
    if (layout === undefined) throw new UnsupportedLayerError(`Input a${boundary} is read by no layer.`)
    return layout
  })
}

/** keccak256 over the registration digests and the wiring: what a model publishes as its proof rows. */
export function networkDigest(network: ProvableNetwork): Bytes32 {
  const numbers = (values: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(4 * (values.length + 1))
    const view = new DataView(bytes.buffer)
    ;[values.length, ...values].forEach((value, k) => {
      view.setUint32(4 * k, value)
    })
    return bytes
  }
  const layers = network.layers.flatMap(({ registration, inputs }) => [parseHex(registration.digest, 'A digest', 32), numbers(inputs)])
  return keccak(utf8('tacit/proof-network/v1'), numbers([network.inputCount, network.layers.length]), ...layers, numbers(network.outputs))
}

/** The commitment of every boundary, by number. */
export type BoundaryCommitments = readonly Hex[]

/** Whether two layouts cut a tensor into the same chunks; rows that chunks divide evenly are the same as one long row. */
export function sameChunks(a: ActivationLayout, b: ActivationLayout): boolean {
  const flat = ({ groups, length, chunk }: ActivationLayout): readonly number[] =>
    length % chunk === 0 ? [1, groups * length, chunk] : [groups, length, chunk]
  const other = flat(b)
  return flat(a).every((value, k) => value === other[k])
}
