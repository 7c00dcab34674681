/** Writes the binary digits of a non-negative integer below 2^53, lowest first. */
export function putBits(bits: Uint8Array, at: number, width: number, value: number): void {
  let rest = value
  for (let k = 0; k < width; k++) {
    bits[at + k] = rest % 2
    rest = Math.floor(rest / 2)
  }
}
