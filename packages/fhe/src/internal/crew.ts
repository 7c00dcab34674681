import type { Crew } from './ring.ts'

// Words of the first memory page that nothing else uses (the kernels keep no data there).
const barrierAddress = 8192
const arrived = barrierAddress / 4
const generation = arrived + 16
const spins = 20_000

/**
 * A crew member over shared memory. Steps are microseconds apart, so the barrier spins first; on a machine with fewer free cores than
 * members it then sleeps, which keeps it correct and merely slow.
 */
export function createCrewMember(memory: WebAssembly.Memory, index: number, count: number): Crew {
  const words = new Int32Array(memory.buffer)
  const meet = (): void => {
    const now = Atomics.load(words, generation)
    if (Atomics.add(words, arrived, 1) === count - 1) {
      Atomics.store(words, arrived, 0)
      Atomics.add(words, generation, 1)
      Atomics.notify(words, generation)
      return
    }
    for (let i = 0; i < spins; i++) if (Atomics.load(words, generation) !== now) return
    while (Atomics.load(words, generation) === now) Atomics.wait(words, generation, now, 1)
  }
  return { index, count, meet }
}
