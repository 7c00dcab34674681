// A program for two threads, each with a memory of its own. Every step is either done by both, or cut into two pieces of whole
// outputs. What one thread lacks is followed to the byte, and crosses in an exchange right before the first step that reads it,
// together with everything else that is ready by then and will be read later: one exchange is a meeting of both threads, and
// meetings cost more than bytes.
import { type ByteRanges, differenceOf, intersectionOf, sizeOf, unionOf } from './byte-ranges.ts'
import type { BoundaryView, Extent, Piece, Program, ProgramLayer, Region, Step, Touches } from './program.ts'
import { viewTouches } from './view-bytes.ts'

/** What thread 0 gets from thread 1, and the other way round. */
export type Exchange = { readonly toFirst: readonly Extent[]; readonly toSecond: readonly Extent[] }

/** What both threads do between two meetings, inside one layer. */
export type Stage = {
  /** Place of the layer in order of execution. */
  readonly layer: number
  /** Comes first. */
  readonly exchange: Exchange
  readonly pieces: readonly [readonly Piece[], readonly Piece[]]
}

export type DividedProgram = {
  /** The same steps in an order with fewer meetings. */
  readonly program: Program
  readonly stages: readonly Stage[]
  /** Per layer, what thread 0 lacks of its boundary right after it: for traces. */
  readonly gathers: readonly (readonly Extent[])[]
  /** What thread 0 lacks of the outputs at the end. */
  readonly closing: readonly Extent[]
  /** Whether anything is done by one thread only: if not, a second thread is of no use. */
  readonly isShared: boolean
}

/** What is weighed: steps for which two threads save time, or everything that can be cut (tests). */
export type Cutting = 'worthwhile' | 'everything'

type Costs = {
  /** A meeting of two spinning threads with its copies begun, a byte copied out and in, a piece of memory prepared. */
  readonly meetingNs: number
  readonly byteNs: number
  readonly pieceNs: number
  /** Cutting what both threads could do alone must save this much, since somebody may have to put it together again. */
  readonly cutNs: number
  /** Steps below this are not looked at. */
  readonly leastNs: number
}
// Measured on two cores of x86-64, rounded.
const costsOf: Readonly<Record<Cutting, Costs>> = {
  worthwhile: { meetingNs: 1500, byteNs: 0.25, pieceNs: 50, cutNs: 3000, leastNs: 200 },
  everything: { meetingNs: 0, byteNs: 0, pieceNs: 0, cutNs: -1e9, leastNs: 0 },
}
/** Layers with more steps than this keep their order. */
const maxReordered = 256

type Choice = { readonly step: Step; readonly pieces: readonly [Piece, Piece] }

export function divideProgram(program: Program, cutting: Cutting = 'worthwhile'): DividedProgram {
  const costs = costsOf[cutting]
  const state = new Replicas()
  const layers: ProgramLayer[] = []
  const choices: (readonly Choice[])[] = []
  for (const layer of program.layers) {
    const chosen = scheduleLayer(layer.steps, state, costs)
    choices.push(chosen)
    layers.push({ ...layer, steps: chosen.map(({ step }) => step) })
  }
  const isShared = choices.flat().some(({ pieces: [first, second] }) => first !== second)
  return { program: { ...program, layers }, ...stagesOf(program, choices), isShared }
}

/** What each thread lacks: bytes that the other one wrote last. */
class Replicas {
  readonly #missing: readonly [Map<Region, ByteRanges>, Map<Region, ByteRanges>] = [new Map(), new Map()]

  lacking(thread: 0 | 1, extents: readonly Extent[]): readonly Extent[] {
    const found = extents.map(({ region, ranges }) => ({
      region,
      ranges: intersectionOf(ranges, this.#missing[thread].get(region) ?? []),
    }))
    return merged(found.filter(({ ranges }) => ranges.length > 0))
  }

  all(thread: 0 | 1): Map<Region, ByteRanges> {
    return new Map(this.#missing[thread])
  }

  receive(thread: 0 | 1, extents: readonly Extent[]): void {
    for (const { region, ranges } of extents) this.#set(thread, region, differenceOf(this.#missing[thread].get(region) ?? [], ranges))
  }

  /** Both pieces ran: what only one of them wrote, the other thread lacks. */
  write([first, second]: readonly [Piece, Piece]): void {
    for (const { region } of [...first.touches.writes, ...second.touches.writes]) {
      const [a, b] = [rangesIn(first.touches.writes, region), rangesIn(second.touches.writes, region)]
      for (const [thread, own, other] of [
        [0, a, b],
        [1, b, a],
      ] as const)
        this.#set(thread, region, differenceOf(unionOf(this.#missing[thread].get(region) ?? [], other), own))
    }
  }

  #set(thread: 0 | 1, region: Region, ranges: ByteRanges): void {
    if (ranges.length === 0) this.#missing[thread].delete(region)
    else this.#missing[thread].set(region, ranges)
  }
}

function rangesIn(extents: readonly Extent[], region: Region): ByteRanges {
  return extents.filter((extent) => extent.region === region).reduce<ByteRanges>((all, { ranges }) => unionOf(all, ranges), [])
}

function merged(extents: readonly Extent[]): readonly Extent[] {
  const byRegion = new Map<Region, ByteRanges>()
  for (const { region, ranges } of extents) byRegion.set(region, unionOf(byRegion.get(region) ?? [], ranges))
  return [...byRegion].map(([region, ranges]) => ({ region, ranges }))
}

function bytesIn(extents: readonly Extent[]): number {
  return extents.reduce((sum, { ranges }) => sum + sizeOf(ranges), 0)
}

/** A step without exact bytes may leave part of what it writes alone, so that it needs all of it first. */
function touchesOf(step: Step): Touches {
  const known = step.touches?.()
  if (known !== undefined) return known
  const whole = (regions: readonly Region[]): readonly Extent[] => regions.map((region) => ({ region, ranges: [0, region.sizeBytes] }))
  return { reads: whole([...step.reads, ...step.writes]), writes: whole(step.writes) }
}

/** Steps that need no meeting come before steps that do, as far as dependencies allow. */
function scheduleLayer(steps: readonly Step[], state: Replicas, costs: Costs): readonly Choice[] {
  const waiting = steps.map((step) => ({ step, options: optionsOf(step, costs) }))
  const chosen: Choice[] = []
  const reorder = steps.length <= maxReordered
  while (waiting.length > 0) {
    const ready = reorder
      ? waiting.filter((item, place) => waiting.slice(0, place).every((earlier) => !conflicts(earlier.step, item.step)))
      : waiting.slice(0, 1)
    const ranked = ready.map((item) => ({ item, ...cheapest(item.options, state, costs) }))
    const next = ranked.find(({ lacking }) => lacking === 0) ?? ranked[0]
    if (next === undefined) break
    for (const thread of [0, 1] as const) state.receive(thread, state.lacking(thread, next.option.pieces[thread].touches.reads))
    state.write(next.option.pieces)
    chosen.push({ step: next.item.step, pieces: next.option.pieces })
    waiting.splice(waiting.indexOf(next.item), 1)
  }
  return chosen
}

function conflicts(earlier: Step, later: Step): boolean {
  return (
    later.reads.some((region) => earlier.writes.includes(region)) ||
    later.writes.some((region) => earlier.writes.includes(region) || earlier.reads.includes(region))
  )
}

type Option = { readonly pieces: readonly [Piece, Piece]; readonly costNs: number; readonly isCut: boolean }

function optionsOf(step: Step, { leastNs }: Costs): readonly Option[] {
  const costNs = step.costNs ?? 0
  const whole: Piece = { emit: (f, context) => step.emit(f, context), touches: touchesOf(step) }
  const both: Option = { pieces: [whole, whole], costNs, isCut: false }
  // A step that pays for no meeting is not worth the search.
  if (costNs < leastNs) return [both]
  const divisions = step.divisions?.() ?? []
  return [...divisions.map(({ pieces, share }) => ({ pieces, costNs: costNs * Math.max(share, 1 - share), isCut: true })), both]
}

function cheapest(options: readonly Option[], state: Replicas, costs: Costs): { readonly option: Option; readonly lacking: number } {
  const rated = options.map((option) => {
    const lacking = ([0, 1] as const).map((thread) => state.lacking(thread, option.pieces[thread].touches.reads))
    const bytes = Math.max(...lacking.map(bytesIn))
    const pieces = Math.max(...lacking.map((extents) => extents.reduce((sum, { ranges }) => sum + ranges.length / 2, 0)))
    const exchangeNs = bytes > 0 ? costs.meetingNs + bytes * costs.byteNs + pieces * costs.pieceNs : 0
    return { option, lacking: bytes, costNs: option.costNs + exchangeNs }
  })
  const alone = rated.some(({ option, lacking }) => !option.isCut && lacking === 0)
  const price = ({ option, costNs }: (typeof rated)[number]): number => costNs + (alone && option.isCut ? costs.cutNs : 0)
  return rated.reduce((least, candidate) => (price(candidate) < price(least) ? candidate : least))
}

function stagesOf(program: Program, choices: readonly (readonly Choice[])[]): Omit<DividedProgram, 'program' | 'isShared'> {
  const state = new Replicas()
  const flat = choices.flat()
  const outputs = program.outputs.flatMap(readOf)
  const stages: Stage[] = []
  const gathers: (readonly Extent[])[] = []
  let place = 0
  for (const [layer, list] of choices.entries()) {
    let exchange: Exchange = { toFirst: [], toSecond: [] }
    let pieces: [Piece[], Piece[]] = [[], []]
    const flush = (): void => {
      if (pieces[0].length > 0) stages.push({ layer, exchange, pieces })
      exchange = { toFirst: [], toSecond: [] }
      pieces = [[], []]
    }
    for (const { pieces: both } of list) {
      if (([0, 1] as const).some((thread) => state.lacking(thread, both[thread].touches.reads).length > 0)) {
        flush()
        const later = flat.slice(place)
        exchange = { toFirst: wanted(0, state, { later, outputs }), toSecond: wanted(1, state, { later, outputs: [] }) }
        state.receive(0, exchange.toFirst)
        state.receive(1, exchange.toSecond)
      }
      pieces[0].push(both[0])
      pieces[1].push(both[1])
      state.write(both)
      place++
    }
    flush()
    const boundary = program.layers[layer]?.output
    gathers.push(boundary === undefined ? [] : state.lacking(0, readOf(boundary)))
  }
  return { stages, gathers, closing: state.lacking(0, outputs) }
}

function readOf({ view, restore }: BoundaryView): readonly Extent[] {
  const { ranges } = viewTouches(view) ?? { ranges: [0, view.region.sizeBytes] }
  return [
    { region: view.region, ranges },
    ...(restore === undefined ? [] : [{ region: restore.table, ranges: [0, restore.table.sizeBytes] }]),
  ]
}

type Future = { readonly later: readonly Choice[]; readonly outputs: readonly Extent[] }

/** What a thread lacks now and some later step reads as it is now. */
function wanted(thread: 0 | 1, state: Replicas, { later, outputs }: Future): readonly Extent[] {
  const current = state.all(thread)
  const found: Extent[] = []
  const take = (extents: readonly Extent[]): void => {
    for (const { region, ranges } of extents) {
      const lacking = intersectionOf(ranges, current.get(region) ?? [])
      if (lacking.length === 0) continue
      found.push({ region, ranges: lacking })
      current.set(region, differenceOf(current.get(region) ?? [], lacking))
    }
  }
  for (const { pieces } of later) {
    if (current.size === 0) break
    take(pieces[thread].touches.reads)
    for (const { touches } of pieces)
      for (const { region, ranges } of touches.writes) {
        const left = differenceOf(current.get(region) ?? [], ranges)
        if (left.length === 0) current.delete(region)
        else current.set(region, left)
      }
  }
  take(outputs)
  return merged(found)
}
