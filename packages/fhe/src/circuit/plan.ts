import { type Automorphism, automorphismId, rotation } from '../ckks/automorphism.ts'
import { type KeyNeeds, maximumKeys } from '../ckks/evaluation-keys.ts'
import { seededCiphertextBytes } from '../ckks/seeded-ciphertext.ts'
import { headerBytes, packedLimbBytes, seedBytes } from '../ckks/wire.ts'
import { UnsupportedCircuitError } from '../errors.ts'
import { at, range } from '../internal/at.ts'
import { type CkksParameters, getParameters, type ParameterSetName } from '../parameters.ts'
import { foldStages } from './fold-stages.ts'
import { assertNetwork, boundNetwork, type DenseLayer, type NetworkBounds, type SquareNetwork } from './network.ts'
import { type ErrorPrediction, predictError } from './noise.ts'
import { largestFlooding } from './flooding.ts'

/** A dense layer that ends in a square: a product with diagonals, sums of rotations, one rescale; then square, relinearise, rescale. */
export type HiddenPlan = {
  readonly inputs: number
  readonly outputs: number
  /** Level before the layer; two less after the square. */
  readonly level: number
  /** Rows repeat with this period, a power of two. */
  readonly period: number
  /** Number of diagonals: rotations by 0, 1, ..., diagonals - 1. */
  readonly diagonals: number
  /** Sums of rotations, one hoisted stage each; every stage includes the identity. */
  readonly folds: readonly (readonly Automorphism[])[]
  readonly weightScale: number
  readonly sumScale: number
  readonly squareScale: number
}

/** The last layer: one product with coefficient-packed weights; output o is coefficient o * stride. */
export type OutputPlan = {
  readonly inputs: number
  readonly outputs: number
  readonly weightScale: number
  readonly scale: number
  /** No output of an input in range exceeds this; a larger one is a malformed answer. */
  readonly bound: number
  /** Bits per coefficient of c1 in the answer. */
  readonly width: number
  /** log2 of the deviation of the noise that the worker adds to every output, in units of the scale; 0 for none. */
  readonly flooding: number
}

/** How the client lays out its input. */
export type InputPlan = {
  readonly count: number
  readonly range: readonly [number, number]
  readonly scale: number
  /** Slot cc * columns + j holds input pair (j + shift cc) mod columns: x[t] + i x[t + pairs]. */
  readonly columns: number
  readonly shift: number
  readonly pairs: number
}

/** Everything that client, publisher and worker must agree on about an encrypted network; plain data, part of the model record. */
export type CircuitPlan = {
  readonly version: 1
  readonly parameters: ParameterSetName
  readonly level: number
  readonly input: InputPlan
  readonly hidden: readonly HiddenPlan[]
  readonly output: OutputPlan
  /** Interval bounds of every layer's sums. */
  readonly bounds: readonly number[]
  readonly error: ErrorPrediction
  readonly sizes: { readonly requestBytes: number; readonly responseBytes: number; readonly keyBytes: number; readonly keys: number }
}

const inputScale = 2 ** 32
/**
 * With flooding: the noise of the first key switch, which is all of what the worker's noise is about, is sixteen times less, for weights that
 * are rounded sixteen times more coarsely. Rounded weights are the model; noise is what flooding has to hide.
 */
const floodedInputScale = 2 ** 36
/** Times the input scale, a message stays below a quarter of the smallest modulus. */
const largestInput = 2 ** 20
const lastSquareScale = 2 ** 30
const innerSquareScale = 2 ** 32

export type PlanOptions = {
  /**
   * Standard deviation of noise that the worker adds to every output, in units of the outputs: about as much as the outputs' use forgives. It
   * hides what the evaluation's own noise tells about weights, as far as {@link floodingDistanceLog2} says; none by default.
   */
  readonly flooding?: number
}

/**
 * Plans a network: parameter set, levels, scales, packing, rotations, sizes and error bound.
 * @throws UnsupportedCircuitError that names the layer and what to change.
 */
export function planCircuit(network: SquareNetwork, options: PlanOptions = {}): CircuitPlan {
  assertNetwork(network)
  const hiddenLayers = network.layers.slice(0, -1)
  const level = 2 + 2 * hiddenLayers.length
  const parameters = chooseParameters(level, network)
  const bounds = boundNetwork(network)
  const input = planInput(parameters, network, options.flooding === undefined ? inputScale : floodedInputScale)
  const hidden = planHidden(parameters, network, input)
  const output = planOutput(parameters, network, { input, hidden, bounds, flooding: options.flooding ?? 0 })
  assertFits(parameters, hidden, bounds)
  const sizes = planSizes(parameters, { level, hidden, output })
  if (sizes.keys > maximumKeys) {
    const change = 'make the first hidden layer narrower, or the input smaller'
    throw new UnsupportedCircuitError({ layer: 1, reason: `it needs ${sizes.keys} keys, there is room for ${maximumKeys}`, change })
  }
  const plan = { version: 1, parameters: parameters.name, level, input, hidden, output, bounds: bounds.sums, sizes } as const
  const error = predictError(plan, network, bounds)
  if (!fitsOutputs(parameters, output, error.bound)) {
    const change = 'scale its weights down; only the order of the outputs matters'
    throw new UnsupportedCircuitError({
      layer: network.layers.length,
      reason: 'its outputs are not exact enough to be told from noise',
      change,
    })
  }
  return { ...plan, error }
}

/** Whether outputs up to the bound, with their error, are the residues nearest to zero: then no true output wraps. */
export function fitsOutputs({ coefficientModuli }: CkksParameters, { bound, scale }: OutputPlan, error: number): boolean {
  const [q0 = 0, q1 = 0] = coefficientModuli
  return (bound + error) * scale < (q0 * q1) / 2
}

/** What travels, in bytes. */
export function planSizes(
  parameters: CkksParameters,
  { level, hidden, output }: Pick<CircuitPlan, 'level' | 'hidden' | 'output'>,
): CircuitPlan['sizes'] {
  const needs = keyNeedsOf({ hidden })
  const keyBytes = needs.galois.reduce((sum, { level: l }) => sum + switchingKeyBytes(parameters, l), 0)
  const relinearizationBytes = needs.relinearization > 0 ? switchingKeyBytes(parameters, needs.relinearization) : 0
  const entries = needs.galois.length + (needs.relinearization > 0 ? 1 : 0) + 1
  return {
    requestBytes: seededCiphertextBytes(parameters.polyDegree, level),
    responseBytes: headerBytes + 32 + 8 * output.outputs + (parameters.polyDegree * output.width) / 8,
    keyBytes: headerBytes + seedBytes + 6 * entries + keyBytes + relinearizationBytes + 2 * packedLimbBytes(parameters.polyDegree),
    keys: entries,
  }
}

/** Which keys the evaluator of a plan needs. */
export function keyNeedsOf({ hidden }: Pick<CircuitPlan, 'hidden'>): KeyNeeds {
  const levels = new Map<number, { automorphism: Automorphism; level: number }>()
  for (const { diagonals, folds, level } of hidden) {
    for (const automorphism of [
      ...range(diagonals)
        .slice(1)
        .map((by) => ({ rotation: by, conjugate: false })),
      ...folds.flat(),
    ]) {
      const known = levels.get(automorphismId(automorphism))
      if (known === undefined || known.level < level) levels.set(automorphismId(automorphism), { automorphism, level })
    }
  }
  const first = hidden[0]
  return { galois: [...levels.values()], relinearization: first === undefined ? 0 : first.level - 1, publicKey: 2 }
}

function chooseParameters(level: number, { layers }: SquareNetwork): CkksParameters {
  const width = Math.max(...layers.slice(0, -1).map(({ outputs }) => powerOfTwo(outputs)), 1)
  const names: readonly ParameterSetName[] = ['ckks-8192-180', 'ckks-16384-240', 'ckks-16384-300']
  for (const name of names) {
    const parameters = getParameters(name)
    const { polyDegree, coefficientModuli } = parameters
    if (coefficientModuli.length < level || (level === 2 && !fitsLinear(parameters, at(layers, 0)))) continue
    // Outputs are coefficients between the powers that a vector of period `width` occupies.
    const room = polyDegree / (2 * powerOfTwo(layers.at(-1)?.inputs ?? 1))
    const columns = Math.ceil(at(layers, 0).inputs / 2)
    if (level > 2 && (width > polyDegree / 2 || columns > polyDegree / 2 || (layers.at(-1)?.outputs ?? 0) > room)) continue
    return parameters
  }
  const layer = layers.length
  if (level > 8) {
    const change = 'use at most four dense layers'
    throw new UnsupportedCircuitError({ layer: 5, reason: `${layers.length} dense layers need ${level} levels, there are 8`, change })
  }
  throw new UnsupportedCircuitError({ layer, reason: 'it is too wide for the largest ring', change: 'make the layers narrower' })
}

function fitsLinear({ polyDegree }: CkksParameters, { inputs, outputs }: DenseLayer): boolean {
  return inputs * outputs <= polyDegree
}

// Complex packing: x[t] + i x[t + pairs] times (w[t] - i w[t + pairs]) / 2, plus its conjugate, is w[t] x[t] + w[t + pairs] x[t + pairs],
// so half as many diagonals are needed. Copy cc of the columns is shifted by `shift` cc: then the windows of `shift` columns that
// start at the blocks of rows tile all columns, and a window that runs over the end of a copy lands on the shift of the next.
function planInput({ polyDegree }: CkksParameters, { layers, inputRange }: SquareNetwork, scale: number): InputPlan {
  const first = at(layers, 0)
  const base = { count: first.inputs, range: inputRange, scale }
  // A coefficient is at most the largest slot, sqrt 2 times that for a complex one.
  if (Math.max(...inputRange.map(Math.abs)) > largestInput) {
    const change = 'scale the inputs down and the first weights up'
    throw new UnsupportedCircuitError({ layer: 1, reason: `inputs beyond ${largestInput} do not fit the input scale`, change })
  }
  if (layers.length === 1) return { ...base, columns: 0, shift: 0, pairs: 0 }
  const slots = polyDegree / 2
  const period = powerOfTwo(first.outputs)
  const pairs = Math.ceil(first.inputs / 2)
  const blocks = slots / period
  let shift = 1
  while (shift * blocks < Math.max(pairs, period)) shift *= 2
  return { ...base, columns: shift * blocks, shift, pairs }
}

function planHidden(parameters: CkksParameters, { layers }: SquareNetwork, input: InputPlan): readonly HiddenPlan[] {
  const { polyDegree, coefficientModuli: q } = parameters
  const slots = polyDegree / 2
  const count = layers.length - 1
  let [scale, inputPeriod] = [input.scale, 0]
  return layers.slice(0, count).map(({ inputs, outputs }, index) => {
    const level = 2 + 2 * (count - index)
    const period = powerOfTwo(outputs)
    const squareScale = index === count - 1 ? lastSquareScale : innerSquareScale
    const sumScale = Math.sqrt(squareScale * at(q, level - 2))
    const weightScale = (sumScale * at(q, level - 1)) / scale
    const first = index === 0
    const diagonals = first ? input.shift : Math.min(period, inputPeriod)
    const steps = first ? slots / period : Math.max(1, inputPeriod / period)
    const folds = foldStages(slots, period, steps, first)
    scale = squareScale
    inputPeriod = period
    return { inputs, outputs, level, period, diagonals, folds, weightScale, sumScale, squareScale }
  })
}

function planOutput(
  parameters: CkksParameters,
  network: SquareNetwork,
  {
    input,
    hidden,
    bounds,
    flooding: floodingDeviation,
  }: {
    readonly input: InputPlan
    readonly hidden: readonly HiddenPlan[]
    readonly bounds: NetworkBounds
    readonly flooding: number
  },
): OutputPlan {
  const { inputs, outputs } = at(network.layers, network.layers.length - 1)
  const [q0 = 0, q1 = 0] = parameters.coefficientModuli
  if (!(floodingDeviation >= 0 && floodingDeviation <= 1)) {
    const change = 'ask for a deviation between 0 and 1'
    throw new UnsupportedCircuitError({ layer: network.layers.length, reason: 'this flooding noise would hide the outputs', change })
  }
  // Doubled for the error and so that a sum beyond the bound is seen before it wraps.
  const bound = Math.max(1, bounds.output)
  const scale = 2 ** Math.min(55, Math.floor(Math.log2((q0 * q1) / 4 / bound)))
  const inputScaleHere = hidden.at(-1)?.squareScale ?? input.scale
  // Rounding c1 to multiples of 2^(60 - width) adds about sqrt(N / 18) such steps; keep that below 2^-17.
  const step = (scale * 2 ** -17) / Math.sqrt(parameters.polyDegree / 18)
  const width = Math.max(20, Math.min(60, 60 - Math.floor(Math.log2(step))))
  const flooding = floodingDeviation === 0 ? 0 : Math.max(1, Math.min(largestFlooding, Math.floor(Math.log2(floodingDeviation * scale))))
  return { inputs, outputs, weightScale: scale / inputScaleHere, scale, bound, width, flooding }
}

function assertFits({ coefficientModuli: q }: CkksParameters, hidden: readonly HiddenPlan[], bounds: NetworkBounds): void {
  hidden.forEach(({ level, sumScale }, index) => {
    const modulus = q.slice(0, level - 1).reduce((sum, prime) => sum + Math.log2(prime), 0)
    const square = 2 * Math.log2(Math.max(1, at(bounds.sums, index)) * sumScale)
    if (square > modulus - 1) {
      const change = 'scale its weights down and the next layer up, or clip the input range'
      throw new UnsupportedCircuitError({ layer: index + 1, reason: 'its sums may grow too large', change })
    }
  })
  if (bounds.output > 2 ** 24) {
    const change = 'scale the last weights down; only the order of the outputs matters'
    throw new UnsupportedCircuitError({ layer: hidden.length + 1, reason: 'its outputs may grow too large', change })
  }
}

function switchingKeyBytes({ polyDegree }: CkksParameters, level: number): number {
  return Math.ceil(level / 2) * (level + 2) * packedLimbBytes(polyDegree)
}

/** The smallest power of two that is not below `count`. */
export function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, count)))
}

/** The rotations of a stage of diagonals. */
export function diagonalRotations(slots: number, { diagonals }: HiddenPlan): readonly Automorphism[] {
  return range(diagonals)
    .slice(1)
    .map((by) => rotation(slots, by))
}
