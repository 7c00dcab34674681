// Kernels for scoring an encrypted intent. Ring degree n, 16 cosets: an evaluation vector is S = n/16 rows of 16 words, row t and
// column c at the power (2c + 1) 33^t of the root. Primes are below 2^26, so 1,024 products and more fit a 64-bit sum.

@inline function shoup(a: u32, w: u32, wq: u32, p: u32): u32 {
  const r = a * w - u32((<u64>a * <u64>wq) >> 32) * p;
  return r >= p ? r - p : r;
}
@inline function addMod(a: u32, b: u32, p: u32): u32 {
  const s = a + b;
  return s >= p ? s - p : s;
}
@inline function subMod(a: u32, b: u32, p: u32): u32 {
  return a >= b ? a - b : a + p - b;
}
// Cooley-Tukey, natural to bit-reversed order; table entries are (root, quotient).
export function forward(x: usize, n: i32, table: usize, p: u32): void {
  let t = n;
  for (let m = 1; m < n; m <<= 1) {
    t >>= 1;
    for (let i = 0; i < m; i++) {
      const w = load<u32>(table + ((m + i) << 3)), wq = load<u32>(table + ((m + i) << 3), 4);
      const o = <usize>t << 2;
      let a = x + (<usize>(2 * i * t) << 2);
      for (const end = a + o; a < end; a += 4) {
        const u = load<u32>(a), v = shoup(load<u32>(a + o), w, wq, p);
        store<u32>(a, addMod(u, v, p));
        store<u32>(a + o, subMod(u, v, p));
      }
    }
  }
}
// Gentleman-Sande, bit-reversed to natural order, with n^-1.
export function inverse(x: usize, n: i32, table: usize, p: u32, scale: u32, scaleQuotient: u32): void {
  let t = 1;
  for (let m = n >> 1; m >= 1; m >>= 1) {
    for (let i = 0; i < m; i++) {
      const w = load<u32>(table + ((m + i) << 3)), wq = load<u32>(table + ((m + i) << 3), 4);
      const o = <usize>t << 2;
      let a = x + (<usize>(2 * i * t) << 2);
      for (const end = a + o; a < end; a += 4) {
        const u = load<u32>(a), v = load<u32>(a + o);
        store<u32>(a, addMod(u, v, p));
        store<u32>(a + o, shoup(subMod(u, v, p), w, wq, p));
      }
    }
    t <<= 1;
  }
  for (let i = 0; i < n; i++) store<u32>(x + (i << 2), shoup(load<u32>(x + (i << 2)), scale, scaleQuotient, p));
}
// out[c] = sum over `count` rows of a[c] b[c] mod p; count p^2 < 2^64
@inline function sumRows(a: usize, b: usize, count: i32, p: u32, out: usize): void {
  let s0 = i64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  for (const end = a + (<usize>count << 6); a < end; a += 64, b += 64) {
    let x = v128.load(a), y = v128.load(b);
    s0 = i64x2.add(s0, i64x2.extmul_low_i32x4_u(x, y)); s1 = i64x2.add(s1, i64x2.extmul_high_i32x4_u(x, y));
    x = v128.load(a, 16); y = v128.load(b, 16);
    s2 = i64x2.add(s2, i64x2.extmul_low_i32x4_u(x, y)); s3 = i64x2.add(s3, i64x2.extmul_high_i32x4_u(x, y));
    x = v128.load(a, 32); y = v128.load(b, 32);
    s4 = i64x2.add(s4, i64x2.extmul_low_i32x4_u(x, y)); s5 = i64x2.add(s5, i64x2.extmul_high_i32x4_u(x, y));
    x = v128.load(a, 48); y = v128.load(b, 48);
    s6 = i64x2.add(s6, i64x2.extmul_low_i32x4_u(x, y)); s7 = i64x2.add(s7, i64x2.extmul_high_i32x4_u(x, y));
  }
  storePair(out, s0, p); storePair(out + 8, s1, p); storePair(out + 16, s2, p); storePair(out + 24, s3, p);
  storePair(out + 32, s4, p); storePair(out + 40, s5, p); storePair(out + 48, s6, p); storePair(out + 56, s7, p);
}
@inline function storePair(out: usize, s: v128, p: u32): void {
  store<u32>(out, u32(<u64>i64x2.extract_lane(s, 0) % <u64>p));
  store<u32>(out, u32(<u64>i64x2.extract_lane(s, 1) % <u64>p), 4);
}
// For every ring element j of a block: sum the products of the query with the rows over the cosets, then 16 points back to powers of
// X^S; coefficient kappa lands at kappa S + j.
export function projectQuery(rows: usize, query: usize, S: i32, perElement: i32, p: u32, points: usize, scratch: usize, out: usize): void {
  for (let j = 0; j < S; j++) {
    sumRows(rows + <usize>j * (<usize>perElement << 6), query, perElement, p, scratch);
    for (let c = 0; c < 16; c++) {
      const v = i32x4.splat(load<u32>(scratch + (c << 2))), to = scratch + 64 + (c << 6);
      v128.store(to, v); v128.store(to, v, 16); v128.store(to, v, 32); v128.store(to, v, 48);
    }
    sumRows(points, scratch + 64, 16, p, scratch);
    for (let k = 0; k < 16; k++) store<u32>(out + (<usize>(k * S + j) << 2), load<u32>(scratch + (k << 2)));
  }
}
// out[t] = sum over shifts and digits of digit[t] * key[t + shift]; the key is repeated so that t + shift never wraps
export function switchKeys(digits: usize, keys: usize, S: i32, perRow: i32, levels: i32, p: u32, out: usize): void {
  for (let t = 0; t < S; t++) sumRows(digits + <usize>t * (<usize>perRow << 6), keys + (<usize>(t * levels) << 6), perRow, p, out + (<usize>t << 6));
}
// One component of the projection: out[t] = sum_j weights[t][j] a[t + shift][j]
export function traceComponent(weights: usize, a: usize, S: i32, shift: i32, p: u32, out: usize): void {
  for (let t = 0; t < S; t++)
    sumRows(weights + <usize>t * (<usize>S << 6), a + <usize>((t + shift) % S) * (<usize>S << 6), S, p, out + (<usize>t << 6));
}
export function gather(a: usize, out: usize, order: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<u32>(out + (i << 2), load<u32>(a + (<usize>load<u32>(order + (i << 2)) << 2)));
}
export function scatter(a: usize, out: usize, order: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<u32>(out + (<usize>load<u32>(order + (i << 2)) << 2), load<u32>(a + (i << 2)));
}
export function add(a: usize, b: usize, out: usize, n: i32, p: u32): void {
  for (let i = 0; i < n; i++) store<u32>(out + (i << 2), addMod(load<u32>(a + (i << 2)), load<u32>(b + (i << 2)), p));
}
export function subtract(a: usize, b: usize, out: usize, n: i32, p: u32): void {
  for (let i = 0; i < n; i++) store<u32>(out + (i << 2), subMod(load<u32>(a + (i << 2)), load<u32>(b + (i << 2)), p));
}
export function multiply(a: usize, b: usize, out: usize, n: i32, p: u32): void {
  for (let i = 0; i < n; i++) store<u32>(out + (i << 2), u32((<u64>load<u32>(a + (i << 2)) * <u64>load<u32>(b + (i << 2))) % <u64>p));
}
export function multiplyAdd(a: usize, b: usize, out: usize, n: i32, p: u32): void {
  for (let i = 0; i < n; i++)
    store<u32>(out + (i << 2), u32((<u64>load<u32>(a + (i << 2)) * <u64>load<u32>(b + (i << 2)) + <u64>load<u32>(out + (i << 2))) % <u64>p));
}
export function scale(a: usize, out: usize, n: i32, w: u32, wq: u32, p: u32): void {
  for (let i = 0; i < n; i++) store<u32>(out + (i << 2), shoup(load<u32>(a + (i << 2)), w, wq, p));
}
// signed 32-bit values of magnitude below p -> residues
export function liftSigned(a: usize, out: usize, n: i32, p: u32): void {
  for (let i = 0; i < n; i++) {
    const v = load<i32>(a + (i << 2));
    store<u32>(out + (i << 2), <u32>(v + (<i32>p & (v >> 31))));
  }
}
// signed 32-bit values -> residues
export function reduceSigned(a: usize, out: usize, n: i32, p: u32): void {
  for (let i = 0; i < n; i++) {
    const r = load<i32>(a + (i << 2)) % <i32>p;
    store<u32>(out + (i << 2), <u32>(r + (<i32>p & (r >> 31))));
  }
}
@inline function join(x1: u32, x2: u32, p1: u32, p2: u32, i1: u32, q1: u32, i2: u32, q2: u32): u64 {
  const q = <u64>p1 * <u64>p2, v = <u64>shoup(x1, i1, q1, p1) * <u64>p2 + <u64>shoup(x2, i2, q2, p2) * <u64>p1;
  return v >= q ? v - q : v;
}
// Residues modulo both primes -> 64-bit values below q
export function chinese(a: usize, b: usize, out: usize, n: i32, p1: u32, p2: u32, i1: u32, q1: u32, i2: u32, q2: u32): void {
  for (let i = 0; i < n; i++)
    store<u64>(out + (i << 3), join(load<u32>(a + (i << 2)), load<u32>(b + (i << 2)), p1, p2, i1, q1, i2, q2));
}
// round(x 2^bits / q) modulo 2^bits, by long division eight bits at a time (q < 2^54)
export function roundTo(x: usize, out: usize, n: i32, q: u64, bits: i32): void {
  for (let i = 0; i < n; i++) {
    let r = load<u64>(x + (i << 3)), y: u64 = 0, left = bits;
    while (left > 0) {
      const step = left < 8 ? left : 8;
      r <<= step;
      const d = r / q;
      y = (y << step) | d;
      r -= d * q;
      left -= step;
    }
    if (r * 2 >= q) y++;
    store<u32>(out + (i << 2), u32(y & ((<u64>1 << bits) - 1)));
  }
}
// Balanced base-2^w digits of round(centred x / 2^drop), as residues modulo both primes
export function decompose(x: usize, n: i32, q: u64, drop: i32, w: i32, levels: i32, p1: u32, p2: u32, out1: usize, out2: usize): void {
  const half = <i64>(q >> 1), base: i64 = <i64>1 << w;
  for (let i = 0; i < n; i++) {
    let v = <i64>load<u64>(x + (i << 3));
    if (v > half) v -= <i64>q;
    v = (v + (<i64>1 << (drop - 1))) >> drop;
    for (let d = 0; d < levels; d++) {
      let g = v;
      if (d < levels - 1) {
        g = v & (base - 1);
        if (g >= base >> 1) g -= base;
        v = (v - g) >> w;
      }
      store<u32>(out1 + (<usize>(d * n + i) << 2), <u32>(g < 0 ? g + <i64>p1 : g));
      store<u32>(out2 + (<usize>(d * n + i) << 2), <u32>(g < 0 ? g + <i64>p2 : g));
    }
  }
}
// x << shift modulo p for 64-bit x
export function reduceWide(x: usize, out: usize, n: i32, shift: i32, p: u32): void {
  for (let i = 0; i < n; i++) store<u32>(out + (i << 2), u32((load<u64>(x + (i << 3)) << shift) % <u64>p));
}
// 64-bit values, rounded to multiples of 2^drop, as little-endian words of `width` bytes
export function packWords(x: usize, bytes: usize, n: i32, drop: i32, width: i32): void {
  const half: u64 = drop > 0 ? <u64>1 << (drop - 1) : 0;
  for (let i = 0; i < n; i++, bytes += width) {
    const v = (load<u64>(x + (i << 3)) + half) >> drop;
    for (let k = 0; k < width; k++) store<u8>(bytes + k, <u8>(v >> (8 * k)));
  }
}
// The inverse; returns how many values are not below `limit`
export function unpackWords(bytes: usize, x: usize, n: i32, width: i32, limit: u64): i32 {
  let refused = 0;
  for (let i = 0; i < n; i++, bytes += width) {
    let v: u64 = 0;
    for (let k = 0; k < width; k++) v |= <u64>load<u8>(bytes + k) << (8 * k);
    refused += <i32>(v >= limit);
    store<u64>(x + (i << 3), v);
  }
  return refused;
}
// Words of `width` bits (below 32), one after the other
export function packBits(words: usize, bytes: usize, n: i32, width: i32): void {
  let bits: u64 = 0, held = 0;
  for (let i = 0; i < n; i++) {
    bits |= <u64>load<u32>(words + (i << 2)) << held;
    for (held += width; held >= 8; held -= 8, bits >>= 8) store<u8>(bytes++, <u8>bits);
  }
  if (held > 0) store<u8>(bytes, <u8>bits);
}
export function unpackBits(bytes: usize, words: usize, n: i32, width: i32): void {
  const mask: u64 = (<u64>1 << width) - 1;
  let bits: u64 = 0, held = 0;
  for (let i = 0; i < n; i++) {
    for (; held < width; held += 8) bits |= <u64>load<u8>(bytes++) << held;
    store<u32>(words + (i << 2), <u32>(bits & mask));
    bits >>= width;
    held -= width;
  }
}
// Scores from the product a' s (two residues, centred) and the answer word: round((b << (32 - bits) + a' s mod 2^32) / 2^(32 - t)).
// Returns the largest rounding distance seen.
export function decode(a: usize, b: usize, words: usize, n: i32, p1: u32, p2: u32, i1: u32, q1: u32, i2: u32, q2: u32, bits: i32, t: i32, out: usize): u32 {
  const q = <u64>p1 * <u64>p2, shift = 32 - t;
  let largest: u32 = 0;
  for (let i = 0; i < n; i++) {
    const v = join(load<u32>(a + (i << 2)), load<u32>(b + (i << 2)), p1, p2, i1, q1, i2, q2);
    const low = v > q >> 1 ? <u32>(v - q) : <u32>v;
    const phase = (load<u32>(words + (i << 2)) << (32 - bits)) + low;
    const score = <i32>(phase + (<u32>1 << (shift - 1))) >> shift;
    store<i32>(out + (i << 2), score);
    const distance = <u32>abs(<i32>(phase - (<u32>score << shift)));
    if (distance > largest) largest = distance;
  }
  return largest;
}
// int8 rows times an int16 vector, d a multiple of 8
export function plainScores(rows: usize, vector: usize, count: i32, d: i32, out: usize): void {
  for (let i = 0; i < count; i++, rows += d) {
    let s = i32x4.splat(0);
    for (let j: usize = 0; j < <usize>d; j += 8) s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load_ext<i8>(rows + j), v128.load(vector + (j << 1))));
    store<i32>(out + (i << 2), i32x4.extract_lane(s, 0) + i32x4.extract_lane(s, 1) + i32x4.extract_lane(s, 2) + i32x4.extract_lane(s, 3));
  }
}
// sums[j] = sum_i z_i rows[i][j] mod p, z below 2^31: 2^25 rows fit between reductions
export function weighRows(rows: usize, z: usize, count: i32, d: i32, p: i64, sums: usize): void {
  for (let j: usize = 0; j < <usize>d; j += 2) v128.store(sums + (j << 3), i64x2.splat(0));
  for (let i = 0; i < count; i++, rows += d) {
    const w = v128.load32_splat(z + (i << 2));
    for (let j: usize = 0; j < <usize>d; j += 8) {
      const h = v128.load_ext<i8>(rows + j), x = i32x4.extend_low_i16x8_s(h), y = i32x4.extend_high_i16x8_s(h), at = sums + (j << 3);
      v128.store(at, i64x2.add(v128.load(at), i64x2.extmul_low_i32x4_s(x, w)));
      v128.store(at, i64x2.add(v128.load(at, 16), i64x2.extmul_high_i32x4_s(x, w)), 16);
      v128.store(at, i64x2.add(v128.load(at, 32), i64x2.extmul_low_i32x4_s(y, w)), 32);
      v128.store(at, i64x2.add(v128.load(at, 48), i64x2.extmul_high_i32x4_s(y, w)), 48);
    }
  }
  for (let j = 0; j < d; j++) {
    const v = load<i64>(sums + (j << 3)) % p;
    store<i64>(sums + (j << 3), v < 0 ? v + p : v);
  }
}
// sum_i z_i s_i mod p for scores below 2^21
export function weighScores(z: usize, scores: usize, count: i32, p: i64): i64 {
  let sum: i64 = 0;
  for (let i = 0; i < count; i++) {
    sum += <i64>load<u32>(z + (i << 2)) * <i64>load<i32>(scores + (i << 2));
    if ((i & 511) == 511) sum %= p;
  }
  sum %= p;
  return sum < 0 ? sum + p : sum;
}
