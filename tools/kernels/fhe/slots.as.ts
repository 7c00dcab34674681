// Kernels on limbs in slot order: two halves of H words, each followed by 16 words that repeat its beginning, so that an
// unaligned load may run over the end. A rotation is a shifted load, conjugation a swap of the halves. An automorphism is
// a pair (shift in bytes, 0 or 1 for the swap) in the table at `maps`.

@inline function pad(limb: usize, H: i32): void {
  const bytes = <usize>H << 2;
  for (let half: usize = 0; half < 2; half++) {
    const start = limb + half * (bytes + 64);
    for (let i: usize = 0; i < 64; i += 16) v128.store(start + bytes + i, v128.load(start + i));
  }
}
export function padHalves(limb: usize, H: i32): void {
  pad(limb, H);
}
export function rotate(a: usize, out: usize, shift: usize, swap: usize, H: i32): void {
  const bytes = <usize>H << 2, mask = bytes - 1;
  for (let half: usize = 0; half < 2; half++) {
    const from = a + (half ^ swap) * (bytes + 64), to = out + half * (bytes + 64);
    for (let j: usize = 0; j < bytes; j += 16) v128.store(to + j, v128.load(from + ((j + shift) & mask)));
  }
  pad(out, H);
}
// out + the image of a under one automorphism
export function addImage(a: usize, out: usize, shift: usize, swap: usize, H: i32, p: u32): void {
  const P = splat(p), bytes = <usize>H << 2, mask = bytes - 1;
  for (let half: usize = 0; half < 2; half++) {
    const from = a + (half ^ swap) * (bytes + 64), to = out + half * (bytes + 64);
    for (let j: usize = 0; j < bytes; j += 16) v128.store(to + j, reduce(i32x4.add(v128.load(to + j), v128.load(from + ((j + shift) & mask))), P));
  }
  pad(out, H);
}
// a + sum of its images under the automorphisms
export function sumImages(a: usize, out: usize, maps: usize, count: i32, H: i32, p: u32): void {
  const P = splat(p), bytes = <usize>H << 2, stride = bytes + 64, mask = bytes - 1;
  for (let half: usize = 0; half < 2; half++) {
    const start = half * stride;
    for (let j: usize = 0; j < bytes; j += 16) {
      let z = v128.load(a + start + j);
      for (let k: usize = 0; k < <usize>count; k++) {
        const map = maps + (k << 3);
        z = reduce(i32x4.add(z, v128.load(a + (half ^ <usize>load<u32>(map, 4)) * stride + ((j + <usize>load<u32>(map)) & mask))), P);
      }
      v128.store(out + start + j, z);
    }
  }
  pad(out, H);
}
// 2^-32 (a plain_0 + sum_k image_k(a) plain_k); the plaintexts are woven four slots at a time. At most 16 terms between reductions.
export function dotImages(a: usize, out: usize, plains: usize, maps: usize, count: i32, H: i32, p: u32, pInverse: u32): void {
  const P = splat(p), P2 = splat(2 * p), PI = splat(pInverse), bytes = <usize>H << 2, stride = bytes + 64, mask = bytes - 1;
  for (let half: usize = 0; half < 2; half++) {
    const start = half * stride;
    for (let j: usize = 0; j < bytes; j += 16) {
      let x = v128.load(a + start + j), y = v128.load(plains);
      plains += 16;
      let low = i64x2.extmul_low_i32x4_u(x, y), high = i64x2.extmul_high_i32x4_u(x, y), sum = i32x4.splat(0), terms = 1;
      for (let k: usize = 0; k < <usize>count; k++) {
        if (terms == 16) {
          sum = reduce(i32x4.add(sum, reduce(montgomery(low, high, P, PI, P2), P2)), P2);
          low = i32x4.splat(0);
          high = low;
          terms = 0;
        }
        const map = maps + (k << 3);
        x = v128.load(a + (half ^ <usize>load<u32>(map, 4)) * stride + ((j + <usize>load<u32>(map)) & mask));
        y = v128.load(plains);
        plains += 16;
        low = i64x2.add(low, i64x2.extmul_low_i32x4_u(x, y));
        high = i64x2.add(high, i64x2.extmul_high_i32x4_u(x, y));
        terms++;
      }
      sum = reduce(i32x4.add(sum, reduce(montgomery(low, high, P, PI, P2), P2)), P2);
      v128.store(out + start + j, reduce(sum, P));
    }
  }
  pad(out, H);
}
// Writes a limb into a woven stream: four slots, then `stride - 16` bytes for the other limbs of the stream.
export function weave(a: usize, stream: usize, stride: usize, H: i32): void {
  const bytes = <usize>H << 2;
  for (let half: usize = 0; half < 2; half++) {
    const from = a + half * (bytes + 64);
    for (let j: usize = 0; j < bytes; j += 16, stream += stride) v128.store(stream, v128.load(from + j));
  }
}
