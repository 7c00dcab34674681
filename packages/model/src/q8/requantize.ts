import type { Q8Boundary, Q8Requantization } from './q8-model.ts'

/** y = clamp(floor(v / 2^s) + z, lo, hi), where v already contains 2^(s-1). docs/spec/q8.md, section 2. */
export function shiftAndClamp(v: bigint, shift: number, output: Q8Boundary): number {
  const y = (v >> BigInt(shift)) + BigInt(output.zeroPoint)
  if (y < BigInt(output.lo)) return output.lo
  return y > BigInt(output.hi) ? output.hi : Number(y)
}

/** The int8 value of an accumulator of output channel `channel`. */
export function requantize(acc: number, channel: number, by: Q8Requantization, output: Q8Boundary): number {
  const c = by.multipliers.length === 1 ? 0 : channel
  const half = 1n << BigInt(by.shift - 1)
  const v = BigInt(by.multipliers[c] ?? 0) * BigInt(acc) + (by.biases[c] ?? 0n) + half
  return shiftAndClamp(v, by.shift, output)
}
