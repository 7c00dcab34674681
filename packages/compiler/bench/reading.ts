// What reading costs: a loop that loads bytes and does nothing with them, the floor under a network that uses each weight once.
import { FunctionBuilder, ModuleBuilder } from '@tacit/wasm'

const pageBytes = 65_536
const unroll = 16

/** A run loads `sizeBytes` (rounded down to 256) once, in order, 16 bytes at a time, into four registers. */
export function openReading(sizeBytes: number): () => void {
  const f = new FunctionBuilder()
  const sums = f.locals('v128', 4)
  const pointer = f.local('i32')
  f.i32(pageBytes).set(pointer)
  f.repeat(Math.floor(sizeBytes / (16 * unroll)), () => {
    for (let i = 0; i < unroll; i++) {
      const [sum] = sums.slice(i % sums.length)
      if (sum === undefined) continue
      f.get(pointer)
        .memory('v128.load', 16 * i)
        .get(sum)
        .op('v128.xor')
        .set(sum)
    }
    f.advance(pointer, 16 * unroll)
  })
  f.i32(64)
  for (const sum of sums) f.get(sum)
  for (let i = 1; i < sums.length; i++) f.op('v128.xor')
  f.memory('v128.store')
  const module = new ModuleBuilder()
  module.export('run', module.function(f, 'read'))
  const memoryPages = 2 + Math.ceil(sizeBytes / pageBytes)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.build({ memoryPages, names: 'stripped' })))
  // Memory that nobody wrote to is one page of zeros, read from the nearest cache.
  new Uint32Array((exports['memory'] as WebAssembly.Memory).buffer).forEach((_, i, words) => {
    words[i] = i
  })
  return exports['run'] as () => void // the function defined above
}
