// Commitments to int8 tensors, one Pedersen vector commitment per chunk.
import { equalBytes, type Hex, parseHex, toHex } from '@tacit/protocol'
import type { ProofEngine, Tables } from '../engine.ts'
import { WitnessMismatchError } from '../errors.ts'
import { HedgedRandom, type RandomSource } from '../hedged-random.ts'
import { type Kernels, SCALAR_BYTES, SUM_BYTES } from '../kernels/kernels.ts'
import { MAX_COLUMNS } from '../relation/create-relation.ts'
import { type ActivationLayout, chunkCount, chunkLength, chunkStart } from '../relation/index-space.ts'
import { affineOf, encodePoints } from './encoding.ts'
import { addBlinder, sumSmallRows } from './points.ts'

/** What opens an activation commitment. Secret: it prints as nothing. */
export class ActivationOpening {
  readonly layout: ActivationLayout
  /** The commitment that this opens: 33-byte points, one per chunk. */
  readonly commitment: Hex
  readonly #values: Int8Array
  readonly #blinders: Uint8Array

  /** Use `commitActivation` or `openActivation`. */
  constructor(layout: ActivationLayout, commitment: Hex, values: Int8Array, blinders: Uint8Array) {
    this.layout = layout
    this.commitment = commitment
    this.#values = values
    this.#blinders = blinders
  }

  /** The committed values: secret. */
  get values(): Int8Array {
    return this.#values
  }

  /** 32 bytes per chunk: secret. */
  get blinders(): Uint8Array {
    return this.#blinders
  }

  toJSON(): string {
    return '[activation opening]'
  }

  toString(): string {
    return '[activation opening]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[activation opening]'
  }
}

/**
 * Commits to an int8 tensor with fresh blinders.
 * @throws WitnessMismatchError when the number of values is not what the layout says.
 */
export function commitActivation(
  values: Int8Array,
  layout: ActivationLayout,
  options: { readonly engine: ProofEngine; readonly random: RandomSource },
): Promise<ActivationOpening> {
  const { engine, random } = options
  return engine.exclusive(64, (tables) => {
    const stream = new HedgedRandom(random, 'activation', [new Uint8Array(values.buffer, values.byteOffset, values.byteLength)])
    const count = chunkCount(layout)
    const at = stream.vector(engine.kernels, count)
    stream.destroy()
    const blinders = engine.kernels.scoped(() => {
      const bytes = engine.kernels.allocate(32 * count)
      engine.kernels.x.scalarsToBE(bytes, at, count)
      return engine.kernels.bytes(bytes, 32 * count).slice()
    })
    return commitWith(engine, tables, { values, layout, blinders })
  })
}

/**
 * Rebuilds an opening that came from elsewhere and checks it against the commitment.
 * @throws WitnessMismatchError when it opens something else.
 */
export async function openActivation(
  opening: { readonly values: Int8Array; readonly blinders: Uint8Array; readonly layout: ActivationLayout; readonly commitment: Hex },
  options: { readonly engine: ProofEngine },
): Promise<ActivationOpening> {
  const { values, blinders, layout, commitment } = opening
  const made = await options.engine.exclusive(64, (tables) => commitWith(options.engine, tables, { values, layout, blinders }))
  if (!equalBytes(parseHex(made.commitment, 'A commitment'), parseHex(commitment, 'A commitment')))
    throw new WitnessMismatchError('The values and blinders do not open the commitment.')
  return made
}

type Committed = { readonly values: Int8Array; readonly layout: ActivationLayout; readonly blinders: Uint8Array }

function commitWith(engine: ProofEngine, tables: Tables, committed: Committed): ActivationOpening {
  const { values, layout, blinders } = committed
  const { kernels } = engine
  const count = chunkCount(layout)
  if (values.length !== layout.groups * layout.length) throw new WitnessMismatchError('The tensor does not have the size of its layout.')
  // Generators are derived as far as a chunk is long: somebody else's layout must not make us derive millions.
  if (layout.chunk > MAX_COLUMNS) throw new WitnessMismatchError(`A chunk has at most ${MAX_COLUMNS} values.`)
  if (blinders.length !== 32 * count) throw new WitnessMismatchError('There is not one blinder per chunk.')
  return kernels.scoped(() => {
    const sums = kernels.allocate(SUM_BYTES * count)
    sumSmallRows(engine, sums, {
      count,
      columns: layout.chunk,
      fill: (row, into) => into.set(values.subarray(chunkStart(layout, row), chunkStart(layout, row) + chunkLength(layout, row))),
    })
    const scalars = placeBlinders(kernels, blinders)
    for (let k = 0; k < count; k++) addBlinder(kernels, tables, sums + SUM_BYTES * k, scalars + SCALAR_BYTES * k)
    const encoded = encodePoints(kernels, affineOf(kernels, sums, count), count)
    for (let k = 0; k < count; k++)
      if (encoded.subarray(33 * k + 1, 33 * k + 33).every((byte) => byte === 0))
        throw new WitnessMismatchError('A commitment would be the identity.')
    return new ActivationOpening(layout, toHex(encoded), values.slice(), blinders.slice())
  })
}

/**
 * Decodes 32-byte blinders into kernel memory.
 * @throws WitnessMismatchError when one is not canonical.
 */
export function placeBlinders(kernels: Kernels, blinders: Uint8Array): number {
  const count = blinders.length / 32
  const scalars = kernels.allocate(SCALAR_BYTES * count)
  kernels.scoped(() => {
    const bytes = kernels.allocate(blinders.length)
    kernels.bytes(bytes, blinders.length).set(blinders)
    if (kernels.x.scalarsFromBE(scalars, bytes, count) !== count) throw new WitnessMismatchError('A blinder is not a canonical scalar.')
  })
  return scalars
}
