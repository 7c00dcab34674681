// The scalar field of secp256k1 in BigInt: for challenges and other single values. Vectors live in the kernels.

/** Order of the group, the modulus of all proof arithmetic. */
export const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** The residue in 0..ORDER-1. */
export function mod(value: bigint): bigint {
  const rest = value % ORDER
  return rest < 0n ? rest + ORDER : rest
}

/** `base` to a non-negative power. */
export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = mod(base)
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % ORDER
    square = (square * square) % ORDER
  }
  return result
}

/** The inverse of a residue by the extended Euclidean algorithm; 0 for 0. Variable time: for challenges, not for secrets. */
export function invert(value: bigint): bigint {
  let [r0, r1, s0, s1] = [ORDER, mod(value), 0n, 1n]
  while (r1 > 0n) {
    const quotient = r0 / r1
    ;[r0, r1, s0, s1] = [r1, r0 - quotient * r1, s1, s0 - quotient * s1]
  }
  return mod(s0)
}

/** 32 bytes, big-endian. */
export function scalarBytes(value: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < 4; i++) view.setBigUint64(8 * i, (value >> BigInt(192 - 64 * i)) & 0xffffffffffffffffn)
  return bytes
}

/** The number of a big-endian byte string. */
export function bytesToNumber(bytes: Uint8Array): bigint {
  let text = '0x0'
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return BigInt(text)
}
