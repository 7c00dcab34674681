// Kernels that choose, place and fold single elements: extremes, top k, scatter, reductions of integers. Every loop is counted by
// shapes; what depends on values is a select.
import { FunctionBuilder, type Local, type Opcode } from '@tacit/wasm'
import type { Storage } from '../program/program.ts'
import { access, binaryScalar, emitQuotient, type ScalarType, scalarTypeOf } from './scalar-map.ts'

/** Rows of consecutive elements. */
export type Rows = { readonly rows: number; readonly size: number; readonly storage: Storage }

const greater: Readonly<Record<ScalarType, Opcode>> = { f32: 'f32.gt', i32: 'i32.gt_s', i64: 'i64.gt_s' }
const less: Readonly<Record<ScalarType, Opcode>> = { f32: 'f32.lt', i32: 'i32.lt_s', i64: 'i64.lt_s' }

/** The function (x, y): the index of each row's extreme, the lowest of equals, as int64. */
export function buildArgExtreme(kind: 'ArgMax' | 'ArgMin', { rows, size, storage }: Rows): FunctionBuilder {
  const [type, load, , bytes] = access[storage]
  const f = new FunctionBuilder(['i32', 'i32'])
  const [best, value] = [f.local(type), f.local(type)]
  const [index, at] = [f.local('i32'), f.local('i32')]
  const better = (kind === 'ArgMax' ? greater : less)[type]
  f.repeat(rows, () => {
    f.get(0).memory(load).set(best).i32(0).set(index).i32(0).set(at)
    f.repeat(size, () => {
      f.get(0).memory(load).set(value)
      f.get(at).get(index).get(value).get(best).op(better, 'select').set(index)
      f.get(value).get(best).get(value).get(best).op(better, 'select').set(best)
      f.advance(at, 1).advance(0, bytes)
    })
    f.get(1).get(index).op('i64.extend_i32_s').memory('i64.store').advance(1, 8)
  })
  return f
}

export type TopK = Rows & { readonly k: number; readonly largest: boolean }

/**
 * The function (x, values, indices, flags): per row k selections, each the first unused element until an unused one beats it; `flags` has
 * a byte per element of a row.
 */
export function buildTopK({ rows, size, storage, k, largest }: TopK): FunctionBuilder {
  const [type, load, store, bytes] = access[storage]
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32'])
  const [best, value] = [f.local(type), f.local(type)]
  const [index, at, wins] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const better = (largest ? greater : less)[type]
  f.repeat(rows, () => {
    f.repeat(size, () => void f.get(3).i32(0).memory('i32.store8').advance(3, 1)).advance(3, -size)
    f.repeat(k, () => {
      f.i32(-1).set(index).i32(0).set(at)
      f.repeat(size, () => {
        f.get(0).memory(load).set(value)
        // Unused, and either the first or better.
        f.get(3).memory('i32.load8_u').op('i32.eqz').get(index).i32(0).op('i32.lt_s').get(value).get(best).op(better, 'i32.or', 'i32.and')
        f.set(wins)
        f.get(at).get(index).get(wins).op('select').set(index)
        f.get(value).get(best).get(wins).op('select').set(best)
        f.advance(at, 1).advance(3, 1).advance(0, bytes)
      })
      f.advance(3, -size).advance(0, -size * bytes)
      f.get(3).get(index).op('i32.add').i32(1).memory('i32.store8')
      f.get(1).get(best).memory(store).advance(1, bytes)
      f.get(2).get(index).op('i64.extend_i32_s').memory('i64.store').advance(2, 8)
    })
    f.advance(0, size * bytes)
  })
  return f
}

export type Scatter = {
  readonly rows: number
  readonly width: number
  readonly count: number
  readonly storage: Storage
  readonly reduction: 'none' | 'add' | 'mul' | 'min' | 'max'
}

const combining = { add: 'Add', mul: 'Mul', min: 'Min', max: 'Max' } as const

/** The function (result, indices, updates): rows of the result replaced or combined in order; indices outside are clamped. */
export function buildScatter({ rows, width, count, storage, reduction }: Scatter): FunctionBuilder {
  const [type, load, store, bytes] = access[storage]
  const f = new FunctionBuilder(['i32', 'i32', 'i32'])
  const [index, target] = [f.local('i32'), f.local('i32')]
  const [before, update] = [f.local(type), f.local(type)]
  f.repeat(count, () => {
    f.get(1).memory('i32.load').set(index)
    f.get(index).i32(0).get(index).i32(0).op('i32.gt_s', 'select').set(index)
    f.get(index)
      .i32(rows - 1)
      .get(index)
      .i32(rows - 1)
      .op('i32.lt_s', 'select')
      .set(index)
    f.get(index)
      .i32(width * bytes)
      .op('i32.mul')
      .get(0)
      .op('i32.add')
      .set(target)
    f.repeat(width, () => {
      f.get(2).memory(load).set(update).get(target).memory(load).set(before)
      f.get(target)
      combine(f, type, reduction, [before, update])
      f.memory(store).advance(target, bytes).advance(2, bytes)
    })
    f.advance(1, 8)
  })
  return f
}

function combine(f: FunctionBuilder, type: ScalarType, reduction: Scatter['reduction'], [before, update]: readonly [Local, Local]): void {
  if (reduction === 'none') f.get(update)
  else if (type === 'f32') f.get(before).get(update).op(`f32.${reduction}`)
  else binaryScalar(combining[reduction], type)?.emit(f, [before, update])
}

export type IntegerReduction = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd' | 'ReduceSumSquare'

/** The function (x, y): reductions of rows of integers in 64 bits, cut to the storage at the end. */
export function buildIntegerReduction(kind: IntegerReduction, { rows, size, storage }: Rows): FunctionBuilder {
  const [type, load, store, bytes] = access[storage]
  const f = new FunctionBuilder(['i32', 'i32'])
  const [sum, value] = [f.local('i64'), f.local('i64')]
  const isExtreme = kind === 'ReduceMax' || kind === 'ReduceMin'
  const read = (): void => {
    f.get(0).memory(load)
    if (scalarTypeOf(storage) === 'i32') f.op('i64.extend_i32_s')
    f.set(value)
  }
  f.repeat(rows, () => {
    if (isExtreme) {
      read()
      f.get(value).set(sum)
    } else f.i64(kind === 'ReduceProd' ? 1n : 0n).set(sum)
    f.repeat(size, () => {
      read()
      f.get(sum)
      if (kind === 'ReduceProd') f.get(value).op('i64.mul')
      else if (kind === 'ReduceSumSquare') f.get(value).get(value).op('i64.mul', 'i64.add')
      else if (isExtreme)
        f.get(value)
          .get(sum)
          .get(value)
          .op(kind === 'ReduceMax' ? 'i64.gt_s' : 'i64.lt_s', 'select')
      else f.get(value).op('i64.add')
      f.set(sum).advance(0, bytes)
    })
    f.get(1)
    if (kind === 'ReduceMean') {
      f.i64(BigInt(size)).set(value)
      emitQuotient(f, 'i64', [sum, value])
    } else f.get(sum)
    if (type === 'i32') f.op('i32.wrap_i64')
    f.memory(store).advance(1, bytes)
  })
  return f
}
