// Kernels over rows of consecutive float32: reductions and normalisations. Sums are the sixteen-lane sums of
// docs/spec/f32.md: element i goes to lane i mod 16, then lanes are folded 8, 4, 2, 1.
import { FunctionBuilder, type Local } from '@tacit/wasm'
import { splatF32 } from './post-operation.ts'
import { keep } from './stepwise-math.ts'

const zero = new Uint8Array(16)

/** Calls `body` for each vector of a row; `lanes` is 4, or less for the last one, which may read past the row. */
export function eachVector(
  f: FunctionBuilder,
  size: number,
  pointers: readonly Local[],
  body: (vector: number, lanes: number) => void,
): void {
  eachFour(f, size, pointers, (lanes) => {
    for (const [vector, count] of lanes.entries()) body(vector, count)
  })
}

/** The same for up to four vectors at once. */
export function eachFour(f: FunctionBuilder, size: number, pointers: readonly Local[], body: (lanes: readonly number[]) => void): void {
  const move = (bytes: number): void => {
    for (const pointer of pointers) f.advance(pointer, bytes)
  }
  f.repeat(Math.floor(size / 16), () => {
    body([4, 4, 4, 4])
    move(64)
  })
  const rest = size % 16
  if (rest > 0) body(Array.from({ length: Math.ceil(rest / 4) }, (_, vector) => Math.min(4, rest - 4 * vector)))
  move(-64 * Math.floor(size / 16))
}

/** Lanes at and past `lanes` cleared. */
export function maskLanes(f: FunctionBuilder, lanes: number): void {
  if (lanes < 4) f.v128(laneMask(lanes)).op('v128.and')
}

export function storeLanes(f: FunctionBuilder, { pointer, value, offset, lanes }: Store): void {
  if (lanes === 4) f.get(pointer).get(value).memory('v128.store', offset)
  else
    for (let lane = 0; lane < lanes; lane++)
      f.get(pointer)
        .get(value)
        .memoryLane('v128.store32_lane', lane, offset + 4 * lane)
}
type Store = { readonly pointer: Local; readonly value: Local; readonly offset: number; readonly lanes: number }

/** Sixteen-lane sum of `term` over a row; pushes a scalar. `term` turns the loaded vector on the stack into what is added. */
function emitLaneSum(f: FunctionBuilder, { pointer, size, term }: { pointer: Local; size: number; term?: () => void }): void {
  const lanes = f.locals('v128', 4)
  for (const lane of lanes) f.v128(zero).set(lane)
  eachVector(f, size, [pointer], (vector, count) => {
    const lane = lanes[vector] ?? 0
    f.get(lane)
      .get(pointer)
      .memory('v128.load', 16 * vector)
    term?.()
    // Adding +0 to a lane changes nothing: a sum from +0 is never -0.
    maskLanes(f, count)
    f.op('f32x4.add').set(lane)
  })
  foldLanes(f, lanes)
}

export function foldLanes(f: FunctionBuilder, lanes: readonly Local[]): void {
  const [a = 0, b = 0, c = 0, d = 0] = lanes
  f.get(a).get(c).op('f32x4.add').get(b).get(d).op('f32x4.add', 'f32x4.add').set(a)
  f.get(a).get(a).get(a).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]).op('f32x4.add').set(a)
  f.get(a).lane('f32x4.extract_lane', 0).get(a).lane('f32x4.extract_lane', 1).op('f32.add')
}

function emitExtreme(f: FunctionBuilder, { pointer, size, kind }: { pointer: Local; size: number; kind: 'max' | 'min' }): void {
  const best = f.local('v128')
  const start = kind === 'max' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  f.v128(splatF32(start)).set(best)
  eachVector(f, size, [pointer], (vector, lanes) => {
    f.get(best)
      .get(pointer)
      .memory('v128.load', 16 * vector)
    if (lanes < 4) {
      f.v128(splatF32(start)).v128(laneMask(lanes))
      f.op('v128.bitselect')
    }
    f.op(`f32x4.${kind}`).set(best)
  })
  for (let lane = 0; lane < 4; lane++) f.get(best).lane('f32x4.extract_lane', lane)
  for (let lane = 0; lane < 3; lane++) f.op(`f32.${kind}`)
}

export function laneMask(lanes: number): Uint8Array {
  return new Uint8Array(Int32Array.from([0, 1, 2, 3], (lane) => (lane < lanes ? -1 : 0)).buffer)
}

export function eachRow(
  f: FunctionBuilder,
  { rows, pointers }: { rows: number; pointers: readonly { local: Local; bytes: number }[] },
  body: () => void,
): void {
  f.repeat(rows, () => {
    body()
    for (const { local, bytes } of pointers) f.advance(local, bytes)
  })
}

export type RowShape = { readonly rows: number; readonly size: number }
export type RowReduction = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd' | 'ReduceSumSquare' | 'ReduceL2'

/** The function (x, y): one value per row. */
export function buildRowReduction(kind: RowReduction, { rows, size }: RowShape): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'])
  const loaded = f.local('v128')
  const square = (): void => void f.tee(loaded).get(loaded).op('f32x4.mul')
  eachRow(
    f,
    {
      rows,
      pointers: [
        { local: 0, bytes: 4 * size },
        { local: 1, bytes: 4 },
      ],
    },
    () => {
      f.get(1)
      if (kind === 'ReduceMax' || kind === 'ReduceMin') emitExtreme(f, { pointer: 0, size, kind: kind === 'ReduceMax' ? 'max' : 'min' })
      else if (kind === 'ReduceProd') emitProduct(f, size)
      else if (kind === 'ReduceSumSquare' || kind === 'ReduceL2') emitLaneSum(f, { pointer: 0, size, term: square })
      else emitLaneSum(f, { pointer: 0, size })
      if (kind === 'ReduceMean') f.f32(size).op('f32.div')
      if (kind === 'ReduceL2') f.op('f32.sqrt')
      f.memory('f32.store')
    },
  )
  return f
}

function emitProduct(f: FunctionBuilder, size: number): void {
  const product = f.local('f32')
  f.f32(1).set(product)
  f.repeat(size, () => void f.get(product).get(0).memory('f32.load').op('f32.mul').set(product).advance(0, 4))
  f.advance(0, -4 * size).get(product)
}

export type NormalizationKernel = RowShape & { readonly centred: boolean; readonly bias: boolean; readonly epsilon: number }

/** The function (x, y, scale, bias): LayerNormalization (`centred`) or RMSNormalization of each row. */
export function buildNormalization({ rows, size, centred, bias, epsilon }: NormalizationKernel): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32'])
  const mean = f.local('v128')
  const inverse = f.local('v128')
  const difference = f.local('v128')
  const centre = (): void => {
    if (centred) f.get(mean).op('f32x4.sub')
  }
  eachRow(
    f,
    {
      rows,
      pointers: [
        { local: 0, bytes: 4 * size },
        { local: 1, bytes: 4 * size },
      ],
    },
    () => {
      if (centred) {
        emitLaneSum(f, { pointer: 0, size })
        f.f32(size).op('f32.div', 'f32x4.splat').set(mean)
      }
      f.f32(1)
      const term = (): void => {
        centre()
        f.tee(difference).get(difference).op('f32x4.mul')
      }
      emitLaneSum(f, { pointer: 0, size, term })
      f.f32(size).op('f32.div').f32(epsilon).op('f32.add', 'f32.sqrt', 'f32.div', 'f32x4.splat').set(inverse)
      eachVector(f, size, bias ? [0, 1, 2, 3] : [0, 1, 2], (vector, lanes) => {
        f.get(0).memory('v128.load', 16 * vector)
        centre()
        f.get(inverse)
          .op('f32x4.mul')
          .get(2)
          .memory('v128.load', 16 * vector)
          .op('f32x4.mul')
        if (bias)
          f.get(3)
            .memory('v128.load', 16 * vector)
            .op('f32x4.add')
        storeLanes(f, { pointer: 1, value: keep(f), offset: 16 * vector, lanes })
      })
    },
  )
  return f
}
