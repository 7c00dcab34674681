// What the range argument of a registration commits to, in which order, and how it is cut into layer proofs that each show one range.
// Section 14 of docs/spec/proofs.md.
import { isDense, type LayerSpec } from '@tacit/protocol'
import { ENCODED_POINT_BYTES } from '../commit/encoding.ts'
import { UnsupportedLayerError } from '../errors.ts'
import { accumulatorBits, accumulatorTerms, excessBitsFor } from '../excess.ts'
import { proofLayout } from '../protocol/messages.ts'
import { createRelation, MAX_COLUMNS } from '../relation/create-relation.ts'
import { type ActivationLayout, chunkCount, chunkLength } from '../relation/index-space.ts'

/** Public bounds on the hidden numbers of a layer: 0 <= M < 2^multiplierBits and -2^biasBits <= B < 2^biasBits. Weights are int8. */
export type RegistrationBounds = { readonly multiplierBits: number; readonly biasBits: number }

/** One tensor of int8 values shown to lie in low..high: weight rows, or bytes of all multipliers or biases. */
export type RangePart = {
  readonly holds: 'rows' | 'multipliers' | 'biases'
  /** First row of the registration, or first byte of the number. */
  readonly first: number
  readonly count: number
  readonly layout: ActivationLayout
  readonly spec: LayerSpec
}

/** Everything that follows from a layer spec and bounds. */
export type RangePlan = {
  readonly outputs: number
  readonly chunks: number
  /** Groups of a grouped convolution, whose rows are committed a second time in their places; 1 otherwise. */
  readonly groups: number
  /** Weights of a row in its own group. */
  readonly groupColumns: number
  readonly biasColumn: number
  readonly bytesOfMultiplier: number
  readonly bytesOfBias: number
  /** Outputs per commitment of a byte. */
  readonly byteChunk: number
  readonly parts: readonly RangePart[]
  readonly shiftedPoints: number
  readonly announcements: number
  readonly responses: number
  readonly proofBytes: number
}

const PART_VALUES = 1 << 17
const BYTE_CHUNK = 512

/**
 * Plans the range argument of a layer.
 * @throws UnsupportedLayerError for kinds without hidden weights, and bounds that no number has.
 */
export function planRange(spec: LayerSpec, bounds: RegistrationBounds): RangePlan {
  checkBounds(bounds)
  const { weightRows, linkColumns } = createRelation(spec)
  if (!isDense(spec) && spec.kind !== 'conv') throw new UnsupportedLayerError(`A ${spec.kind} layer has no hidden weights.`)
  const outputs = isDense(spec) ? spec.outputSize : spec.outputChannels
  const groups = isDense(spec) ? 1 : spec.group
  const input = isDense(spec)
    ? { groups: 1, length: spec.inputSize, chunk: spec.inputChunk }
    : { groups: 1, length: linkColumns / groups, chunk: linkColumns / groups }
  const chunks = chunkCount(input)
  const byteChunk = byteChunkOf(outputs)
  const parts = Array.from({ length: chunks }, (_, a) => rowParts(a * outputs, outputs, chunkLength(input, a))).flat()
  const [bytesOfMultiplier, bytesOfBias] = [bounds.multiplierBits, bounds.biasBits + 1].map((bits) => Math.ceil(bits / 8)) as [
    number,
    number,
  ]
  parts.push(...byteParts('multipliers', bounds.multiplierBits, { outputs, byteChunk }))
  parts.push(...byteParts('biases', bounds.biasBits + 1, { outputs, byteChunk }))
  const shiftedPoints = groups > 1 ? weightRows : 0
  const byteChunks = outputs / byteChunk
  const announcements = 1 + 2 * byteChunks + (groups > 1 ? groups + 1 : 0)
  const responses = 2 * outputs + 1 + 2 * byteChunks + (groups > 1 ? linkColumns + groups + 1 : 0)
  const points = shiftedPoints + announcements + parts.reduce((sum, { layout }) => sum + chunkCount(layout), 0)
  const proofs = parts.reduce((sum, part) => sum + proofLayout(createRelation(part.spec)).bytes, 0)
  return {
    outputs,
    chunks,
    groups,
    groupColumns: input.length,
    biasColumn: isDense(spec) ? spec.inputChunk : linkColumns,
    bytesOfMultiplier,
    bytesOfBias,
    byteChunk,
    parts,
    shiftedPoints,
    announcements,
    responses,
    proofBytes: ENCODED_POINT_BYTES * points + 32 * responses + proofs,
  }
}

/** The bounds for which `describeNetwork` chooses the excess bits of a layer: multipliers of 15 bits, or of 31 if a foreign tool made them. */
export function describedBounds(spec: LayerSpec, multiplierBits: 15 | 31 = 15): RegistrationBounds {
  return { multiplierBits, biasBits: Math.min(62, accumulatorBits(accumulatorTerms(spec)) + multiplierBits) }
}

/**
 * Whether no int8 input can make an accumulator leave the excess bits of a layer whose numbers keep the bounds: every input can then be
 * proved, and a prover who refuses one does so by choice.
 */
export function isAlwaysProvable(spec: LayerSpec, bounds: RegistrationBounds): boolean {
  if (!isDense(spec) && spec.kind !== 'conv') return false
  const { shift, excessBits } = spec.requantisation
  return excessBitsFor({ terms: accumulatorTerms(spec), shift }, bounds) <= excessBits
}

function checkBounds({ multiplierBits, biasBits }: RegistrationBounds): void {
  if (!Number.isInteger(multiplierBits) || multiplierBits < 1 || multiplierBits > 31)
    throw new UnsupportedLayerError('Multipliers are bounded by 1 to 31 bits.')
  if (!Number.isInteger(biasBits) || biasBits < 1 || biasBits > 62) throw new UnsupportedLayerError('Biases are bounded by 1 to 62 bits.')
}

// The largest divisor up to 512, so that no chunk has a rest; all outputs at once if their number has none worth having.
function byteChunkOf(outputs: number): number {
  let best = 1
  for (let n = 2; n <= Math.min(outputs, BYTE_CHUNK); n++) if (outputs % n === 0) best = n
  return best < 32 && outputs <= MAX_COLUMNS ? outputs : best
}

function rowParts(firstRow: number, outputs: number, length: number): RangePart[] {
  const parts: RangePart[] = []
  const most = Math.max(1, Math.floor(PART_VALUES / length))
  for (let first = 0; first < outputs; first += most) {
    const count = Math.min(most, outputs - first)
    parts.push(part({ holds: 'rows', first: firstRow + first, count }, { size: count * length, chunk: length }, [-128, 127]))
  }
  return parts
}

function byteParts(
  holds: 'multipliers' | 'biases',
  bits: number,
  { outputs, byteChunk }: { readonly outputs: number; readonly byteChunk: number },
): RangePart[] {
  const lower = Math.ceil(bits / 8) - 1
  const highest = part({ holds, first: lower, count: 1 }, { size: outputs, chunk: byteChunk }, [-128, 2 ** (bits - 8 * lower) - 129])
  if (lower === 0) return [highest]
  return [part({ holds, first: 0, count: lower }, { size: lower * outputs, chunk: byteChunk }, [-128, 127]), highest]
}

// y = x through 2 (x - low) + 1 = 2 Y + rho: what is left of such a layer is that Y = x - low is made of bits.
function part(
  what: Pick<RangePart, 'holds' | 'first' | 'count'>,
  { size, chunk }: { readonly size: number; readonly chunk: number },
  [low, high]: readonly [number, number],
): RangePart {
  const cells = 2 + 32 - Math.clz32(high - low)
  const slots = Math.max(1, Math.min(64, chunk, Math.round(Math.sqrt((33 * size) / (32 * cells)))))
  const requantisation = { shift: 1, zeroPoint: low, low, high, excessBits: 0 }
  const spec: LayerSpec = { kind: 'rescale', size, chunk, slots, inputZeroPoint: low, multiplier: 2, bias: 0, requantisation }
  return { ...what, layout: { groups: 1, length: size, chunk }, spec }
}
