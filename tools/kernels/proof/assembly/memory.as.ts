// Static scratch of the field functions, and big-endian bytes <-> nine limbs of 29 bits.
const SCRATCH_ZERO: usize = memory.data(40, 8);
const SCRATCH_BYTES: usize = memory.data(40, 8);
const SCRATCH_POWER: usize = memory.data(40, 8);
const PAIR_A: usize = memory.data(40, 8);
const PAIR_B: usize = memory.data(40, 8);
const PAIR_C: usize = memory.data(40, 8);
const PAIR_D: usize = memory.data(40, 8);
const ZERO: usize = memory.data(40, 8);
const LIMB_MASK: u64 = 0x1fffffff;

/** First free address: the host lays out everything above it. */
export function heapBase(): usize {
  return __heap_base;
}

// @ts-ignore
@inline function isRawZero(a: usize): bool {
  return (load<u64>(a) | load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24) | <u64>load<u32>(a, 32)) == 0;
}

function unpackBE(o: usize, b: usize): void {
  for (let i: u32 = 0; i < 9; i++) {
    const bit = i * 29, by = bit >> 3;
    let v: u64 = 0;
    for (let k: u32 = 0; k < 5; k++) if (by + k < 32) v |= <u64>load<u8>(b + 31 - (by + k)) << (k << 3);
    store<u32>(o + (i << 2), <u32>((v >> (bit & 7)) & LIMB_MASK));
  }
}

function packBE(b: usize, a: usize): void {
  let acc: u64 = 0, held: u32 = 0, at: usize = b + 31;
  for (let i: u32 = 0; i < 9; i++) {
    acc |= <u64>load<u32>(a + (i << 2)) << held;
    held += 29;
    while (held >= 8 && at >= b) { store<u8>(at, <u8>acc); at--; acc >>= 8; held -= 8; }
  }
}

/** `width` (at most 26) bits of a canonical scalar in limbs, from bit `at` on. */
// @ts-ignore
@inline function scalarBits(s: usize, at: u32, width: u32): u32 {
  const limb = at / 29, shift = at % 29;
  if (limb > 8) return 0;
  let v: u64 = <u64>load<u32>(s + (limb << 2)) >> shift;
  if (limb < 8) v |= <u64>load<u32>(s + (limb << 2) + 4) << (29 - shift);
  return <u32>v & ((1 << width) - 1);
}
