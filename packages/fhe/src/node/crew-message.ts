import type { PreparedRequest } from '../circuit/evaluate.ts'
import type { SessionLayout } from '../circuit/session-layout.ts'
import type { RingLayout } from '../internal/ring.ts'

/** What a helper thread gets once: shared memory, where everything in it lies, and the order board. */
export type CrewMessage = {
  readonly memory: WebAssembly.Memory
  readonly layout: RingLayout
  readonly session: SessionLayout
  readonly slots: readonly PreparedRequest[]
  readonly board: SharedArrayBuffer
  /** Counters of the steps of one order. */
  readonly steps: SharedArrayBuffer
  readonly index: number
  readonly count: number
}

/** Words of the board: twice the order's number (odd while it is written), its kind, slot, size of the request. */
export const boardWords = { order: 0, kind: 1, slot: 2, size: 3 } as const

/** What an order asks for. */
export const orderKinds = { prepare: 1, finish: 2, stop: 3 } as const

/** Bytes of the board: words, seed, mask seed, request. */
export const boardOffsets = { seed: 64, maskSeed: 96, request: 128 } as const
