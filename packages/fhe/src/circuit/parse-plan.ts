import { equalBytes, utf8 } from '@tacit/protocol'
import { MalformedEncryptionError } from '../errors.ts'
import { maximumKeys } from '../ckks/evaluation-keys.ts'
import { getParameters, parameterSetNames } from '../parameters.ts'
import { largestFlooding } from './flooding.ts'
import { type CircuitPlan, fitsOutputs, planSizes } from './plan.ts'

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
  output: object({ inputs: count, outputs: count, weightScale: positive, scale: positive, bound: positive, width: count, flooding: count }),
  bounds: list(number, 4),
  error: object({ bound: positive, typical: positive, deviation: positive, typicalDeviation: positive, failureLog2: number }),
  sizes: object({ requestBytes: size, responseBytes: size, keyBytes: size, keys: count }),
})

/**
 * Reads a plan from JSON bytes and checks it.
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
  assertPlan(value)
  // One name for one plan: its hash is part of a model's root, so no second spelling of it is accepted.
  if (!equalBytes(encodePlan(value), bytes)) throw new MalformedEncryptionError(what, 'is not written canonically')
  return value
}

/**
 * The canonical bytes of a plan, which are hashed into a model's root: JSON with sorted names and no spaces, numbers as ECMAScript writes
 * them (RFC 8785 for plans, whose names are ASCII; documents of the protocol hold no fractions, plans do).
 */
export function encodePlan(plan: CircuitPlan): Uint8Array<ArrayBuffer> {
  return utf8(JSON.stringify(plan, sortNames))
}

function sortNames(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * Checks that an evaluator can follow a plan without leaving its buffers, that a client can without memory beyond reason, and that its
 * outputs cannot wrap. A plan may come from whoever wants the client's secret: nothing in it is believed.
 * @throws MalformedEncryptionError
 */
export function assertPlan(value: unknown): asserts value is CircuitPlan {
  const what = 'The circuit plan'
  if (!planShape(value)) throw new MalformedEncryptionError(what, 'has another shape')
  // The shape was checked field by field above.
  const plan = value as CircuitPlan
  const parameters = getParameters(plan.parameters)
  const { polyDegree, coefficientModuli } = parameters
  const slots = polyDegree / 2
  const layers = plan.hidden.length
  const powerOfTwo = (n: number): boolean => n > 0 && (n & (n - 1)) === 0
  const sound =
    plan.level === 2 + 2 * layers &&
    plan.level <= coefficientModuli.length &&
    plan.bounds.length === layers + 1 &&
    plan.output.width >= 20 &&
    plan.output.width <= 60 &&
    plan.output.flooding <= largestFlooding &&
    plan.output.outputs >= 1 &&
    plan.output.outputs * (layers === 0 ? plan.output.inputs : 1) <= polyDegree &&
    plan.input.range.length === 2 &&
    Math.max(1, ...plan.input.range.map(Math.abs)) * plan.input.scale <= 2 ** 57 &&
    plan.input.count <= polyDegree &&
    plan.hidden.reduce((sum, { diagonals, folds }) => sum + diagonals - 1 + folds.flat().length, 0) <= 4 * maximumKeys &&
    plan.hidden.every(
      ({ level, period, diagonals, folds }, index) =>
        level === plan.level - 2 * index &&
        powerOfTwo(period) &&
        period <= slots &&
        diagonals >= 1 &&
        diagonals <= slots &&
        folds.every((stage) => stage.length >= 1 && stage.every(({ rotation }) => rotation < slots)),
    )
  if (!sound || !fitsOutputs(parameters, plan.output, plan.error.bound)) throw new MalformedEncryptionError(what, 'cannot be followed')
  const sizes = planSizes(parameters, plan)
  const names = ['requestBytes', 'responseBytes', 'keyBytes', 'keys'] as const
  if (sizes.keys > maximumKeys || names.some((name) => sizes[name] !== plan.sizes[name]))
    throw new MalformedEncryptionError(what, 'states other sizes than follow from it')
}
