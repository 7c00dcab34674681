// Small statements with random weights: what the compiler makes from a graph, made by hand for tests and benchmarks.
import {
  type Address,
  type Bytes32,
  type ConvolutionSpec,
  type DenseSpec,
  isDense,
  type LayerContext,
  type LayerRequantisation,
  type LayerSpec,
  type LayerStatement,
  type ModelId,
} from '@tacit/protocol'
import { type ActivationOpening, commitActivation } from '../../src/commit/activation.ts'
import { commitWeights, type LayerWeights, type SecretWeights } from '../../src/commit/weights.ts'
import type { ProofEngine } from '../../src/engine.ts'
import { createRelation } from '../../src/relation/create-relation.ts'
import type { LayerWitness } from '../../src/prover/prove-layer.ts'
import { computeCells } from '../../src/witness/cells.ts'

export const random = (n: number): Uint8Array => crypto.getRandomValues(new Uint8Array(n))

/** A small deterministic generator (mulberry32, public domain) so that tests repeat. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function context(layerIndex = 0, request = 7): LayerContext {
  const word = (byte: number): string => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`
  return {
    chainId: '31337',
    registry: `0x${'11'.repeat(20)}` as Address,
    modelId: word(0x22) as ModelId,
    requestId: word(request) as Bytes32,
    nonce: word(0x44) as Bytes32,
    payee: `0x${'55'.repeat(20)}` as Address,
    layerIndex,
  }
}

export const requantisation = (overrides: Partial<LayerRequantisation> = {}): LayerRequantisation => ({
  shift: 18,
  zeroPoint: -128,
  low: -128,
  high: 127,
  excessBits: 22,
  ...overrides,
})

export function denseSpec(overrides: Partial<DenseSpec> = {}): DenseSpec {
  const inputSize = overrides.inputSize ?? 12
  const outputSize = overrides.outputSize ?? 10
  return {
    kind: 'dense',
    rows: 1,
    inputSize,
    outputSize,
    inputChunk: Math.min(inputSize, 8),
    outputChunk: outputSize,
    slots: Math.min(2, outputSize),
    inputZeroPoint: -128,
    requantisation: requantisation(),
    ...overrides,
  }
}

export function convolutionSpec(overrides: Partial<ConvolutionSpec> = {}): ConvolutionSpec {
  return {
    kind: 'conv',
    window: { channels: 2, height: 5, width: 6, kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] },
    outputChannels: 3,
    group: 1,
    inputPlanes: 1,
    outputPlanes: 2,
    slots: 2,
    inputZeroPoint: -128,
    requantisation: requantisation(),
    ...overrides,
  }
}

export function randomWeights(spec: LayerSpec, next: () => number): LayerWeights {
  if (!isDense(spec) && spec.kind !== 'conv') return { weights: new Int8Array(0), multipliers: [], biases: [] }
  const outputs = isDense(spec) ? spec.outputSize : spec.outputChannels
  const terms = isDense(spec)
    ? spec.inputSize
    : (spec.window.channels / spec.group) * (spec.window.kernel[0] ?? 1) * (spec.window.kernel[1] ?? 1)
  const scale = Math.min(1, 8 / Math.sqrt(terms))
  return {
    weights: Int8Array.from({ length: outputs * terms }, () => Math.round((next() + next() + next() - 1.5) * 80)),
    multipliers: Array.from({ length: outputs }, () => 1 + Math.floor(next() * 32_767 * scale)),
    biases: Array.from({ length: outputs }, () => BigInt(Math.round((next() - 0.5) * 2 ** 26))),
  }
}

export function randomTensor(n: number, next: () => number): Int8Array {
  return Int8Array.from({ length: n }, () => (next() < 0.3 ? -128 : Math.floor(next() * 256) - 128))
}

export type BuiltLayer = {
  readonly statement: LayerStatement
  readonly witness: LayerWitness
  readonly secret: SecretWeights | undefined
}

/** The output of a layer, computed by the prover's own arithmetic. */
export function evaluate(engine: ProofEngine, spec: LayerSpec, inputs: readonly Int8Array[], weights: LayerWeights | undefined): Int8Array {
  const relation = createRelation(spec)
  return engine.kernels.scoped(() => computeCells(engine.kernels, relation, { spec, inputs, weights }).output)
}

export async function buildLayer(
  engine: ProofEngine,
  spec: LayerSpec,
  options: {
    readonly seed?: number
    readonly layerIndex?: number
    readonly inputs?: readonly ActivationOpening[]
    readonly weights?: LayerWeights
  } = {},
): Promise<BuiltLayer> {
  const next = seeded(options.seed ?? 1)
  const relation = createRelation(spec)
  const place = context(options.layerIndex ?? 0)
  const hasWeights = isDense(spec) || spec.kind === 'conv'
  const values = hasWeights ? (options.weights ?? randomWeights(spec, next)) : undefined
  const secret =
    values === undefined ? undefined : await commitWeights(spec, values, { engine, layerIndex: place.layerIndex, seed: random(32) })
  const inputs: ActivationOpening[] = []
  for (const [k, layout] of relation.inputs.entries()) {
    inputs.push(
      options.inputs?.[k] ?? (await commitActivation(randomTensor(layout.groups * layout.length, next), layout, { engine, random })),
    )
  }
  const result = evaluate(
    engine,
    spec,
    inputs.map((opening) => opening.values),
    values,
  )
  const output = await commitActivation(result, relation.output, { engine, random })
  const statement: LayerStatement = {
    spec,
    weights: secret?.registration.points ?? null,
    inputs: inputs.map((opening) => opening.commitment),
    output: output.commitment,
    context: place,
  }
  return { statement, witness: { inputs, output, ...(secret === undefined ? {} : { weights: secret }) }, secret }
}
