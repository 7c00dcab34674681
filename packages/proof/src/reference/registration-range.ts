// The reference verifier of range arguments (docs/spec/proofs.md, section 14): plain BigInt, every equation on its own, nothing shared
// with the production code.
import {
  concatBytes,
  isDense,
  layerSpecDigest,
  type LayerContext,
  type LayerSpec,
  type LayerStatement,
  parseHex,
  toHex,
} from '@tacit/protocol'
import {
  combine,
  digest,
  generator,
  type Point,
  Point as Group,
  power,
  ReferenceTranscript,
  r as order,
  toNumber,
  toPoint,
  word,
} from './arithmetic.ts'
import { shapeOf } from './layer.ts'
import { verifyLayerSlowly } from './verify-layer-slowly.ts'

type Bounds = { readonly multiplierBits: number; readonly biasBits: number }
/** One part: `size` values in chunks of `chunk`, between `low` and `high`. */
export type Part = {
  readonly holds: 'rows' | 'multipliers' | 'biases'
  readonly size: number
  readonly chunk: number
  readonly low: number
  readonly high: number
}
/** The sizes of a range argument. */
export type RangeShape = {
  readonly m: number
  readonly A: number
  readonly groups: number
  /** Weights of a row in its group. */
  readonly own: number
  readonly biasColumn: number
  readonly w: number
  readonly parts: readonly Part[]
}
/** One equation of the link: sum of coefficient * secret * point = image. */
export type Equation = { readonly image: Point; readonly terms: readonly (readonly [point: Point, secret: string, coefficient: bigint])[] }

const each = <T>(n: number, f: (k: number) => T): T[] => Array.from({ length: n }, (_, k) => f(k))

/** Sizes and parts, in order. */
export function rangeShape(spec: LayerSpec, { multiplierBits, biasBits }: Bounds): RangeShape {
  const dense = isDense(spec)
  if (!dense && spec.kind !== 'conv') throw new Error('no hidden weights')
  const m = isDense(spec) ? spec.outputSize : spec.outputChannels
  const groups = isDense(spec) ? 1 : spec.group
  const taps = dense ? 0 : shapeOf(spec).link
  const lengths = dense
    ? each(Math.ceil(spec.inputSize / spec.inputChunk), (a) => Math.min(spec.inputChunk, spec.inputSize - a * spec.inputChunk))
    : [taps / groups]
  const divisors = each(Math.min(m, 512), (k) => k + 1).filter((n) => m % n === 0)
  const best = divisors.at(-1) ?? 1
  const w = best < 32 && m <= 8192 ? m : best
  const rows = lengths.flatMap((length) => {
    const most = Math.max(1, Math.floor(2 ** 17 / length))
    return each(
      Math.ceil(m / most),
      (k): Part => ({ holds: 'rows', size: Math.min(most, m - k * most) * length, chunk: length, low: -128, high: 127 }),
    )
  })
  const bytes = (holds: Part['holds'], bits: number): Part[] => {
    const lower = Math.ceil(bits / 8) - 1
    const highest: Part = { holds, size: m, chunk: w, low: -128, high: -129 + 2 ** (bits - 8 * lower) }
    return lower > 0 ? [{ holds, size: lower * m, chunk: w, low: -128, high: 127 }, highest] : [highest]
  }
  const parts = [...rows, ...bytes('multipliers', multiplierBits), ...bytes('biases', biasBits + 1)]
  return { m, A: lengths.length, groups, own: lengths[0] ?? 0, biasColumn: dense ? spec.inputChunk : taps, w, parts }
}

/** The layer that shows the range of a part. */
export function partSpec({ size, chunk, low, high }: Part): LayerSpec {
  const cells = Math.ceil(Math.log2(high - low + 1)) + 2
  const slots = Math.max(1, Math.min(64, chunk, Math.round(Math.sqrt((33 * size) / (32 * cells)))))
  return {
    kind: 'rescale',
    size,
    chunk,
    slots,
    inputZeroPoint: low,
    multiplier: 2,
    bias: 0,
    requantisation: { shift: 1, zeroPoint: low, low, high, excessBits: 0 },
  }
}

/** (L), M_k, B_k and, with groups, P_g and S. */
export function rangeEquations(
  shape: RangeShape,
  bounds: Bounds,
  epsilon: bigint,
  points: { readonly registered: readonly Point[]; readonly parts: readonly (readonly Point[])[]; readonly shifted: readonly Point[] },
): readonly Equation[] {
  const { m, A, groups, own, biasColumn, w, parts } = shape
  const of = (holds: Part['holds']): readonly Point[] => points.parts.filter((_, k) => parts[k]?.holds === holds).flat()
  const [G, H] = [each(Math.max(biasColumn + 1, w), (k) => generator(`G/${k}`)), generator('H')]
  const g = (k: number): Point => G[k] ?? Group.ZERO
  const rows = of('rows')
  const e = each(A * m, (k) => power(epsilon, k))
  const bound = groups > 1 ? points.shifted : rows
  const L: Equation = {
    image: combine(points.registered, e),
    terms: [
      ...each(A * m, (k) => [bound[k] ?? Group.ZERO, `M${k % m}`, e[k] ?? 0n] as const),
      ...each(m, (o) => [g(biasColumn), `B${o}`, e[(A - 1) * m + o] ?? 0n] as const),
      [H, 't', 1n],
    ],
  }
  const number = (name: 'M' | 'B', bits: number, bytes: readonly Point[], offset: bigint): Equation[] => {
    const powers = each(Math.ceil(bits / 8), (j) => 256n ** BigInt(j))
    const shift = 128n * powers.reduce((a, b) => a + b, 0n) - offset
    return each(m / w, (k) => ({
      image: combine(
        powers.map((_, j) => bytes[(j * m) / w + k] ?? Group.ZERO),
        powers,
      ).add(combine(G.slice(0, w), new Array<bigint>(w).fill(shift))),
      terms: [...each(w, (i) => [g(i), `${name}${k * w + i}`, 1n] as const), [H, `${name === 'M' ? 'mu' : 'beta'}${k}`, 1n]],
    }))
  }
  const equations = [
    L,
    ...number('M', bounds.multiplierBits, of('multipliers'), 0n),
    ...number('B', bounds.biasBits + 1, of('biases'), 2n ** BigInt(bounds.biasBits)),
  ]
  if (groups === 1) return equations
  const perGroup = m / groups
  return [
    ...equations,
    ...each(
      groups,
      (k): Equation => ({
        image: combine(rows.slice(k * perGroup, (k + 1) * perGroup), e.slice(k * perGroup, (k + 1) * perGroup)),
        terms: [...each(own, (i) => [g(i), `v${k * own + i}`, 1n] as const), [H, `pi${k}`, 1n]],
      }),
    ),
    { image: combine(points.shifted, e), terms: [...each(groups * own, (i) => [g(i), `v${i}`, 1n] as const), [H, 'sigma', 1n]] },
  ]
}

/** The names of the secrets in the order of their responses. */
export function secretNames({ m, groups, own, w }: RangeShape): readonly string[] {
  const list = (name: string, n: number): string[] => each(n, (k) => `${name}${k}`)
  const grouped = groups > 1
  return [
    ...list('M', m),
    ...list('B', m),
    ...list('v', grouped ? groups * own : 0),
    't',
    ...list('mu', m / w),
    ...list('beta', m / w),
    ...list('pi', grouped ? groups : 0),
    ...(grouped ? ['sigma'] : []),
  ]
}

/** The registration digest of Section 3. */
export function registrationOf(spec: LayerSpec, points: Uint8Array, layerIndex: number): Uint8Array {
  const transcript = new ReferenceTranscript('registration')
  transcript.absorb('index', word(layerIndex))
  transcript.absorb('spec', layerSpecDigest(spec))
  transcript.absorb('points', digest(points))
  return transcript.state
}

/** The statement of part `index`. */
export function partStatementOf(
  part: Part,
  index: number,
  points: Uint8Array,
  registration: Uint8Array,
  binding: Uint8Array,
): LayerStatement {
  const [nobody, bound] = [`0x${'00'.repeat(20)}`, toHex(binding)] as const
  // words and addresses by construction
  const context = {
    chainId: '0',
    registry: nobody,
    modelId: toHex(registration),
    requestId: bound,
    nonce: bound,
    payee: nobody,
    layerIndex: index,
  } as LayerContext
  const hex = toHex(points)
  return { spec: partSpec(part), weights: null, inputs: [hex], output: hex, context }
}

/** Checks a range argument as slowly and plainly as possible. */
export function verifyRegistrationSlowly(
  registration: { readonly spec: LayerSpec; readonly points: `0x${string}` | null },
  proof: Uint8Array,
  options: { readonly layerIndex: number; readonly bounds: Bounds },
): boolean {
  try {
    return check(registration, proof, options)
  } catch {
    return false
  }
}

function check(
  { spec, points }: { readonly spec: LayerSpec; readonly points: `0x${string}` | null },
  proof: Uint8Array,
  { layerIndex, bounds }: { readonly layerIndex: number; readonly bounds: Bounds },
): boolean {
  const shape = rangeShape(spec, bounds)
  const registeredBytes = parseHex(points ?? '0x', 'Points')
  let at = 0
  const take = (n: number): Uint8Array => {
    const part = proof.subarray(at, at + n)
    if (part.length !== n) throw new Error('too short')
    at += n
    return part
  }
  const partBytes = shape.parts.map(({ size, chunk }) => take((33 * size) / chunk))
  const shiftedBytes = take(shape.groups > 1 ? 33 * shape.m : 0)
  const pointsOf = (bytes: Uint8Array): Point[] => each(bytes.length / 33, (k) => toPoint(bytes.subarray(33 * k, 33 * k + 33)))
  const registered = pointsOf(registeredBytes)
  if (registered.length !== shape.A * shape.m) throw new Error('another number of rows')
  const given = { registered, parts: partBytes.map(pointsOf), shifted: pointsOf(shiftedBytes) }
  const names = secretNames(shape)
  const announcementBytes = take(33 * (1 + (2 * shape.m) / shape.w + (shape.groups > 1 ? shape.groups + 1 : 0)))
  const responseBytes = take(32 * names.length)
  const responses = new Map(names.map((name, k) => [name, toNumber(responseBytes.subarray(32 * k, 32 * k + 32))]))
  if ([...responses.values()].some((value) => value >= order)) throw new Error('not canonical')
  const registration = registrationOf(spec, registeredBytes, layerIndex)
  const transcript = rangeTranscript(registration, bounds, partBytes, shape.groups > 1 ? shiftedBytes : undefined)
  const binding = transcript.state
  const epsilon = transcript.challenge('epsilon')
  transcript.absorb('announcements', digest(announcementBytes))
  const c = transcript.challenge('c')
  const announcements = pointsOf(announcementBytes)
  const links = rangeEquations(shape, bounds, epsilon, given).every(({ image, terms }, k) => {
    const left = combine(
      terms.map(([point]) => point),
      terms.map(([, name, coefficient]) => coefficient * (responses.get(name) ?? 0n)),
    )
    return left.equals((announcements[k] ?? Group.ZERO).add(combine([image], [c])))
  })
  if (!links) return false
  // what is left are the proofs of the parts, each as long as it says by being accepted
  const rest = proof.subarray(at)
  let from = 0
  for (const [index, part] of shape.parts.entries()) {
    const statement = partStatementOf(part, index, partBytes[index] ?? concatBytes(), registration, binding)
    const length = partProofBytes(part)
    if (!verifyLayerSlowly(statement, rest.subarray(from, from + length)).ok) return false
    from += length
  }
  return from === rest.length
}

/** The transcript after everything that is committed. */
export function rangeTranscript(
  registration: Uint8Array,
  bounds: Bounds,
  parts: readonly Uint8Array[],
  shifted?: Uint8Array,
): ReferenceTranscript {
  const transcript = new ReferenceTranscript('registration-range')
  transcript.absorb('layer', registration)
  transcript.absorb('bounds', digest(Uint8Array.of(bounds.multiplierBits, bounds.biasBits)))
  for (const points of parts) transcript.absorb('part', digest(points))
  if (shifted !== undefined) transcript.absorb('shifted', digest(shifted))
  return transcript
}

// Section 6: rows + 2 rowBits + phi + 5 points, F + gB + 4 scalars; phi of a rescale layer has the powers -2, -1, 1.
function partProofBytes(part: Part): number {
  const { size, chunk } = part
  const shape = shapeOf(partSpec(part))
  const blocks = Math.ceil(chunk / shape.slots)
  const rowBits = Math.ceil(Math.log2(size / chunk)) + Math.ceil(Math.log2(blocks))
  return 33 * ((size / chunk) * blocks + 2 * rowBits + 3 + 5) + 32 * (chunk + shape.slots * shape.cells + 4)
}
