import type { StreamMode } from '@tacit/protocol'
import type { ReleaseMode } from '@tacit/session'

/**
 * How each stream mode looks from outside. Paced: cells of 1 KiB every 20 ms, in total 16 times a power of two, so that
 * answers of up to about 8 kB of text take 0.3 s and look the same. Immediate: cells as large as what they carry.
 */
export function releaseMode(mode: StreamMode): ReleaseMode {
  return mode === 'paced' ? { mode, cellBytes: 1024, intervalMs: 20, minCells: 16 } : { mode, cellBytes: 16_384 }
}
