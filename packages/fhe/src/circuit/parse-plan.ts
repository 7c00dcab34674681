import { MalformedEncryptionError } from '../errors.ts'
import { getParameters, parameterSetNames } from '../parameters.ts'
import type { CircuitPlan } from './plan.ts'

type Check = (value: unknown) => boolean
type Shape = { readonly [field: string]: Check }

const number: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const positive: Check = (value) => number(value) && Number(value) > 0
const count: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= 1 << 20
const size: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const list =
  (item: Check, limit: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= limit && value.every(item)
const object =
  (shape: Shape): Check =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    const keys = Object.keys(value)
    // An object was just checked for; its fields are read as unknown.
    const fields = value as Readonly<Record<string, unknown>>
    return keys.length === Object.keys(shape).length && Object.entries(shape).every(([key, check]) => check(fields[key]))
  }

const automorphism = object({ rotation: count, conjugate: (value) => typeof value === 'boolean' })
const hidden = object({
  inputs: count,
  outputs: count,
  level: count,
  period: count,
  diagonals: count,
  folds: list(list(automorphism, 15), 16),
  weightScale: positive,
  sumScale: positive,
  squareScale: positive,
})
const planShape = object({
  version: (value) => value === 1,
  parameters: (value) => parameterSetNames.some((name) => name === value),
  level: count,
  input: object({ count, range: list(number, 2), scale: positive, columns: count, shift: count, pairs: count }),
  hidden: list(hidden, 3),
  output: object({ inputs: count, outputs: count, weightScale: positive, scale: positive, bound: positive, width: count }),
  bounds: list(number, 4),
  error: object({ bound: positive, failureLog2: number }),
  sizes: object({ requestBytes: size, responseBytes: size, keyBytes: size, keys: count }),
})

/**
 * Reads a plan from JSON bytes and checks that an evaluator can follow it without leaving its buffers.
 * @throws MalformedEncryptionError
 */
export function parsePlan(bytes: Uint8Array): CircuitPlan {
  const what = 'The circuit plan'
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new MalformedEncryptionError(what, 'is not JSON')
  }
  if (!planShape(value)) throw new MalformedEncryptionError(what, 'has another shape')
  // The shape was checked field by field above.
  const plan = value as CircuitPlan
  const { polyDegree, coefficientModuli } = getParameters(plan.parameters)
  const slots = polyDegree / 2
  const layers = plan.hidden.length
  const powerOfTwo = (n: number): boolean => n > 0 && (n & (n - 1)) === 0
  const sound =
    plan.level === 2 + 2 * layers &&
    plan.level <= coefficientModuli.length &&
    plan.bounds.length === layers + 1 &&
    plan.output.width >= 20 &&
    plan.output.width <= 60 &&
    plan.output.outputs >= 1 &&
    plan.output.outputs * (layers === 0 ? plan.output.inputs : 1) <= polyDegree &&
    plan.input.range.length === 2 &&
    plan.hidden.every(
      ({ level, period, diagonals, folds }, index) =>
        level === plan.level - 2 * index &&
        powerOfTwo(period) &&
        period <= slots &&
        diagonals >= 1 &&
        diagonals <= slots &&
        folds.every((stage) => stage.length >= 1 && stage.every(({ rotation }) => rotation < slots)),
    )
  if (!sound) throw new MalformedEncryptionError(what, 'cannot be followed')
  return plan
}
