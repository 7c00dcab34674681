const f32 = Math.fround

/**
 * The sum of `count` numbers in the order that docs/spec/f32.md fixes: sixteen accumulators, then halved four times. Wide
 * enough for SIMD kernels to keep up with memory, and more accurate than one accumulator.
 */
export function laneSum(count: number, at: (index: number) => number): number {
  const lanes = new Float32Array(16)
  for (let i = 0; i < count; i++) lanes[i & 15] = (lanes[i & 15] ?? 0) + at(i)
  for (let width = 8; width >= 1; width /= 2)
    for (let lane = 0; lane < width; lane++) lanes[lane] = f32((lanes[lane] ?? 0) + (lanes[lane + width] ?? 0))
  return lanes[0] ?? 0
}
