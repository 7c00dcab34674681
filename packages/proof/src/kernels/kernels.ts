// One instance of the WebAssembly kernels with its memory. Addresses are plain numbers; `Kernels.scoped` frees in one step everything
// that was allocated inside it, and clears it, so that no secret outlives the call that used it.
import { scalarKernels, simdKernels } from '../generated/kernels.ts'

/** Bytes of a field element, an affine point and a running sum in kernel memory. */
export const SCALAR_BYTES = 36
export const POINT_BYTES = 72
export const SUM_BYTES = 144

type Fn = (...args: number[]) => number
type KernelNames =
  | 'heapBase'
  | 'xyzzZero'
  | 'xyzzDouble'
  | 'xyzzAdd'
  | 'xyzzAddAffine'
  | 'toAffine'
  | 'encodePoints'
  | 'decodePoints'
  | 'isZeroXyzz'
  | 'msm'
  | 'msmBytes'
  | 'fixedMsm'
  | 'fixedMsmBytes'
  | 'buildTable'
  | 'buildSingleTable'
  | 'addMultiple'
  | 'treeBytes'
  | 'sumRows'
  | 'sumCells'
  | 'scalarsFromBE'
  | 'scalarsToBE'
  | 'scalarsRaw'
  | 'vectorFromI16'
  | 'vectorFromI64'
  | 'eqTable'
  | 'dot'
  | 'dotStrided'
  | 'axpy'
  | 'scale'
  | 'hadamard'
  | 'sumVector'
  | 'powers'
  | 'bindRows'
  | 'setGate'
  | 'gateValue'
  | 'fillColumns'
  | 'firstRound'
  | 'firstFold'
  | 'nextRound'
  | 'nextFold'
  | 'fpmul'
  | 'fpsqr'
  | 'fpinv'
  | 'fpnorm'
  | 'fpred'
  | 'fnmul'
  | 'fnsqr'
  | 'fninv'
  | 'fnnorm'
  | 'fnred'
/** What the module exports. */
export type KernelExports = Readonly<Record<KernelNames, Fn>> & {
  readonly memory: WebAssembly.Memory
  readonly multiplySmall: (o: number, k: bigint) => void
  readonly fromI64: (o: number, v: bigint) => void
}

/** Which build of the kernels to use; both give the same bits. */
export type KernelVariant = 'simd' | 'scalar'

const PAGE = 65_536

/** Kernels and the stack-like allocator of their memory. */
export class Kernels {
  readonly x: KernelExports
  readonly variant: KernelVariant
  #top: number

  constructor(exports: KernelExports, variant: KernelVariant) {
    this.x = exports
    this.variant = variant
    this.#top = (exports.heapBase() + 63) & ~63
  }

  /** Bytes of linear memory, which only grows. */
  get memoryBytes(): number {
    return this.x.memory.buffer.byteLength
  }

  /** Uninitialised space, 16-byte aligned, until the enclosing scope ends. */
  allocate(bytes: number): number {
    const at = this.#top
    this.#top = (at + bytes + 15) & ~15
    const missing = this.#top - this.memoryBytes
    if (missing > 0) this.x.memory.grow(Math.max(Math.ceil(missing / PAGE), 64))
    return at
  }

  /** Zeroed space for `n` field elements. */
  zeros(n: number): number {
    const at = this.allocate(SCALAR_BYTES * n)
    this.bytes(at, SCALAR_BYTES * n).fill(0)
    return at
  }

  /** Runs `body`, then clears and frees whatever it allocated. */
  scoped<T>(body: () => T): T {
    const mark = this.#top
    try {
      return body()
    } finally {
      this.release(mark)
    }
  }

  /** Where the free space starts now: hand it to `release` to free everything allocated since. */
  mark(): number {
    return this.#top
  }

  /** Clears and frees everything allocated since `mark`. */
  release(mark: number): void {
    this.bytes(mark, Math.max(0, this.#top - mark)).fill(0)
    this.#top = mark
  }

  /** A view; growing the memory detaches it, so take it fresh. */
  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.x.memory.buffer, at, length)
  }

  /** A view of 16-bit integers. */
  int16(at: number, length: number): Int16Array {
    return new Int16Array(this.x.memory.buffer, at, length)
  }

  /** A view of 32-bit integers. */
  uint32(at: number, length: number): Uint32Array {
    return new Uint32Array(this.x.memory.buffer, at, length)
  }

  /** A view of 64-bit integers; `at` is 8-byte aligned. */
  int64(at: number, length: number): BigInt64Array {
    return new BigInt64Array(this.x.memory.buffer, at, length)
  }
}

/**
 * Instantiates the kernels: with SIMD where the engine has it, unless a variant is asked for.
 * @example
 * const kernels = await loadKernels()
 */
export async function loadKernels(options: { readonly variant?: KernelVariant } = {}): Promise<Kernels> {
  const simd = decode(simdKernels)
  const variant = options.variant ?? (WebAssembly.validate(simd) ? 'simd' : 'scalar')
  const { instance } = await WebAssembly.instantiate(variant === 'simd' ? simd : decode(scalarKernels), {})
  // The module is ours and generated together with the list above.
  return new Kernels(instance.exports as unknown as KernelExports, variant)
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}
