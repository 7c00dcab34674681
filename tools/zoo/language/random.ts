/** Uniform numbers in [0, 1) that depend on the seed alone. */
export type Random = () => number

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, good enough to shuffle text and draw first weights. */
export function mulberry32(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Box-Muller: one standard normal number from two uniform ones. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** One of the options, all equally likely. */
export function pick<T>(random: Random, options: readonly T[]): T {
  const option = options[Math.floor(random() * options.length)]
  if (option === undefined) throw new Error('Nothing to pick from.')
  return option
}
