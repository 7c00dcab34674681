import type { LayerRequantisation } from '@tacit/protocol'

/** K = 2^(s-1) + (zeroPoint - low) 2^s: with it floor((acc + K) / 2^s) is the distance of the rounded value from the lower end. */
export function roundingConstant(requantisation: LayerRequantisation): bigint {
  const shift = BigInt(requantisation.shift)
  return (1n << (shift - 1n)) + (BigInt(requantisation.zeroPoint - requantisation.low) << shift)
}
