import { FunctionBuilder } from '@tacit/wasm'

/** data is [outer, size, innerBytes], indices `count` integers, the result [outer, count, innerBytes]. */
export type GatherKernel = {
  readonly outer: number
  readonly size: number
  readonly innerBytes: number
  readonly count: number
  readonly wide: boolean
}

/** The function (data, indices, result). Negative indices count from the end; those outside are clamped to the axis. */
export function buildGather({ outer, size, innerBytes, count, wide }: GatherKernel): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'])
  const index = f.local('i32')
  const source = f.local('i32')
  const next = f.local('i32')
  f.repeat(outer, () => {
    f.get(1).set(next)
    f.repeat(count, () => {
      f.get(next).memory('i32.load').set(index)
      // index + (index < 0 ? size : 0), then into 0 .. size - 1.
      f.get(index).i32(31).op('i32.shr_s').i32(size).op('i32.and').get(index).op('i32.add').set(index)
      f.get(index).i32(0).get(index).i32(0).op('i32.gt_s', 'select').set(index)
      f.get(index)
        .i32(size - 1)
        .get(index)
        .i32(size - 1)
        .op('i32.lt_s', 'select')
        .set(index)
      f.get(index).i32(innerBytes).op('i32.mul').get(0).op('i32.add').set(source)
      f.repeat(
        Math.floor(innerBytes / 16),
        () => void f.get(2).get(source).memory('v128.load').memory('v128.store').advance(source, 16).advance(2, 16),
      )
      f.repeat(innerBytes % 16, () => void f.get(2).get(source).memory('i32.load8_u').memory('i32.store8').advance(source, 1).advance(2, 1))
      f.advance(next, wide ? 8 : 4)
    })
    f.advance(0, size * innerBytes)
  })
  return f
}
