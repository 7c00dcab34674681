// The frozen proofs and how they are made: runs in Node, in a page and in a worker.
import { isDense, type LayerSpec, type LayerStatement, parseHex, toHex } from '@tacit/protocol'
import { type ActivationOpening, commitActivation } from '../../src/commit/activation.ts'
import { commitWeights, registrationDigest } from '../../src/commit/weights.ts'
import { dataDigest } from '../../src/digest.ts'
import type { ProofEngine } from '../../src/engine.ts'
import { proveLayer } from '../../src/prover/prove-layer.ts'
import { createRelation } from '../../src/relation/create-relation.ts'
import { context, convolutionSpec, denseSpec, evaluate, randomTensor, randomWeights, requantisation, seeded } from './layers.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const window = { channels: 2, height: 4, width: 4, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] }
/** The kinds of a transformer, frozen in a file of their own. */
export const frozenRowSpecs: readonly LayerSpec[] = rowKinds()

function rowKinds(): readonly LayerSpec[] {
  // integers, not Math.exp: the vectors are the same on every machine
  const table = Array.from({ length: 256 }, (_, d) => Math.floor(4095 / (1 + d * d)))
  const outputs = { multiplier: 900, bias: -7, requantisation: { ...small, zeroPoint: 3 } }
  const sizes = { rows: 2, heads: 2, inner: 3, outputs: 2, innerChunk: 3, outputChunk: 3, slots: 2 }
  return [
    denseSpec({
      kind: 'denseTransposed',
      rows: 3,
      inputSize: 4,
      outputSize: 2,
      inputChunk: 4,
      outputChunk: 2,
      slots: 1,
      requantisation: small,
    }),
    { kind: 'softmax', rows: 2, heads: 2, size: 3, slots: 2, mask: 'causal', table },
    { kind: 'layerNorm', rows: 2, size: 8, chunk: 4, slots: 2, gain: 20, epsilon: 3, zeroPoint: 5, low: -20, high: 25 },
    { kind: 'table', size: 4, chunk: 3, slots: 1, table: Array.from({ length: 256 }, (_, k) => ((k * 29) % 256) - 128) },
    { kind: 'matmul', ...sizes, orderB: 'tokens', zeroPointA: 1, zeroPointB: -2, ...outputs },
  ]
}

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
  const values = isDense(spec) || spec.kind === 'conv' ? randomWeights(spec, next) : undefined
  const weights = values && (await commitWeights(spec, values, { engine, layerIndex: 0, seed: fixed(32) }))
  const relation = createRelation(spec)
  const inputs: ActivationOpening[] = []
  for (const layout of relation.inputs)
    inputs.push(await commitActivation(randomTensor(layout.groups * layout.length, next), layout, { engine, random: fixed }))
  const tensors = inputs.map((input) => input.values)
  const output = await commitActivation(evaluate(engine, spec, tensors, values), relation.output, { engine, random: fixed })
  const statement: LayerStatement = {
    spec,
    weights: weights?.registration.points ?? null,
    inputs: inputs.map((input) => input.commitment),
    output: output.commitment,
    context: place,
  }
  const proof = await proveLayer(statement, { inputs, output, ...(weights === undefined ? {} : { weights }) }, { engine, random: fixed })
  const points = dataDigest(statement.weights === null ? new Uint8Array(0) : parseHex(statement.weights, 'Points'))
  return { statement, digest: registrationDigest(spec, points, place), proof: toHex(proof) }
}
