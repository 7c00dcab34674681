// Four limbs of a column sum at once, eight rows per step.
// @ts-ignore
@inline function laneSum(o: usize, a: v128): void {
  store<i32>(o, i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3));
}
function columnSums(o: usize, w: usize, limbs: usize, m: i32): void {
  let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  const p0 = limbs, p1 = p0 + 2 * m, p2 = p1 + 2 * m, p3 = p2 + 2 * m;
  for (let i = 0; i < 2 * m; i += 16) {
    const x = v128.load(w + i);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, v128.load(p0 + i)));
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, v128.load(p1 + i)));
    a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, v128.load(p2 + i)));
    a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, v128.load(p3 + i)));
  }
  laneSum(o, a0); laneSum(o + 4, a1); laneSum(o + 8, a2); laneSum(o + 12, a3);
}
