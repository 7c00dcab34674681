// Vectors over the scalar field: Montgomery residues, 36 bytes each. Stored values have magnitude 1.
const F1: usize = memory.data(40, 8);
const F2: usize = memory.data(40, 8);
const F3: usize = memory.data(40, 8);
const F4: usize = memory.data(40, 8);

/** Decodes n big-endian scalars; returns n, or the index of the first that is not below the order. */
export function scalarsFromBE(o: usize, b: usize, n: i32): i32 {
  for (let i = 0; i < n; i++) if (!fnfromBE(o + 36 * i, b + 32 * i)) return i;
  return n;
}
export function scalarsToBE(b: usize, a: usize, n: i32): void { for (let i = 0; i < n; i++) fntoBE(b + 32 * i, a + 36 * i); }
/** Canonical limbs (out of Montgomery form), as the multi-scalar multiplication wants them. */
export function scalarsRaw(o: usize, a: usize, n: i32): void { for (let i = 0; i < n; i++) fnraw(o + 36 * i, a + 36 * i); }

export function fromI64(o: usize, v: i64): void {
  const negative = v < 0, u = <u64>(negative ? -v : v);
  store<u32>(F1, <u32>(u & LIMB_MASK)); store<u32>(F1 + 4, <u32>((u >> 29) & LIMB_MASK)); store<u32>(F1 + 8, <u32>(u >> 58));
  memory.fill(F1 + 12, 0, 24);
  fnmul(o, F1, fnRSQUARED);
  if (negative) { fnsub4(o, ZERO, o); fnnorm(o, o); }
}
export function vectorFromI16(o: usize, b: usize, n: i32): void { for (let i = 0; i < n; i++) fromI64(o + 36 * i, <i64>load<i16>(b + 2 * i)); }
export function vectorFromI64(o: usize, b: usize, n: i32): void { for (let i = 0; i < n; i++) fromI64(o + 36 * i, load<i64>(b + 8 * i)); }

/** eq(t, i) for all i < 2^k; t_0 belongs to the most significant bit. */
export function eqTable(o: usize, t: usize, k: i32): void {
  fncp(o, fnONE);
  let n = 1;
  for (let j = 0; j < k; j++) {
    for (let i = n - 1; i >= 0; i--) {
      fnmul(F1, o + 36 * i, t + 36 * j);
      fnsub4(F2, o + 36 * i, F1);
      fnnorm(o + 36 * (2 * i), F2);
      fncp(o + 36 * (2 * i + 1), F1);
    }
    n <<= 1;
  }
}

/** Inner product with strides in elements. */
export function dotStrided(o: usize, a: usize, sa: i32, b: usize, sb: i32, n: i32): void {
  fnzero(F2);
  for (let i = 0; i < n; i++) {
    fnmul(F1, a + <usize>36 * (i * sa), b + <usize>36 * (i * sb));
    fnadd(F2, F2, F1);
    if ((i & 15) == 15) fnnorm(F2, F2);
  }
  fnnorm(o, F2);
}
export function dot(o: usize, a: usize, b: usize, n: i32): void { dotStrided(o, a, 1, b, 1, n); }
/** o += s a */
export function axpy(o: usize, s: usize, a: usize, n: i32): void {
  for (let i = 0; i < n; i++) { fnmul(F1, a + 36 * i, s); fnadd(F1, F1, o + 36 * i); fnnorm(o + 36 * i, F1); }
}
export function scale(o: usize, a: usize, s: usize, n: i32): void { for (let i = 0; i < n; i++) fnmul(o + 36 * i, a + 36 * i, s); }
export function hadamard(o: usize, a: usize, b: usize, n: i32): void { for (let i = 0; i < n; i++) fnmul(o + 36 * i, a + 36 * i, b + 36 * i); }
export function sumVector(o: usize, a: usize, n: i32): void {
  fnzero(F2);
  for (let i = 0; i < n; i++) { fnadd(F2, F2, a + 36 * i); if ((i & 15) == 15) fnnorm(F2, F2); }
  fnnorm(o, F2);
}
/** o_i = s^(i + 1) first */
export function powers(o: usize, first: usize, s: usize, n: i32): void {
  fncp(F3, first);
  for (let i = 0; i < n; i++) { fncp(o + 36 * i, F3); fnmul(F3, F3, s); }
}

// ---- sums of signed 8-bit rows with field coefficients ----
const HALF: usize = memory.data(96, 8);
const ACC: usize = memory.data(80, 16);
const TWO_130: usize = memory.data(40, 8);
let two130Ready = false;

// sum of acc[l] 2^(13 l), l < 10, as limbs of a residue (4 n is added, so it is positive; |sum| < 2^149)
function recombine(o: usize, a: usize): void {
  memory.fill(HALF, 0, 96);
  for (let l = 0; l < 10; l++) {
    const bit = l * 13, limb = bit / 29, shift = bit % 29, v = <i64>load<i32>(a + 4 * l);
    store<i64>(HALF + 8 * limb, load<i64>(HALF + 8 * limb) + ((v & 0xffff) << shift));
    const bit2 = bit + 16, limb2 = bit2 / 29, shift2 = bit2 % 29;
    store<i64>(HALF + 8 * limb2, load<i64>(HALF + 8 * limb2) + ((v >> 16) << shift2));
  }
  let c: i64 = 0;
  for (let i = 0; i < 9; i++) {
    c += load<i64>(HALF + 8 * i) + <i64>load<u32>(FOUR_N + 4 * i);
    if (i < 8) { store<u32>(o + 4 * i, <u32>(c & LIMB_MASK)); c >>= 29; } else store<u32>(o + 4 * i, <u32>c);
  }
}

/**
 * o_j += sum of coefficient_i W_ij for i < m <= 1024, j < n. W is i16, column-major with m a multiple of 8 and |W| <= 128.
 * Coefficients are cut into twenty 13-bit limbs (`limbs`: i16[20][m]), so a column sum stays below 8191 * 128 * 1024 < 2^31.
 */
export function bindRows(o: usize, W: usize, m: i32, n: i32, coefficients: usize, limbs: usize): void {
  if (!two130Ready) { memory.fill(F1, 0, 36); store<u32>(F1 + 16, 1 << 14); fnmul(F1, F1, fnRSQUARED); fnmul(TWO_130, F1, fnRSQUARED); two130Ready = true; }
  for (let i = 0; i < m; i++) {
    fnraw(F1, coefficients + 36 * i);
    for (let l: u32 = 0; l < 20; l++) store<i16>(limbs + 2 * (<i32>l * m + i), <i16>scalarBits(F1, l * 13, 13));
  }
  for (let j = 0; j < n; j++) {
    const w = W + <usize>2 * (j * m);
    for (let l = 0; l < 20; l += 4) columnSums(ACC + 4 * l, w, limbs + 2 * (l * m), m);
    recombine(F1, ACC); recombine(F2, ACC + 40);
    fnmul(F1, F1, fnRSQUARED); fnmul(F2, F2, TWO_130);
    fnadd(F1, F1, F2); fnadd(F1, F1, o + 36 * j); fnnorm(o + 36 * j, F1);
  }
}
