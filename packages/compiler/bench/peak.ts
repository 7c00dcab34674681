// What the machine could do at best: multiply-adds on registers only, in the same kind of WebAssembly.
import { FunctionBuilder, ModuleBuilder } from '@tacit/wasm'

/** Multiply-accumulates per millisecond of a register-resident microkernel, as a function that measures one round. */
export function openPeak(arithmetic: 'f32' | 'int8'): () => number {
  const f = new FunctionBuilder()
  const accumulators = f.locals('v128', 10)
  const [a, b] = [f.local('v128'), f.local('v128')]
  f.v128(new Uint8Array(16).fill(1)).set(a).v128(new Uint8Array(16).fill(1)).set(b)
  const rounds = 20_000
  const unroll = 4
  f.repeat(rounds, () => {
    for (let i = 0; i < unroll; i++)
      for (const accumulator of accumulators) {
        f.get(accumulator).get(a).get(b)
        if (arithmetic === 'f32') f.op('f32x4.mul', 'f32x4.add')
        else f.op('i32x4.dot_i16x8_s', 'i32x4.add')
        f.set(accumulator)
      }
    // Changes the operands, so that no product can be computed once for all.
    f.get(a)
      .get(accumulators[0] ?? 0)
      .op('v128.xor')
      .set(a)
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
