import {
  type CircuitPlan,
  type EncodedNetwork,
  encodedNetworkRoot,
  encodeNetwork,
  floodingDistanceLog2,
  planCircuit,
  type SquareNetwork,
} from '@tacit/fhe'
import type { Graph } from '@tacit/model'
import { findAffineSegments } from './affine-segments.ts'

/** A model ready for encrypted inference. */
export type EncryptedModel = {
  readonly plan: CircuitPlan
  readonly encoded: EncodedNetwork
  /** Root of plan and encoded integers: the fourth commitment of a model. */
  readonly root: Uint8Array
  /** The network in the clear, as the matrices that were encoded. */
  readonly network: SquareNetwork
  /** An order-preserving end that the client applies to the decrypted outputs, or null. */
  readonly clientOperator: string | null
  /** Estimated single-thread milliseconds of the worker; measured figures are in bench/results. */
  readonly estimatedMs: number
}

export type CompileEncryptedOptions = {
  /** The range of every input value; outputs cannot wrap for any input inside it. */
  readonly inputRange?: readonly [number, number]
  /** Deviation of noise that the worker adds to the outputs, see `planCircuit`. */
  readonly flooding?: number
}

/**
 * Plans and encodes a graph for encrypted inference: linear models, multilayer perceptrons and small convolutional networks whose
 * activations are squares.
 * @throws UnsupportedCircuitError that says which layer is not in this class, and what to change.
 * @example
 * const { plan, root } = compileEncrypted(parseOnnx(bytes))
 */
export function compileEncrypted(graph: Graph, options: CompileEncryptedOptions = {}): EncryptedModel {
  const { layers, clientOperator } = findAffineSegments(graph)
  const network: SquareNetwork = { layers, inputRange: options.inputRange ?? [0, 1] }
  const plan = planCircuit(network, options.flooding === undefined ? {} : { flooding: options.flooding })
  const encoded = encodeNetwork(network, plan)
  return { plan, encoded, root: encodedNetworkRoot(encoded), network, clientOperator, estimatedMs: estimateMs(plan) }
}

/** One line per fact of a plan, for people. */
export function describePlan({
  plan,
  estimatedMs,
  clientOperator,
}: Pick<EncryptedModel, 'plan' | 'estimatedMs' | 'clientOperator'>): readonly string[] {
  const rotations = plan.hidden.reduce((sum, { diagonals, folds }) => sum + diagonals - 1 + folds.flat().length, 0)
  return [
    `parameters   ${plan.parameters}, ${plan.level} levels, 128 bits of security`,
    `layers       ${plan.input.count} inputs, ${plan.hidden.map(({ outputs }) => `${outputs} squared, `).join('')}${plan.output.outputs} outputs`,
    `rotations    ${rotations} with ${plan.sizes.keys} keys, ${(plan.sizes.keyBytes / 1e6).toFixed(1)} MB sent once`,
    `request      ${plan.sizes.requestBytes} bytes`,
    `response     ${plan.sizes.responseBytes} bytes`,
    `outputs      within ${plan.output.bound.toPrecision(3)}`,
    `error        at most ${plan.error.bound.toExponential(1)} for any input, ${plan.error.typical.toExponential(1)} for a typical one; exceeded with probability 2^${plan.error.failureLog2}`,
    ...describeFlooding(plan),
    `time         about ${estimatedMs.toFixed(0)} ms on one thread`,
    ...(clientOperator === null ? [] : [`client       applies ${clientOperator} to the decrypted outputs`]),
  ]
}

function describeFlooding({ output, error }: CircuitPlan): readonly string[] {
  if (output.flooding === 0) return []
  const deviation = 2 ** output.flooding / output.scale
  const [any, typical] = [error.deviation, error.typicalDeviation].map((noise) => floodingDistanceLog2(output, noise).toFixed(1))
  return [
    `flooding     deviation ${deviation.toExponential(1)}; noise of an answer tells evaluations apart by 2^${any}, by 2^${typical} for a typical input`,
  ]
}

// Microseconds on the machine of bench/results: a transform of 8192 coefficients, and one key product per prime and digit.
const transformMicroseconds = 22
const productMicroseconds = 6

function estimateMs({ parameters, hidden, level }: CircuitPlan): number {
  const size = parameters === 'ckks-8192-180' ? 1 : 2.15
  let [transforms, products] = [2 * level + 10, level]
  for (const { level: l, diagonals, folds } of hidden) {
    const stages = [diagonals - 1, ...folds.map((images) => images.length)].filter((count) => count > 0)
    const digits = Math.ceil(l / 2)
    // ModUp: to coefficients and back for every other prime; ModDown: two primes to coefficients, all back.
    transforms += stages.length * (l + digits * (l + 2) - l + 2 + l) + 2 * (3 + l - 1)
    products += stages.reduce((sum, count) => sum + count * digits * (l + 2), 0)
    const relinearizing = Math.ceil((l - 1) / 2)
    transforms += l - 1 + relinearizing * (l + 1) - (l - 1) + 2 * (3 + l - 2)
    products += relinearizing * (l + 1)
  }
  return (size * (transforms * transformMicroseconds + products * productMicroseconds)) / 1000
}
