const number = new Float32Array(1)
const bits = new Uint32Array(number.buffer)

/** IEEE 754 binary32 to binary16, ties to even; too large becomes infinity, too small becomes a subnormal or zero. */
export function toHalf(value: number): number {
  number[0] = value
  const word = bits[0] ?? 0
  const sign = (word >>> 16) & 0x8000
  const exponent = ((word >>> 23) & 255) - 112
  const mantissa = word & 0x7fffff
  if (exponent >= 31) return sign | 0x7c00 | ((word & 0x7fffffff) > 0x7f800000 ? 0x200 : 0)
  if (exponent < -10) return sign
  // Normal numbers drop 13 bits; subnormal ones show their leading one and drop one more bit per missing exponent.
  const whole = exponent > 0 ? (exponent << 23) | mantissa : mantissa | 0x800000
  const shift = exponent > 0 ? 13 : 14 - exponent
  const kept = whole >>> shift
  const rest = whole & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  const up = rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0
  return sign | (kept + up)
}

/** IEEE 754 binary16 to a number. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const mantissa = half & 1023
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}
