// A kernel call as a step, with what two threads need to know of it.
import type { FunctionBuilder } from '@tacit/wasm'
import type { Division, EmitContext, Extent, Piece, Region, Step, Touches, View } from '../program/program.ts'
import { storageBytes } from '../program/program.ts'
import { viewTouches } from '../program/view-bytes.ts'

/** A pointer argument of a kernel call: a place in memory, the distance between two places, or a plain number. */
export type Argument = { readonly region: Region; readonly offsetBytes: number } | { readonly from: Place; readonly to: Place }
type Place = { readonly region: Region; readonly offsetBytes: number }

/** A kernel to call: its cache key, its code, its arguments. */
export type Call = {
  readonly name: string
  readonly key: string
  build(context: EmitContext): FunctionBuilder
  readonly arguments: readonly Argument[]
  readonly reads: readonly View[]
  readonly writes: readonly View[]
  /** Besides the views: tables and parameters. */
  readonly readsRegions?: readonly Region[]
  readonly writesRegions?: readonly Region[]
  /** Where the views do not say which bytes are read. */
  readExtents?(): readonly Extent[] | undefined
  /** A guess by the bytes written, if absent. */
  readonly costNs?: number
  /** The axes along which it can be done in pieces. */
  readonly cuts?: readonly Cut[]
}

/** An axis of outputs: any stretch of it can be computed alone, by these calls. */
export type Cut = {
  readonly size: number
  /** A good piece is a multiple of this. */
  readonly unit?: number
  piece(from: number, to: number): readonly Call[]
}

const costNsPerByte = 0.25

export function callStep(call: Call): Step {
  const bytes = call.writes.reduce((sum, view) => sum + view.shape.reduce((product, size) => product * size, storageBytes[view.storage]), 0)
  const { cuts = [] } = call
  return {
    name: call.name,
    reads: [...call.reads.map(({ region }) => region), ...(call.readsRegions ?? [])],
    writes: [...call.writes.map(({ region }) => region), ...(call.writesRegions ?? [])],
    emit: (f, context) => emitCall(call, f, context),
    touches: () => touchesOf([call]) ?? untracked(call),
    costNs: call.costNs ?? bytes * costNsPerByte,
    divisions: () => cuts.flatMap((cut) => halves(cut)),
  }
}

function emitCall(call: Call, f: FunctionBuilder, context: EmitContext): void {
  for (const argument of call.arguments) f.i32(argumentValue(argument, context))
  f.call(context.kernel(call.key, call.build))
}

function argumentValue(argument: Argument, context: EmitContext): number {
  const at = (place: Place): number => context.address(place.region) + place.offsetBytes
  return 'from' in argument ? at(argument.to) - at(argument.from) : at(argument)
}

function halves({ size, unit = 1, piece }: Cut): readonly Division[] {
  const middle = Math.ceil(Math.ceil(size / unit) / 2) * unit
  if (middle <= 0 || middle >= size) return []
  const [first, second] = [pieceOf(piece(0, middle)), pieceOf(piece(middle, size))]
  return first === undefined || second === undefined ? [] : [{ pieces: [first, second], share: middle / size }]
}

function pieceOf(calls: readonly Call[]): Piece | undefined {
  const touches = touchesOf(calls)
  return touches && { touches, emit: (f, context) => calls.forEach((call) => emitCall(call, f, context)) }
}

function whole(region: Region): Extent {
  return { region, ranges: [0, region.sizeBytes] }
}

/** Undefined where it cannot be said exactly what is written. */
function touchesOf(calls: readonly Call[]): Touches | undefined {
  const reads: Extent[] = []
  const writes: Extent[] = []
  for (const call of calls) {
    reads.push(...(call.readExtents?.() ?? call.reads.map((view) => viewTouches(view) ?? whole(view.region))))
    reads.push(...(call.readsRegions ?? []).filter(({ kind }) => kind !== 'constant' && call.readExtents === undefined).map(whole))
    writes.push(...(call.writesRegions ?? []).map(whole))
    for (const view of call.writes) {
      const extent = viewTouches(view)
      if (extent === undefined) return undefined
      writes.push(extent)
    }
  }
  return { reads, writes }
}

/** What is not written to the byte may keep some of what was there: all of it is needed first. */
function untracked(call: Call): Touches {
  const writes = [...call.writes.map(({ region }) => region), ...(call.writesRegions ?? [])].map(whole)
  const reads = [...call.reads.map(({ region }) => region), ...(call.readsRegions ?? [])].map(whole)
  return { reads: [...reads, ...writes], writes }
}
