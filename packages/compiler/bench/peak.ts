// What the machine could do at best: multiply-adds on registers only, in the same kind of WebAssembly.
import { FunctionBuilder, ModuleBuilder } from '@tacit/wasm'

/**
 * Multiply-accumulates per millisecond of a register-resident microkernel, as a function that measures one round: twelve
 * independent chains acc = acc * a + b (or dot(acc, a) + b), so that neither latency nor loads limit it, and no product is like
 * another. Float chains converge to b / (1 - a), far from denormal numbers.
 */
export function openPeak(arithmetic: 'f32' | 'int8'): () => number {
  const f = new FunctionBuilder()
  const accumulators = f.locals('v128', 12)
  const [a, b] = [f.local('v128'), f.local('v128')]
  const splat = (value: number): Uint8Array =>
    new Uint8Array(arithmetic === 'f32' ? Float32Array.of(value, value, value, value).buffer : new Int16Array(8).fill(value * 8).buffer)
  f.v128(splat(0.5)).set(a).v128(splat(0.25)).set(b)
  for (const [i, accumulator] of accumulators.entries()) f.v128(splat(1 + i / 8)).set(accumulator)
  const rounds = 20_000
  const unroll = 4
  f.repeat(rounds, () => {
    for (let i = 0; i < unroll; i++)
      for (const accumulator of accumulators) {
        f.get(accumulator).get(a)
        if (arithmetic === 'f32') f.op('f32x4.mul').get(b).op('f32x4.add')
        else f.op('i32x4.dot_i16x8_s').get(b).op('i32x4.add')
        f.set(accumulator)
      }
  })
  f.i32(64)
  for (const accumulator of accumulators) f.get(accumulator)
  for (let i = 1; i < accumulators.length; i++) f.op('v128.xor')
  f.memory('v128.store')
  const module = new ModuleBuilder()
  module.export('run', module.function(f, 'peak'))
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.build({ memoryPages: 1, names: 'stripped' })))
  const run = exports['run'] as () => void
  const macs = rounds * unroll * accumulators.length * (arithmetic === 'f32' ? 4 : 8)
  return () => {
    const start = performance.now()
    run()
    return macs / (performance.now() - start)
  }
}
