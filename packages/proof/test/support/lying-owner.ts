// An owner who follows the range argument's protocol with whatever numbers it is given: from the reference modules, for tests only.
import { concatBytes, type LayerSpec, toHex } from '@tacit/protocol'
import { scalarBytes } from '../../src/kernels/field.ts'
import { combine, digest, generator, mod, type Point } from '../../src/reference/arithmetic.ts'
import { existingRows, shapeOf } from '../../src/reference/layer.ts'
import {
  type Part,
  partSpec,
  partStatementOf,
  rangeEquations,
  type RangeShape,
  rangeShape,
  rangeTranscript,
  registrationOf,
  secretNames,
} from '../../src/reference/registration-range.ts'
import { fresh, type Instance, type Opened, opened, proveAnything } from './lying-prover.ts'

/** What an owner registers and what it says about it; everything may be false. */
export type OwnerLie = {
  spec: LayerSpec
  bounds: { multiplierBits: number; biasBits: number }
  /** Rows as registered. */
  registered: Opened[]
  /** Weights of every row as committed in the parts, chunk by chunk. */
  rows: bigint[][]
  multipliers: bigint[]
  biases: bigint[]
  /** Bytes of the numbers, changed after they were cut. */
  bytes?: (name: 'multipliers' | 'biases', bytes: bigint[]) => bigint[]
  /** Rows in the columns of their groups. */
  moved?: bigint[][]
}

const encode = (list: readonly Point[]): Uint8Array<ArrayBuffer> => concatBytes(...list.map((point) => point.toBytes(true)))
const commit = ({ vector, blinder }: Opened): Point =>
  combine([...vector.map((_, k) => generator(`G/${k}`)), generator('H')], [...vector, blinder])

/** The truth about a dense layer of five inputs in chunks of three, and three outputs: multipliers of three bits, biases of four. */
export function honestOwner(spec: LayerSpec): OwnerLie {
  const [multipliers, biases] = [
    [3n, 7n, 0n],
    [-16n, 15n, 2n],
  ]
  const rows = [
    [1n, -2n, 3n],
    [127n, -128n, 0n],
    [4n, 5n, 6n],
    [7n, 8n],
    [-9n, 1n],
    [0n, 0n],
  ]
  const registered = rows.map((row, k) => {
    const scaled = row.map((w) => w * (multipliers[k % 3] ?? 0n))
    while (scaled.length < 4) scaled.push(0n)
    if (k >= 3) scaled[3] = biases[k - 3] ?? 0n
    return opened(scaled)
  })
  return { spec, bounds: { multiplierBits: 3, biasBits: 4 }, registered, rows, multipliers, biases }
}

/** The registration and its range argument. */
export function lieAbout(lie: OwnerLie, layerIndex: number) {
  const { spec, bounds, registered } = lie
  const shape = rangeShape(spec, bounds)
  const parts = openParts(lie, shape)
  const shifted = lie.moved?.map(opened) ?? []
  const given = { registered: registered.map(commit), parts: parts.map((part) => part.map(commit)), shifted: shifted.map(commit) }
  const partBytes = given.parts.map(encode)
  const points = encode(given.registered)
  const digestOf = registrationOf(spec, points, layerIndex)
  const transcript = rangeTranscript(digestOf, bounds, partBytes, shape.groups > 1 ? encode(given.shifted) : undefined)
  const binding = transcript.state
  const epsilon = transcript.challenge('epsilon')
  const equations = rangeEquations(shape, bounds, epsilon, given)
  const secrets = secretsOf(lie, shape, parts, shifted, epsilon)
  const masks = new Map([...secrets.keys()].map((name) => [name, fresh()]))
  const announcements = encode(
    equations.map(({ terms }) =>
      combine(
        terms.map(([point]) => point),
        terms.map(([, name, coefficient]) => coefficient * (masks.get(name) ?? 0n)),
      ),
    ),
  )
  transcript.absorb('announcements', digest(announcements))
  const c = transcript.challenge('c')
  const responses = secretNames(shape).map((name) => scalarBytes(mod((masks.get(name) ?? 0n) + c * (secrets.get(name) ?? 0n))))
  const proofs = shape.parts.map((part, index) => {
    const statement = partStatementOf(part, index, partBytes[index] ?? new Uint8Array(0), digestOf, binding)
    return proveAnything(instanceOf(part, parts[index] ?? [], statement), statement)
  })
  const proof = concatBytes(...partBytes, encode(given.shifted), announcements, ...responses, ...proofs)
  return { registration: { spec, points: toHex(points), digest: toHex(digestOf) }, proof, partBytes, announcements: announcements.length }
}

function openParts(lie: OwnerLie, shape: RangeShape): Opened[][] {
  const { multiplierBits, biasBits } = lie.bounds
  const bytesOf = (numbers: readonly bigint[], bits: number): bigint[] =>
    Array.from({ length: Math.ceil(bits / 8) }, (_, j) => numbers.map((n) => ((n >> BigInt(8 * j)) & 255n) - 128n)).flat()
  const change = lie.bytes ?? ((_, bytes) => bytes)
  const values = {
    rows: lie.rows.flat(),
    multipliers: change('multipliers', bytesOf(lie.multipliers, multiplierBits)),
    biases: change(
      'biases',
      bytesOf(
        lie.biases.map((b) => b + 2n ** BigInt(biasBits)),
        biasBits + 1,
      ),
    ),
  }
  const used = { rows: 0, multipliers: 0, biases: 0 }
  return shape.parts.map(({ holds, size, chunk }) => {
    const mine = values[holds].slice(used[holds], used[holds] + size)
    used[holds] += size
    return Array.from({ length: size / chunk }, (_, k) => opened(mine.slice(k * chunk, (k + 1) * chunk)))
  })
}

function secretsOf(
  lie: OwnerLie,
  shape: RangeShape,
  parts: readonly Opened[][],
  shifted: readonly Opened[],
  epsilon: bigint,
): Map<string, bigint> {
  const { m, A, groups, own, w } = shape
  const secrets = new Map<string, bigint>(secretNames(shape).map((name) => [name, 0n]))
  const add = (name: string, value: bigint): void => {
    secrets.set(name, mod((secrets.get(name) ?? 0n) + value))
  }
  lie.multipliers.forEach((value, o) => add(`M${o}`, value))
  lie.biases.forEach((value, o) => add(`B${o}`, value))
  const of = (holds: Part['holds']): Opened[] => parts.filter((_, k) => shape.parts[k]?.holds === holds).flat()
  const rows = of('rows')
  const bound = groups > 1 ? shifted : rows
  let e = 1n
  for (let k = 0; k < A * m; k++, e = mod(e * epsilon)) {
    add('t', e * ((lie.registered[k]?.blinder ?? 0n) - (lie.multipliers[k % m] ?? 0n) * (bound[k]?.blinder ?? 0n)))
    if (groups === 1) continue
    const group = Math.floor(k / (m / groups))
    add(`pi${group}`, e * (rows[k]?.blinder ?? 0n))
    add('sigma', e * (shifted[k]?.blinder ?? 0n))
    rows[k]?.vector.forEach((value, i) => add(`v${group * own + i}`, e * value))
  }
  for (const [holds, name] of [
    ['multipliers', 'mu'],
    ['biases', 'beta'],
  ] as const)
    of(holds).forEach(({ blinder }, k) => add(`${name}${k % (m / w)}`, blinder * 256n ** BigInt(Math.floor((k * w) / m))))
  return secrets
}

// The best cells for values that may be out of range: the bits of x - low, the highest cell taking whatever is left over.
function instanceOf(part: Part, chunks: Opened[], statement: { readonly context: Instance['context'] }): Instance {
  const spec = partSpec(part)
  const shape = shapeOf(spec)
  const width = shape.cells - 2
  const rows = existingRows(shape)
  const blocks = Math.ceil(part.chunk / shape.slots)
  const cells = rows.map((_, row) =>
    Array.from({ length: shape.slots }, (_, slot) => {
      const column = (row % blocks) * shape.slots + slot
      const value = column < part.chunk ? chunks[Math.floor(row / blocks)]?.vector[column] : undefined
      if (value === undefined) return new Array<bigint>(shape.cells).fill(0n)
      const distance = mod(value - BigInt(part.low))
      const small = distance < 2n ** 40n ? distance : 0n
      const bits = Array.from({ length: width }, (_, k) => (small >> BigInt(k)) & 1n)
      const top = 2n ** BigInt(width - 1)
      bits[width - 1] = mod((distance - bits.slice(0, -1).reduce((sum, bit, k) => sum + bit * 2n ** BigInt(k), 0n)) * inverse(top))
      return [1n, ...bits, 0n]
    }).flat(),
  )
  return { spec, context: statement.context, weights: [], inputs: [chunks], output: chunks, auxiliary: [], cells }
}

function inverse(value: bigint): bigint {
  let result = 1n
  const exponent = mod(-2n)
  for (let k = 255n; k >= 0n; k--) result = mod(result * result * ((exponent >> k) & 1n ? value : 1n))
  return result
}
