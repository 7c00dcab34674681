import { at } from '../internal/at.ts'
import { getParameters } from '../parameters.ts'
import type { DenseLayer, SquareNetwork } from './network.ts'
import type { CircuitPlan } from './plan.ts'

const errorDeviation = Math.sqrt(10.5)
const roundingDeviation = Math.sqrt(1 / 12)
/** The bound is this many standard deviations. */
const deviations = 7
/** log2 of the probability that a Gaussian leaves that many deviations. */
const tailLog2 = -38

/**
 * Bounds the error of the outputs. Every source of noise is a sum of many small independent terms, so each slot carries a nearly
 * Gaussian error whose deviation is added up here (docs/spec/fhe.md, section on noise); what multiplies it, the size of the sums
 * before a square, is taken at its interval bound.
 */
export function predictError(
  plan: Omit<CircuitPlan, 'error'>,
  network: SquareNetwork,
): { readonly bound: number; readonly failureLog2: number } {
  const n = getParameters(plan.parameters).polyDegree
  const rescale = Math.sqrt((1 + (2 * n) / 3) / 12)
  const keySwitch = Math.sqrt((2 * n) / 12) * errorDeviation
  const root = Math.sqrt(n)
  const [low, high] = plan.input.range
  let magnitude = Math.max(Math.abs(low), Math.abs(high))
  let slot = (root * Math.hypot(errorDeviation, keySwitch)) / plan.input.scale
  let scale = plan.input.scale
  plan.hidden.forEach((layer, index) => {
    const dense = at(network.layers, index)
    const length = magnitude * Math.sqrt(dense.inputs)
    const sum = Math.hypot(
      largestRowNorm(dense) * Math.hypot(slot, (root * keySwitch) / scale),
      (roundingDeviation * root * length) / layer.weightScale,
      (root * rescale) / layer.sumScale,
    )
    magnitude = at(plan.bounds, index) ** 2
    slot = Math.hypot(2 * at(plan.bounds, index) * sum, (root * rescale) / layer.squareScale) + deviations * sum ** 2
    scale = layer.squareScale
  })
  const { output } = plan
  const last = at(network.layers, network.layers.length - 1)
  const answer = (rescale * 2 ** (60 - output.width)) / output.scale
  // The hidden vector's coefficients have the norm of its root mean square, which is at most its largest value.
  const weights = (roundingDeviation * magnitude) / output.weightScale
  const mask = (errorDeviation * Math.sqrt((2 * n) / 3)) / output.scale
  const total = Math.hypot(largestRowNorm(last) * slot, answer, weights, mask)
  return { bound: deviations * total, failureLog2: tailLog2 + Math.log2(output.outputs) }
}

function largestRowNorm({ inputs, outputs, weights }: DenseLayer): number {
  let largest = 0
  for (let o = 0; o < outputs; o++) {
    let sum = 0
    for (let i = 0; i < inputs; i++) sum += at(weights, o * inputs + i) ** 2
    largest = Math.max(largest, Math.sqrt(sum))
  }
  return largest
}
