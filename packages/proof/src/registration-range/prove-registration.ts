// The owner's side of the range argument: made once per registered layer, by whoever holds weights and blinders.
import { concatBytes, isDense, parseHex } from '@tacit/protocol'
import { type ActivationOpening, commitActivation } from '../commit/activation.ts'
import { affineOf, encodePoints } from '../commit/encoding.ts'
import type { SecretWeights } from '../commit/weights.ts'
import { WitnessMismatchError } from '../errors.ts'
import { HedgedRandom } from '../hedged-random.ts'
import { bytesToNumber, mod, scalarBytes } from '../kernels/field.ts'
import { type ProveOptions, proveLayer } from '../prover/prove-layer.ts'
import type { Transcript } from '../transcript.ts'
import { linkEquations, type PointTable, placePoints, rowWeights, secretOrder, TableSum } from './link.ts'
import { planRange, type RangePart, type RangePlan, type RegistrationBounds } from './plan.ts'
import { partStatement, startRangeTranscript } from './transcript.ts'

/** Bounds to prove, and where and with what randomness. */
export type ProveRegistrationOptions = Omit<ProveOptions, 'onProgress'> & {
  readonly bounds: RegistrationBounds
  readonly onProgress?: (provedParts: number, parts: number) => void
}

/**
 * Proves that a registered layer holds int8 weights, and multipliers and biases within bounds. Hides everything else.
 * @example
 * const proof = await proveRegistration(weights, { engine, random, bounds: { multiplierBits: 15, biasBits: 40 } })
 * @throws WitnessMismatchError when a multiplier or bias is out of bounds.
 * @throws UnsupportedLayerError for kinds without hidden weights.
 */
export async function proveRegistration(weights: SecretWeights, options: ProveRegistrationOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { engine, random, bounds, signal, onProgress } = options
  const { registration } = weights
  const plan = planRange(registration.spec, bounds)
  checkBounds(weights, bounds)
  const openings: ActivationOpening[] = []
  for (const part of plan.parts) {
    signal?.throwIfAborted()
    openings.push(await commitActivation(partValues(weights, plan, part, bounds), part.layout, { engine, random }))
  }
  const moved = plan.groups > 1 ? await commitActivation(movedRows(weights, plan), movedLayout(plan), { engine, random }) : undefined
  const shifted = moved === undefined ? undefined : parseHex(moved.commitment, 'Commitments')
  const parts = openings.map((opening) => opening.commitment)
  const { transcript, binding } = startRangeTranscript(registration.digest, bounds, { parts, shifted })
  const link = await engine.exclusive(64, () =>
    engine.kernels.scoped(() => proveLink({ weights, plan, openings, moved, transcript, options })),
  )
  const proofs: Uint8Array[] = []
  for (const [index, opening] of openings.entries()) {
    const statement = partStatement(plan, index, opening.commitment, { digest: registration.digest, binding })
    const only = signal === undefined ? { engine, random } : { engine, random, signal }
    proofs.push(await proveLayer(statement, { inputs: [opening], output: opening }, only))
    onProgress?.(proofs.length, openings.length)
  }
  return concatBytes(
    ...parts.map((points) => parseHex(points, 'Commitments')),
    ...(shifted === undefined ? [] : [shifted]),
    link,
    ...proofs,
  )
}

function checkBounds({ values }: SecretWeights, { multiplierBits, biasBits }: RegistrationBounds): void {
  if (values.multipliers.some((m) => m < 0 || m >= 2 ** multiplierBits)) throw new WitnessMismatchError('A multiplier is out of bounds.')
  const top = 1n << BigInt(biasBits)
  if (values.biases.some((b) => b < -top || b >= top)) throw new WitnessMismatchError('A bias is out of bounds.')
}

function partValues(weights: SecretWeights, plan: RangePlan, part: RangePart, bounds: RegistrationBounds): Int8Array {
  const { values } = weights
  const { outputs } = plan
  const out = new Int8Array(part.layout.length)
  if (part.holds === 'rows') {
    const { spec } = weights.registration
    const rowLength = values.weights.length / outputs
    const from = isDense(spec) ? Math.floor(part.first / outputs) * spec.inputChunk : 0
    const length = part.layout.chunk
    for (let k = 0; k < part.count; k++) {
      const start = ((part.first + k) % outputs) * rowLength + from
      out.set(values.weights.subarray(start, start + length), k * length)
    }
    return out
  }
  const numbers =
    part.holds === 'multipliers' ? values.multipliers.map(BigInt) : values.biases.map((bias) => bias + (1n << BigInt(bounds.biasBits)))
  for (let j = 0; j < part.count; j++)
    for (const [o, value] of numbers.entries()) out[j * outputs + o] = Number((value >> BigInt(8 * (part.first + j))) & 255n) - 128
  return out
}

const movedLayout = (plan: RangePlan) => {
  const chunk = plan.groups * plan.groupColumns
  return { groups: 1, length: plan.outputs * chunk, chunk }
}

function movedRows({ values }: SecretWeights, plan: RangePlan): Int8Array {
  const { outputs, groups, groupColumns } = plan
  const out = new Int8Array(movedLayout(plan).length)
  for (let o = 0; o < outputs; o++) {
    const group = Math.floor(o / (outputs / groups))
    out.set(values.weights.subarray(o * groupColumns, (o + 1) * groupColumns), o * groups * groupColumns + group * groupColumns)
  }
  return out
}

type LinkWitness = {
  readonly weights: SecretWeights
  readonly plan: RangePlan
  readonly openings: readonly ActivationOpening[]
  readonly moved: ActivationOpening | undefined
  readonly transcript: Transcript
  readonly options: ProveRegistrationOptions
}

function proveLink(witness: LinkWitness): Uint8Array {
  const { weights, plan, openings, moved, transcript, options } = witness
  const { engine, bounds } = options
  const { kernels } = engine
  const table = tableOf(witness)
  const epsilon = transcript.challenge('epsilon')
  const secrets = linkSecrets(witness, epsilon)
  const parts = [weights.maskSecret, ...openings.map((opening) => opening.blinders), moved?.blinders ?? new Uint8Array(0), transcript.state]
  const random = new HedgedRandom(options.random, 'registration-range', parts)
  const masks = secrets.map(() => random.scalar())
  random.destroy()
  const equations = linkEquations(plan, table, epsilon, bounds.biasBits)
  const announcements = equations.map((equation) =>
    kernels.scoped(() => {
      const sum = new TableSum(kernels, table)
      for (const [point, secret, coefficient] of equation.secrets) sum.add(point, mod(coefficient * (masks[secret] ?? 0n)))
      return encodePoints(kernels, affineOf(kernels, sum.evaluate(), 1), 1)
    }),
  )
  const announced = concatBytes(...announcements)
  transcript.absorb('announcements', announced)
  const c = transcript.challenge('c')
  return concatBytes(announced, ...secrets.map((secret, k) => scalarBytes(mod((masks[k] ?? 0n) + c * secret))))
}

function tableOf({ weights, plan, openings, moved, options }: LinkWitness): PointTable {
  const points = (holds: RangePart['holds']): Uint8Array =>
    concatBytes(...openings.filter((_, k) => plan.parts[k]?.holds === holds).map((opening) => parseHex(opening.commitment, 'Commitments')))
  const table = placePoints(options.engine, plan, {
    registered: parseHex(weights.registration.points ?? '0x', 'The weight commitments'),
    rows: points('rows'),
    multiplierBytes: points('multipliers'),
    biasBytes: points('biases'),
    shifted: parseHex(moved?.commitment ?? '0x', 'Commitments'),
  })
  if (table === undefined) throw new WitnessMismatchError('The registered commitments are not points.')
  return table
}

// M, B, v, t, mu, beta, pi, sigma
function linkSecrets({ weights, plan, openings, moved }: LinkWitness, epsilon: bigint): readonly bigint[] {
  const { outputs, chunks, groups, groupColumns, byteChunk } = plan
  const order = secretOrder(plan)
  const secrets = new Array<bigint>(plan.responses).fill(0n)
  const add = (k: number, value: bigint): void => {
    secrets[k] = mod((secrets[k] ?? 0n) + value)
  }
  const { values } = weights
  values.multipliers.forEach((m, o) => add(order.multipliers + o, BigInt(m)))
  values.biases.forEach((b, o) => add(order.biases + o, b))
  const e = rowWeights(plan, epsilon)
  const rowBlinders = blindersOf(openings.filter((_, k) => plan.parts[k]?.holds === 'rows'))
  const bound = moved === undefined ? rowBlinders : blindersOf([moved])
  const registered = split(weights.blinders)
  for (let row = 0; row < chunks * outputs; row++) {
    const multiplier = BigInt(values.multipliers[row % outputs] ?? 0)
    add(order.t, (e[row] ?? 0n) * ((registered[row] ?? 0n) - multiplier * (bound[row] ?? 0n)))
  }
  for (const [holds, first] of [
    ['multipliers', order.mu],
    ['biases', order.beta],
  ] as const) {
    const blinders = blindersOf(openings.filter((_, k) => plan.parts[k]?.holds === holds))
    const byteChunks = outputs / byteChunk
    blinders.forEach((blinder, i) => add(first + (i % byteChunks), blinder << BigInt(8 * Math.floor(i / byteChunks))))
  }
  if (moved === undefined) return secrets
  for (let o = 0; o < outputs; o++) {
    const group = Math.floor(o / (outputs / groups))
    const weight = e[o] ?? 0n
    for (let i = 0; i < groupColumns; i++)
      add(order.combined + group * groupColumns + i, weight * BigInt(values.weights[o * groupColumns + i] ?? 0))
    add(order.pi + group, weight * (rowBlinders[o] ?? 0n))
    add(order.sigma, weight * (bound[o] ?? 0n))
  }
  return secrets
}

function blindersOf(openings: readonly ActivationOpening[]): readonly bigint[] {
  return openings.flatMap((opening) => split(opening.blinders))
}

function split(bytes: Uint8Array): bigint[] {
  return Array.from({ length: bytes.length / 32 }, (_, k) => bytesToNumber(bytes.subarray(32 * k, 32 * k + 32)))
}
