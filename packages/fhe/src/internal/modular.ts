/** base^exponent modulo the modulus. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let square = ((base % modulus) + modulus) % modulus
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

/** The inverse modulo a prime. */
export function inverse(value: bigint, prime: bigint): bigint {
  return power(value, prime - 2n, prime)
}

/** The residue in [0, modulus). */
export function residue(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus
  return rest < 0n ? rest + modulus : rest
}

/** A constant factor with its Shoup quotient floor(w 2^32 / p), as the kernels take it. */
export type Factor = readonly [w: number, quotient: number]

/** The factor for multiplying by `value` modulo `prime`. */
export function factor(value: bigint, prime: bigint): Factor {
  const w = residue(value, prime)
  return [Number(w), Number((w << 32n) / prime)]
}

/** The `bits` low bits of x in reverse order. */
export function reverseBits(x: number, bits: number): number {
  let reversed = 0
  for (let i = 0; i < bits; i++) reversed = (reversed << 1) | ((x >> i) & 1)
  return reversed
}

/** 5^j modulo 2N for j < N/2: slot j of the first half is the evaluation at the 5^j-th power of the root. */
export function powersOfFive(polyDegree: number): Int32Array {
  const powers = new Int32Array(polyDegree / 2)
  for (let j = 0, value = 1; j < powers.length; j++, value = (value * 5) % (2 * polyDegree)) powers[j] = value
  return powers
}
