/** The value of an IEEE 754 binary16 bit pattern; exact. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

const word = new DataView(new ArrayBuffer(4))

/** The value of a bfloat16 bit pattern: the upper half of a float32. */
export function fromBrainFloat(bits: number): number {
  word.setUint16(0, bits)
  word.setUint16(2, 0)
  return word.getFloat32(0)
}

const largest = 3.4028234663852886e38

/** The nearest float32; finite values stay finite, so that a mask of -1e300 stays a number. */
export function narrowed(value: number): number {
  return Number.isFinite(value) ? Math.fround(Math.min(Math.max(value, -largest), largest)) : value
}
