// ChaCha20 (RFC 8439, section 2.3), four blocks side by side, and the samplers fed by it.

@inline function rotate16(x: v128): v128 {
  return i8x16.shuffle(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}
@inline function rotate8(x: v128): v128 {
  return i8x16.shuffle(x, x, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
}
@inline function rotate12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20));
}
@inline function rotate7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25));
}
@inline function store4(out: usize, column: usize, a: v128, b: v128, c: v128, d: v128): void {
  const t0 = zipLow32(a, b), t1 = zipHigh32(a, b), t2 = zipLow32(c, d), t3 = zipHigh32(c, d);
  v128.store(out + column, zipLow64(t0, t2));
  v128.store(out + column + 64, zipHigh64(t0, t2));
  v128.store(out + column + 128, zipLow64(t1, t3));
  v128.store(out + column + 192, zipHigh64(t1, t3));
}
// `groups` times 256 bytes of key stream. `state`: 8 key words, 3 nonce words. The block counter starts at `counter`.
export function chacha20(state: usize, counter: u32, out: usize, groups: i32): void {
  const k0 = v128.load32_splat(state), k1 = v128.load32_splat(state, 4), k2 = v128.load32_splat(state, 8), k3 = v128.load32_splat(state, 12);
  const k4 = v128.load32_splat(state, 16), k5 = v128.load32_splat(state, 20), k6 = v128.load32_splat(state, 24), k7 = v128.load32_splat(state, 28);
  const n0 = v128.load32_splat(state, 32), n1 = v128.load32_splat(state, 36), n2 = v128.load32_splat(state, 40);
  const c0 = splat(0x61707865), c1 = splat(0x3320646e), c2 = splat(0x79622d32), c3 = splat(0x6b206574);
  let count = i32x4.add(splat(counter), i32x4(0, 1, 2, 3));
  for (let g = 0; g < groups; g++, out += 256) {
    let x0 = c0, x1 = c1, x2 = c2, x3 = c3, x4 = k0, x5 = k1, x6 = k2, x7 = k3;
    let x8 = k4, x9 = k5, x10 = k6, x11 = k7, x12 = count, x13 = n0, x14 = n1, x15 = n2;
    for (let round = 0; round < 10; round++) {
//QUARTERS
    }
    store4(out, 0, i32x4.add(x0, c0), i32x4.add(x1, c1), i32x4.add(x2, c2), i32x4.add(x3, c3));
    store4(out, 16, i32x4.add(x4, k0), i32x4.add(x5, k1), i32x4.add(x6, k2), i32x4.add(x7, k3));
    store4(out, 32, i32x4.add(x8, k4), i32x4.add(x9, k5), i32x4.add(x10, k6), i32x4.add(x11, k7));
    store4(out, 48, i32x4.add(x12, count), i32x4.add(x13, n0), i32x4.add(x14, n1), i32x4.add(x15, n2));
    count = i32x4.add(count, splat(4));
  }
}
// Residues in slot layout by rejection of 30-bit words. Returns 1, or 0 if the stream was too short.
export function uniform(stream: usize, size: usize, out: usize, H: i32, p: u32): i32 {
  const end = stream + size;
  for (let half: usize = 0; half < 2; half++) {
    let to = out + half * (<usize>(H + 16) << 2);
    const stop = to + (<usize>H << 2);
    while (to < stop) {
      if (stream >= end) return 0;
      const x = load<u32>(stream) & 0x3fffffff;
      stream += 4;
      store<u32>(to, x);
      to += <usize>(x < p) << 2;
    }
  }
  pad(out, H);
  return 1;
}
// Centred binomial with parameter 21 from 8 bytes each: variance 10.5, standard deviation 3.24.
export function centredBinomial(stream: usize, out: usize, count: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const x = load<u64>(stream + (i << 3));
    store<i32>(out + (i << 2), <i32>popcnt(x & 0x1fffff) - <i32>popcnt((x >> 21) & 0x1fffff));
  }
}
// Ternary from 4 bytes each: floor(3 x / 2^32) - 1, uniform up to 2^-31, without branches.
export function ternary(stream: usize, out: usize, count: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) store<i32>(out + (i << 2), <i32>((<u64>load<u32>(stream + (i << 2)) * 3) >> 32) - 1);
}
