// Four-lane arithmetic modulo a prime p < 2^30. P and P2 hold p and 2p in every lane.

// High words of the lane-wise 32 x 32 bit products.
@inline function mulHigh(x: v128, y: v128): v128 {
  return i8x16.shuffle(i64x2.extmul_low_i32x4_u(x, y), i64x2.extmul_high_i32x4_u(x, y), 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}
@inline function lowWords(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
@inline function highWords(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}
// y * w - floor(y * wq / 2^32) * p with wq = floor(w 2^32 / p): below 2p for every 32-bit y (Harvey 2014, Shoup's trick).
@inline function shoup(y: v128, w: v128, wq: v128, P: v128): v128 {
  return i32x4.sub(i32x4.mul(y, w), i32x4.mul(mulHigh(y, wq), P));
}
// x < 2m -> x mod m, for m = p or 2p: the wrapped difference is the larger one whenever x < m.
@inline function reduce(x: v128, M: v128): v128 {
  return i32x4.min_u(x, i32x4.sub(x, M));
}
// Montgomery reduction of four 64-bit sums of at most 16 products of residues. The sum is at most 16 (p-1)^2, so its high
// word is below 4p, below 2p after one conditional subtraction, and the result is below 3p.
@inline function montgomery(low: v128, high: v128, P: v128, PI: v128, P2: v128): v128 {
  const top = reduce(highWords(low, high), P2);
  return i32x4.add(i32x4.sub(top, mulHigh(i32x4.mul(lowWords(low, high), PI), P)), P);
}
// x y 2^-32 mod p, below 2p, for x y < 2^32 p.
@inline function montgomeryProduct(x: v128, y: v128, P: v128, PI: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(x, y), high = i64x2.extmul_high_i32x4_u(x, y);
  return i32x4.add(i32x4.sub(highWords(low, high), mulHigh(i32x4.mul(lowWords(low, high), PI), P)), P);
}
@inline function zipLow32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}
@inline function zipHigh32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}
@inline function zipLow64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}
@inline function zipHigh64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}
@inline function splat(x: u32): v128 {
  return i32x4.splat(<i32>x);
}
