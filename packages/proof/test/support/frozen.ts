// The frozen proofs and how they are made: runs in Node, in a page and in a worker.
import { type LayerSpec, type LayerStatement, parseHex, toHex } from '@tacit/protocol'
import { commitActivation } from '../../src/commit/activation.ts'
import { commitWeights, registrationDigest } from '../../src/commit/weights.ts'
import { dataDigest } from '../../src/digest.ts'
import type { ProofEngine } from '../../src/engine.ts'
import { proveLayer } from '../../src/prover/prove-layer.ts'
import { createRelation } from '../../src/relation/create-relation.ts'
import { context, convolutionSpec, denseSpec, evaluate, randomTensor, randomWeights, requantisation, seeded } from './layers.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const window = { channels: 2, height: 4, width: 4, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] }
/** What is frozen. */
export const frozenSpecs: readonly LayerSpec[] = [
  denseSpec({ rows: 2, inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small }),
  convolutionSpec({ window, outputChannels: 2, outputPlanes: 1, requantisation: small }),
  { kind: 'maxPool', window, planes: 1, slots: 2 },
  { kind: 'argmax', size: 5, chunk: 3, slots: 1 },
]
/** One frozen proof. */
export type FrozenProof = { readonly statement: LayerStatement; readonly digest: string; readonly proof: string }

/** Makes frozen proof `seed`, always the same. */
export async function makeFrozen(engine: ProofEngine, spec: LayerSpec, seed: number): Promise<FrozenProof> {
  let calls = 0
  const fixed = (n: number): Uint8Array => {
    const next = seeded(seed * 1000 + calls++)
    return Uint8Array.from({ length: n }, () => Math.floor(next() * 256))
  }
  const next = seeded(seed)
  const place = context()
  const values = spec.kind === 'dense' || spec.kind === 'conv' ? randomWeights(spec, next) : undefined
  const weights = values && (await commitWeights(spec, values, { engine, layerIndex: 0, seed: fixed(32) }))
  const relation = createRelation(spec)
  const [layout] = relation.inputs
  if (layout === undefined) throw new Error('A layer has an input.')
  const input = await commitActivation(randomTensor(layout.groups * layout.length, next), layout, { engine, random: fixed })
  const output = await commitActivation(evaluate(engine, spec, [input.values], values), relation.output, { engine, random: fixed })
  const statement: LayerStatement = {
    spec,
    weights: weights?.registration.points ?? null,
    inputs: [input.commitment],
    output: output.commitment,
    context: place,
  }
  const proof = await proveLayer(
    statement,
    { inputs: [input], output, ...(weights === undefined ? {} : { weights }) },
    { engine, random: fixed },
  )
  const points = dataDigest(statement.weights === null ? new Uint8Array(0) : parseHex(statement.weights, 'Points'))
  return { statement, digest: registrationDigest(spec, points, place), proof: toHex(proof) }
}
