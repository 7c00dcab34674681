// Softmax and its logarithm, row by row: greatest, exponentials and their lane sum, division.
import { FunctionBuilder, type Local } from '@tacit/wasm'
import { splatF32 } from './post-operation.ts'
import { eachFour, eachRow, eachVector, foldLanes, laneMask, maskLanes, type RowShape, storeLanes } from './rows.ts'
import { emitExps, keep } from './stepwise-math.ts'
import { unaryFunctions } from './vector-math.ts'

/** The function (x, y): softmax, or its logarithm, of each row. */
export function buildSoftmax(kind: 'Softmax' | 'LogSoftmax', { rows, size }: RowShape): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'])
  const maximum = f.local('v128')
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
      emitRowMaximum(f, { pointer: 0, size })
      f.set(maximum)
      const shifted = (vector: number): void =>
        void f
          .get(0)
          .memory('v128.load', 16 * vector)
          .get(maximum)
          .op('f32x4.sub')
      const lanes = f.locals('v128', 4)
      for (const lane of lanes) f.v128(new Uint8Array(16)).set(lane)
      eachFour(f, size, [0, 1], (counts) => {
        const differences = counts.map((_, vector) => {
          shifted(vector)
          return keep(f)
        })
        for (const [vector, e] of emitExps(f, differences).entries()) {
          const count = counts[vector] ?? 4
          if (kind === 'Softmax') storeLanes(f, { pointer: 1, value: e, offset: 16 * vector, lanes: count })
          f.get(lanes[vector] ?? 0).get(e)
          maskLanes(f, count)
          f.op('f32x4.add').set(lanes[vector] ?? 0)
        }
      })
      foldLanes(f, lanes)
      if (kind === 'Softmax') {
        const sum = f.local('f32')
        f.set(sum).f32(1).get(sum).op('f32.div')
      }
      f.op('f32x4.splat')
      if (kind === 'LogSoftmax') {
        const sum = keep(f)
        unaryFunctions['Log']?.emit(f, [sum])
      }
      const factor = keep(f)
      eachVector(f, size, [0, 1], (vector, count) => {
        if (kind === 'Softmax')
          f.get(1)
            .memory('v128.load', 16 * vector)
            .get(factor)
            .op('f32x4.mul')
        else {
          shifted(vector)
          f.get(factor).op('f32x4.sub')
        }
        storeLanes(f, { pointer: 1, value: keep(f), offset: 16 * vector, lanes: count })
      })
    },
  )
  return f
}

/**
 * The greatest of a row in every lane, NaN left out, sign of zero either; for softmax, where neither changes a bit: a NaN makes
 * the sum NaN, and x - m is the same but for the sign of a zero, whose exponential is 1. Four maxima side by side and no
 * scalars, so that one row hardly waits for another.
 */
function emitRowMaximum(f: FunctionBuilder, { pointer, size }: { pointer: Local; size: number }): void {
  const best = f.locals('v128', 4)
  for (const local of best) f.hoisted(splatF32(Number.NEGATIVE_INFINITY)).set(local)
  eachVector(f, size, [pointer], (vector, lanes) => {
    const local = best[vector] ?? 0
    f.get(local)
      .get(pointer)
      .memory('v128.load', 16 * vector)
    if (lanes < 4) f.hoisted(splatF32(Number.NEGATIVE_INFINITY)).v128(laneMask(lanes)).op('v128.bitselect')
    f.op('f32x4.pmax').set(local)
  })
  const [a = 0, b = 0, c = 0, d = 0] = best
  f.get(a).get(b).op('f32x4.pmax').get(c).get(d).op('f32x4.pmax', 'f32x4.pmax').set(a)
  f.get(a).get(a).get(a).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]).op('f32x4.pmax').set(a)
  f.get(a).get(a).get(a).shuffle([4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11]).op('f32x4.pmax')
}
