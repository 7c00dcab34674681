// Strided copies, with the conversions that trace points and outputs need.
import { FunctionBuilder, type Local, type Opcode } from '@tacit/wasm'
import { emitLoops, mergeAxes } from './loops.ts'
import { splatF32 } from './post-operation.ts'

/** `canonical-f32` replaces every NaN by 0x7fc00000; `uncentre` adds the zero point to int16 and stores bytes. */
export type CopyConversion =
  | { readonly kind: 'none'; readonly bytes: 1 | 2 | 4 | 8 }
  | { readonly kind: 'canonical-f32' }
  | { readonly kind: 'uncentre'; readonly zeroPoint: number; readonly signed: boolean }
  | { readonly kind: 'centre'; readonly zeroPoint: number; readonly signed: boolean }

/** Strides in elements of either side. */
export type CopyShape = { readonly shape: readonly number[]; readonly from: readonly number[]; readonly to: readonly number[] }

export function copyKey(conversion: CopyConversion, space: CopyShape): string {
  return `copy ${JSON.stringify([conversion, mergeAxes(space.shape, [space.from, space.to])])}`
}

const elementBytes = (conversion: CopyConversion): readonly [number, number] => {
  switch (conversion.kind) {
    case 'none':
      return [conversion.bytes, conversion.bytes]
    case 'canonical-f32':
      return [4, 4]
    case 'uncentre':
      return [2, 1]
    case 'centre':
      return [1, 2]
  }
}

/** The function (from, to). */
export function buildCopy(conversion: CopyConversion, space: CopyShape): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'])
  const [fromBytes, toBytes] = elementBytes(conversion)
  const merged = mergeAxes(space.shape, [space.from, space.to])
  const width = merged.shape.at(-1) ?? 1
  const [fromStep, toStep] = [merged.strides[0]?.at(-1) ?? 1, merged.strides[1]?.at(-1) ?? 1]
  const chunk = conversion.kind === 'none' ? 16 / conversion.bytes : conversion.kind === 'canonical-f32' ? 4 : 8
  const dense = fromStep === 1 && toStep === 1 && width >= chunk
  const outerWalkers = [0, 1].map((pointer) => ({
    pointer,
    steps: (merged.strides[pointer] ?? []).slice(0, -1).map((step) => step * (pointer === 0 ? fromBytes : toBytes)),
  }))
  const temporary = f.local('v128')
  emitLoops(f, merged.shape.slice(0, -1), outerWalkers, () => {
    const move = (elements: number): void => void f.advance(0, elements * fromStep * fromBytes).advance(1, elements * toStep * toBytes)
    if (dense) {
      f.repeat(Math.floor(width / chunk), () => {
        emitChunk(f, conversion, temporary)
        move(chunk)
      })
    }
    const rest = dense ? width % chunk : width
    const unroll = fromStep >= 0 && toStep >= 0 ? Math.min(rest, 8) : 1
    const stretch = (elements: number): void => {
      for (let i = 0; i < elements; i++) emitElement(f, conversion, { from: i * fromStep * fromBytes, to: i * toStep * toBytes, temporary })
      move(elements)
    }
    if (unroll > 0) f.repeat(Math.floor(rest / unroll), () => stretch(unroll))
    if (unroll > 0 && rest % unroll > 0) stretch(rest % unroll)
    move(-width)
  })
  return f
}

function emitChunk(f: FunctionBuilder, conversion: CopyConversion, temporary: Local): void {
  f.get(1)
  switch (conversion.kind) {
    case 'none':
      f.get(0).memory('v128.load').memory('v128.store')
      return
    case 'canonical-f32':
      f.get(0).memory('v128.load')
      emitCanonicalNaN(f, temporary)
      f.memory('v128.store')
      return
    case 'uncentre':
      f.get(0).memory('v128.load').v128(splatI16(conversion.zeroPoint)).op('i16x8.add').tee(temporary).get(temporary)
      f.op(conversion.signed ? 'i8x16.narrow_i16x8_s' : 'i8x16.narrow_i16x8_u').memoryLane('v128.store64_lane', 0)
      return
    case 'centre':
      f.get(0)
        .memory(conversion.signed ? 'v128.load8x8_s' : 'v128.load8x8_u')
        .v128(splatI16(conversion.zeroPoint))
        .op('i16x8.sub')
      f.memory('v128.store')
  }
}

export type Place = { readonly from: number; readonly to: number; readonly temporary: Local }

export function emitElement(f: FunctionBuilder, conversion: CopyConversion, { from, to, temporary }: Place): void {
  f.get(1).get(0)
  switch (conversion.kind) {
    case 'none': {
      const [load, store] = scalarAccess[conversion.bytes]
      f.memory(load, from).memory(store, to)
      return
    }
    case 'canonical-f32':
      f.memory('v128.load32_splat', from)
      emitCanonicalNaN(f, temporary)
      f.memoryLane('v128.store32_lane', 0, to)
      return
    case 'uncentre':
      f.memory('i32.load16_s', from).i32(conversion.zeroPoint).op('i32.add').memory('i32.store8', to)
      return
    case 'centre':
      f.memory(conversion.signed ? 'i32.load8_s' : 'i32.load8_u', from)
        .i32(conversion.zeroPoint)
        .op('i32.sub')
        .memory('i32.store16', to)
  }
}

const scalarAccess: Readonly<Record<1 | 2 | 4 | 8, readonly [Opcode, Opcode]>> = {
  1: ['i32.load8_u', 'i32.store8'],
  2: ['i32.load16_u', 'i32.store16'],
  4: ['i32.load', 'i32.store'],
  8: ['i64.load', 'i64.store'],
}

/** The vector on the stack with every NaN as 0x7fc00000. */
function emitCanonicalNaN(f: FunctionBuilder, temporary: Local): void {
  f.tee(temporary).v128(splatF32(Number.NaN)).get(temporary).get(temporary).op('f32x4.eq', 'v128.bitselect')
}

function splatI16(value: number): Uint8Array {
  return new Uint8Array(Int16Array.from({ length: 8 }, () => value).buffer)
}

/** The function (to): `count` elements of 4 or 2 bytes set to one bit pattern. */
export function buildFill(pattern: Uint8Array, bytes: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32'])
  f.repeat(Math.ceil(bytes / 16), () => void f.get(0).v128(pattern).memory('v128.store').advance(0, 16))
  return f
}
