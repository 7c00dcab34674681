import { elementCount, type Graph, type GraphNode, type TensorType, type ValueId } from '@tacit/model'
import { UnsupportedNodeError } from '../errors.ts'
import type { CopyConversion } from '../kernels/copy.ts'
import { buildCopy, buildFill, copyKey } from '../kernels/copy.ts'
import {
  type Border,
  type BoundaryType,
  type ProgramLayer,
  type Region,
  type Step,
  type Storage,
  storageBytes,
  type View,
} from '../program/program.ts'
import type { Obfuscator } from '../obfuscate/obfuscator.ts'
import { maskTable } from '../obfuscate/obfuscator.ts'
import { buildRestore } from '../kernels/restore.ts'
import { type Call, callStep } from './kernel-call.ts'
import { walkCuts, stretch } from './cuts.ts'
import { denseView, isDense } from './views.ts'

const storages: Readonly<Partial<Record<TensorType['elementType'], Storage>>> = {
  float32: 'f32',
  int32: 'i32',
  int64: 'i64',
  uint8: 'u8',
  int8: 'i8',
  bool: 'u8',
}

/** Regions and steps as they come into being, one layer after the other. */
export class Lowering {
  readonly layers: ProgramLayer[] = []
  /** Present in obfuscated builds. */
  readonly obfuscator: Obfuscator | undefined
  #steps: Step[] = []
  #nextRegion = 0

  constructor(obfuscator?: Obfuscator) {
    this.obfuscator = obfuscator
  }

  region(kind: Region['kind'], sizeBytes: number): Region {
    return { id: this.#nextRegion++, kind, sizeBytes: Math.max(sizeBytes, 16) }
  }

  constant(data: Uint8Array | Float32Array | Int8Array | Int16Array | Int32Array | BigInt64Array): Region {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return { id: this.#nextRegion++, kind: 'constant', sizeBytes: Math.max(bytes.length, 16), data: bytes }
  }

  /** A new dense transient view. */
  dense(storage: Storage, shape: readonly number[], zeroPoint = 0): View {
    return denseView(this.region('transient', elementCount(shape) * storageBytes[storage]), storage, shape, zeroPoint)
  }

  step(step: Step): void {
    this.#steps.push(step)
  }

  call(call: Call): void {
    this.step(callStep(call))
  }

  /** Ends the current layer, if it did anything, with its boundary. */
  endLayer(layer: { readonly name: string; readonly operator: string; readonly view: View; readonly elementType: BoundaryType }): void {
    const { name, operator, view, elementType } = layer
    const restore = view.permutation === undefined ? {} : { restore: this.unitTable(view) }
    this.layers.push({ index: this.layers.length, name, operator, steps: this.#steps, output: { view, elementType, ...restore } })
    this.#steps = []
  }

  get hasPendingSteps(): boolean {
    return this.#steps.length > 0
  }

  copy(from: View, to: View, conversion?: CopyConversion): void {
    const chosen = conversion ?? { kind: 'none' as const, bytes: storageBytes[from.storage] as 1 | 2 | 4 | 8 }
    const part = (source: View, target: View): Call => {
      const space = { shape: source.shape, from: source.strides, to: target.strides }
      return {
        name: 'copy',
        key: copyKey(chosen, space),
        build: () => buildCopy(chosen, space),
        arguments: [source, target],
        reads: [source],
        writes: [target],
      }
    }
    this.call({
      ...part(from, to),
      cuts: walkCuts(from.shape, (axis, range) => part(stretch(from, axis, range), stretch(to, axis, range))),
    })
  }

  /** The view itself if dense, else a dense copy. Permuted units stay permuted. */
  asDense(view: View): View {
    if (isDense(view)) return view
    const dense = this.dense(view.storage, view.shape, view.zeroPoint)
    this.copy(view, dense)
    return view.permutation === undefined ? dense : { ...dense, permutation: view.permutation }
  }

  /** The table of a restoring copy, and the mask it begins with. */
  unitTable(view: View): { readonly table: Region; readonly firstMask: number } {
    const { axis, places } = view.permutation ?? { axis: 0, places: new Int32Array(0) }
    const firstMask = (this.obfuscator?.random.u32() ?? 0) | 0
    const step = (view.strides[axis] ?? 0) * storageBytes[view.storage]
    return {
      table: this.constant(
        maskTable(
          places.map((place) => place * step),
          firstMask,
        ),
      ),
      firstMask,
    }
  }

  /** Units in logical order: the view itself, or a copy through a masked table. */
  restored(view: View): View {
    if (view.permutation === undefined) return view
    const target = this.dense(view.storage, view.shape, view.zeroPoint)
    const { table, firstMask } = this.unitTable(view)
    const size = storageBytes[view.storage]
    const { axis } = view.permutation
    const part = (source: View, result: View): Call => {
      const kernel = {
        conversion: { kind: 'none' as const, bytes: size as 1 | 2 | 4 | 8 }, // every storage has one of these sizes
        shape: source.shape,
        axis,
        from: source.strides.map((stride) => stride * size),
        to: result.strides.map((stride) => stride * size),
        firstMask,
      }
      return {
        name: 'restore',
        key: `restore ${JSON.stringify(kernel)}`,
        build: () => buildRestore(kernel),
        arguments: [source, result, { region: table, offsetBytes: 0 }],
        reads: [source],
        writes: [result],
        readsRegions: [table],
      }
    }
    // The table is for whole rows of units: every axis but theirs.
    const cuts = walkCuts(
      view.shape.map((count, other) => (other === axis ? 1 : count)),
      (other, range) => part(stretch(view, other, range), stretch(target, other, range)),
    )
    this.call({ ...part(view, target), cuts })
    return target
  }

  /** The last axis one element apart and no axis walked backwards, as kernels over rows of depth need it. */
  withDenseRows(view: View): View {
    const forwards = view.strides.every((stride, axis) => stride >= 0 || view.shape[axis] === 1)
    return forwards && (view.strides.at(-1) === 1 || view.shape.at(-1) === 1) ? view : this.asDense(view)
  }

  /** An [N, C, H, W] view stored channels-last with a border; zero borders cost nothing at run time. */
  channelsLast(storage: Storage, shape: readonly number[], options: ChannelsLast = {}): View {
    const [n = 1, c = 1, h = 1, w = 1] = shape
    const border = options.border ?? { top: 0, left: 0, bottom: 0, right: 0 }
    const channels = options.paddedChannels ?? c
    const [width, height] = [w + border.left + border.right, h + border.top + border.bottom]
    const bordered = border.top + border.left + border.bottom + border.right > 0
    const sizeBytes = n * height * width * channels * storageBytes[storage]
    const region = this.region(bordered ? 'pinned' : 'transient', sizeBytes + 64)
    return {
      region,
      offsetBytes: (border.top * width + border.left) * channels * storageBytes[storage],
      storage,
      zeroPoint: options.zeroPoint ?? 0,
      shape,
      strides: [height * width * channels, 1, width * channels, channels],
      ...(bordered ? { border } : {}),
    }
  }

  /** Sets all of a region to a pattern, border included. */
  fill(region: Region, pattern: Uint8Array): void {
    this.step({
      name: 'fill',
      reads: [],
      writes: [region],
      emit: (f, context) => {
        f.i32(context.address(region)).call(
          context.kernel(`fill ${pattern.join()} ${region.sizeBytes}`, () => buildFill(pattern, region.sizeBytes)),
        )
      },
    })
  }
}

export type ChannelsLast = { readonly border?: Border; readonly paddedChannels?: number; readonly zeroPoint?: number }

/** How a graph's element type lies in memory. */
export function storageOf(type: TensorType, node: GraphNode): Storage {
  const storage = storages[type.elementType]
  if (storage === undefined)
    throw new UnsupportedNodeError(node.name, node.operation.operator, `values of type ${type.elementType} have no kernels`)
  return storage
}

/** Who reads each value, graph outputs not counted. */
export function consumersOf(graph: Graph): ReadonlyMap<ValueId, readonly GraphNode[]> {
  const consumers = new Map<ValueId, GraphNode[]>()
  for (const node of graph.nodes)
    for (const input of new Set(node.inputs)) {
      const list = consumers.get(input)
      if (list === undefined) consumers.set(input, [node])
      else list.push(node)
    }
  return consumers
}
