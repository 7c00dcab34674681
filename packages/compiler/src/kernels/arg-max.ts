import { FunctionBuilder } from '@tacit/wasm'

/** The function (x, y) over rows of consecutive int16: the index of the largest, the lowest of equals, as int32. */
export function buildArgMax({ rows, size }: { readonly rows: number; readonly size: number }): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'])
  const [best, index, at, value] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')]
  f.repeat(rows, () => {
    f.i32(-32769).set(best).i32(0).set(index).i32(0).set(at)
    f.repeat(size, () => {
      f.get(0).memory('i32.load16_s').set(value)
      f.get(at).get(index).get(value).get(best).op('i32.gt_s', 'select').set(index)
      f.get(value).get(best).get(value).get(best).op('i32.gt_s', 'select').set(best)
      f.advance(at, 1).advance(0, 2)
    })
    f.get(1).get(index).memory('i32.store').advance(1, 4)
  })
  return f
}
