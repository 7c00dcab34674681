// Bit packing. Residues travel as 30-bit little-endian words; only canonical ones (< p) come back.

export function pack30(limb: usize, out: usize, H: i32): void {
  let bits: u64 = 0, held: u64 = 0;
  for (let half: usize = 0; half < 2; half++) {
    const from = limb + half * (<usize>(H + 16) << 2);
    for (let j: usize = 0; j < <usize>H << 2; j += 4) {
      bits |= <u64>load<u32>(from + j) << held;
      held += 30;
      if (held >= 32) {
        store<u32>(out, <u32>bits);
        out += 4;
        bits >>= 32;
        held -= 32;
      }
    }
  }
}
// Returns the number of residues that were not below p (0 for a canonical limb).
export function unpack30(bytes: usize, limb: usize, H: i32, p: u32): u32 {
  let bits: u64 = 0, held: u64 = 0, refused: u32 = 0;
  for (let half: usize = 0; half < 2; half++) {
    const to = limb + half * (<usize>(H + 16) << 2);
    for (let j: usize = 0; j < <usize>H << 2; j += 4) {
      if (held < 30) {
        bits |= <u64>load<u32>(bytes) << held;
        bytes += 4;
        held += 32;
      }
      const x = <u32>bits & 0x3fffffff;
      bits >>= 30;
      held -= 30;
      refused += <u32>(x >= p);
      store<u32>(to + j, x);
    }
  }
  pad(limb, H);
  return refused;
}
// Coefficient x0 + q0 y (below 2^60), rounded to multiples of 2^drop, `width` = 60 - drop bits each, wrapping at 2^60
export function packRounded(x0: usize, y: usize, out: usize, q0: u64, drop: u64, width: u64, count: i32): void {
  let bits: u64 = 0, held: u64 = 0;
  const half: u64 = (<u64>1 << drop) >> 1, mask: u64 = (<u64>1 << width) - 1;
  for (let i: usize = 0; i < <usize>count << 2; i += 4) {
    const v = ((<u64>load<u32>(x0 + i) + q0 * <u64>load<u32>(y + i) + half) >> drop) & mask;
    bits |= v << held;
    held += width;
    if (held >= 64) {
      store<u64>(out, bits);
      out += 8;
      held -= 64;
      bits = held ? v >> (width - held) : 0;
    }
  }
  if (held) store<u64>(out, bits);
}
// The inverse: residues modulo q0 and q1 of the value shifted back up
export function unpackRounded(bytes: usize, out0: usize, out1: usize, q0: u64, q1: u64, drop: u64, width: u64, count: i32): void {
  const mask: u64 = (<u64>1 << width) - 1;
  let bit: u64 = 0;
  for (let i: usize = 0; i < <usize>count << 2; i += 4, bit += width) {
    const at = bytes + <usize>(bit >> 3), shift = bit & 7;
    let v = load<u64>(at) >> shift;
    if (shift + width > 64) v |= <u64>load<u8>(at, 8) << (64 - shift);
    v = (v & mask) << drop;
    store<u32>(out0 + i, <u32>(v % q0));
    store<u32>(out1 + i, <u32>(v % q1));
  }
}
