// The four column sums of the SIMD version, one product at a time.
function columnSums(o: usize, w: usize, limbs: usize, m: i32): void {
  for (let k = 0; k < 4; k++) {
    let a: i32 = 0;
    const p = limbs + 2 * (k * m);
    for (let i = 0; i < 2 * m; i += 2) a += <i32>load<i16>(w + i) * <i32>load<i16>(p + i);
    store<i32>(o + 4 * k, a);
  }
}
