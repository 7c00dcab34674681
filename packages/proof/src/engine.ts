// A prover's and verifier's working place: kernels, generators, and the tables that make commitments fast.
import type { Hex } from '@tacit/protocol'
import { bytesOfPoints, decodePoints, ENCODED_POINT_BYTES } from './commit/encoding.ts'
import { dataDigest } from './digest.ts'
import { deriveGenerator, deriveGenerators } from './generators.ts'
import { type Kernels, type KernelVariant, loadKernels, POINT_BYTES, SCALAR_BYTES, SUM_BYTES } from './kernels/kernels.ts'

/** Tables of multiples in kernel memory. */
export type Tables = {
  readonly columns: number
  readonly window: number
  /** [w][columns] of 2^(window w) G_i */
  readonly powers: number
  readonly U: number
  readonly H: number
}

/** Weight commitments as the kernels hold them, with the digest of their encodings. */
export type DecodedWeights = { readonly count: number; readonly digest: Uint8Array; readonly affine: Uint8Array }

const MAX_CACHED_BYTES = 1 << 26
const SINGLE_TABLE_BYTES = POINT_BYTES * 63 * 43
const MAX_TABLE_COLUMNS = 1024

/** Create one per thread with `createProofEngine` and share it: its memory is reused and bounded by the largest layer. */
export class ProofEngine {
  readonly kernels: Kernels
  readonly #base: number
  #generators = new Uint8Array(0)
  #bases = new Uint8Array(0)
  #tables: Tables | undefined
  readonly #weights = new Map<Hex, DecodedWeights>()
  #weightBytes = 0
  #queue: Promise<unknown> = Promise.resolve()

  constructor(kernels: Kernels) {
    this.kernels = kernels
    this.#base = kernels.mark()
  }

  /** Which build of the kernels runs. */
  get variant(): KernelVariant {
    return this.kernels.variant
  }

  /** Bytes of kernel memory in use by this engine; it never shrinks, and is freed with the engine. */
  get memoryBytes(): number {
    return this.kernels.memoryBytes
  }

  /** Copies G_0 .. G_(n-1) into kernel memory. */
  placeGenerators(n: number): number {
    const held = this.#generators.length / POINT_BYTES
    if (held < n) {
      const more = deriveGenerators(this.kernels, held, n - held)
      const all = new Uint8Array(POINT_BYTES * n)
      all.set(this.#generators)
      all.set(more, this.#generators.length)
      this.#generators = all
    }
    const at = this.kernels.allocate(POINT_BYTES * n)
    this.kernels.bytes(at, POINT_BYTES * n).set(this.#generators.subarray(0, POINT_BYTES * n))
    return at
  }

  /** Decodes weight commitments once and keeps them; undefined if one is not a point. */
  decodeWeights(points: Hex): DecodedWeights | undefined {
    const known = this.#weights.get(points)
    if (known !== undefined) return known
    const bytes = bytesOfPoints(points)
    if (bytes === undefined) return undefined
    const decoded = this.kernels.scoped(() => {
      const at = decodePoints(this.kernels, bytes)
      return at === undefined ? undefined : this.kernels.bytes(at, (bytes.length / ENCODED_POINT_BYTES) * POINT_BYTES).slice()
    })
    if (decoded === undefined) return undefined
    const entry = { count: bytes.length / ENCODED_POINT_BYTES, digest: dataDigest(bytes), affine: decoded }
    if (this.#weightBytes + decoded.length > MAX_CACHED_BYTES) {
      this.#weights.clear()
      this.#weightBytes = 0
    }
    this.#weightBytes += decoded.length
    this.#weights.set(points, entry)
    return entry
  }

  /** Copies U and H, one after the other, into kernel memory. */
  placeBases(): number {
    const at = this.kernels.allocate(2 * POINT_BYTES)
    if (this.#bases.length === 0) {
      deriveGenerator(this.kernels, at, 'U')
      deriveGenerator(this.kernels, at + POINT_BYTES, 'H')
      this.#bases = this.kernels.bytes(at, 2 * POINT_BYTES).slice()
    }
    this.kernels.bytes(at, 2 * POINT_BYTES).set(this.#bases)
    return at
  }

  /** Runs one piece of work that needs tables for `columns` generators; others wait for their turn. */
  exclusive<T>(columns: number, body: (tables: Tables) => Promise<T> | T): Promise<T> {
    const turn = this.#queue.then(async () => {
      const tables = this.#prepareTables(Math.min(columns, MAX_TABLE_COLUMNS))
      const mark = this.kernels.mark()
      try {
        return await body(tables)
      } finally {
        this.kernels.release(mark)
      }
    })
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  // Nobody else holds memory here, so the tables can sit at the bottom of it.
  #prepareTables(wanted: number): Tables {
    if (this.#tables !== undefined && this.#tables.columns >= wanted) return this.#tables
    const { kernels } = this
    kernels.release(this.#base)
    const columns = Math.min(MAX_TABLE_COLUMNS, Math.ceil(wanted / 64) * 64)
    const window = columns <= 128 ? 8 : columns <= 512 ? 9 : 10
    const windows = Math.floor(256 / window) + 1
    const powers = kernels.allocate(POINT_BYTES * columns * windows)
    const [U, H] = [kernels.allocate(SINGLE_TABLE_BYTES), kernels.allocate(SINGLE_TABLE_BYTES)]
    kernels.scoped(() => {
      const points = this.placeGenerators(columns)
      kernels.x.buildTable(powers, points, columns, window, kernels.allocate((SUM_BYTES + SCALAR_BYTES) * columns))
      const bases = this.placeBases()
      const scratch = kernels.allocate(64 * (SUM_BYTES + SCALAR_BYTES) + 512)
      kernels.x.buildSingleTable(U, bases, scratch)
      kernels.x.buildSingleTable(H, bases + POINT_BYTES, scratch)
    })
    this.#tables = { columns, window, powers, U, H }
    return this.#tables
  }
}

/**
 * Loads the kernels and makes an engine.
 * @example
 * const engine = await createProofEngine()
 */
export async function createProofEngine(options: { readonly variant?: KernelVariant } = {}): Promise<ProofEngine> {
  return new ProofEngine(await loadKernels(options))
}

/** Bits per window of a multi-scalar multiplication over n points, by measurement. */
export function msmWindow(n: number): number {
  if (n < 48) return 4
  if (n < 128) return 5
  if (n < 256) return 6
  if (n < 700) return 7
  if (n < 1600) return 8
  return n < 5000 ? 9 : 10
}
