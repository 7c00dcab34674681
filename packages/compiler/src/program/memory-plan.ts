import { OverMemoryError } from '../errors.ts'
import type { Region, Step } from './program.ts'

/** Where every region lies, and how many bytes are used in all. */
export type MemoryPlan = {
  readonly addressOf: ReadonlyMap<Region, number>
  readonly constantsStart: number
  readonly constantsEnd: number
  readonly usedBytes: number
}

const alignmentBytes = 64
/** Address zero stays unused, so that a null pointer is never a value. */
const firstAddress = 1024
/** Vector kernels may read this far past the end of a region. */
const slackBytes = 64

/**
 * Places constants, then pinned regions, then transient ones by liveness: largest first, each at the lowest address
 * that is free during its whole life (greedy by size, Pisarchyk and Lee 2020, "Efficient Memory Management for Deep
 * Neural Net Inference", section 4: not checked).
 * @throws OverMemoryError
 */
export function planMemory(steps: readonly Step[], pinned: readonly Region[], maxMemoryBytes: number): MemoryPlan {
  const regions = new Set<Region>(pinned)
  for (const step of steps) for (const region of [...step.reads, ...step.writes]) regions.add(region)
  const all = [...regions].sort((a, b) => a.id - b.id)
  const addressOf = new Map<Region, number>()
  let top = firstAddress
  const place = (region: Region): void => {
    addressOf.set(region, top)
    top = roundUp(top + region.sizeBytes + slackBytes)
  }
  for (const region of all) if (region.kind === 'constant') place(region)
  const constantsEnd = top
  for (const region of all) if (region.kind === 'pinned') place(region)
  const usedBytes = placeTransients(liveRanges(steps), top, addressOf)
  if (usedBytes > maxMemoryBytes) throw new OverMemoryError(usedBytes, maxMemoryBytes)
  return { addressOf, constantsStart: firstAddress, constantsEnd, usedBytes }
}

type LiveRange = { readonly region: Region; readonly first: number; last: number }

function liveRanges(steps: readonly Step[]): readonly LiveRange[] {
  const ranges = new Map<Region, LiveRange>()
  for (const [time, step] of steps.entries())
    for (const region of [...step.reads, ...step.writes]) {
      if (region.kind !== 'transient') continue
      const range = ranges.get(region)
      if (range === undefined) ranges.set(region, { region, first: time, last: time })
      else range.last = time
    }
  return [...ranges.values()]
}

function placeTransients(ranges: readonly LiveRange[], start: number, addressOf: Map<Region, number>): number {
  const placed: (LiveRange & { readonly address: number; readonly end: number })[] = []
  const bySize = [...ranges].sort((a, b) => b.region.sizeBytes - a.region.sizeBytes || a.region.id - b.region.id)
  let top = start
  for (const range of bySize) {
    const size = roundUp(range.region.sizeBytes + slackBytes)
    const rivals = placed.filter((other) => other.first <= range.last && range.first <= other.last).sort((a, b) => a.address - b.address)
    let address = start
    for (const rival of rivals) {
      if (address + size <= rival.address) break
      address = Math.max(address, rival.end)
    }
    placed.push({ ...range, address, end: address + size })
    addressOf.set(range.region, address)
    top = Math.max(top, address + size)
  }
  return top
}

function roundUp(value: number): number {
  return Math.ceil(value / alignmentBytes) * alignmentBytes
}
