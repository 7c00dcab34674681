// Sums of many points. Everything goes through one routine: buckets of affine points are summed as balanced trees, and all
// additions of one tree level share one inversion (batch-affine addition, Montgomery's trick), two at a time in SIMD lanes.
const BATCH: i32 = 1024;
const BATCH_A: usize = memory.data(4112, 8);
const BATCH_B: usize = memory.data(4112, 8);
const BATCH_O: usize = memory.data(4112, 8);
let batched: i32 = 0;
const SIGNED_1: usize = memory.data(40, 8);
const SIGNED_2: usize = memory.data(40, 8);
const DX: usize = memory.data(73728 + 144, 16);
const PRODUCTS: usize = memory.data(73728 + 144, 16);
const VX1: usize = memory.data(144, 16);
const VX2: usize = memory.data(144, 16);
const VY1: usize = memory.data(144, 16);
const VY2: usize = memory.data(144, 16);
const VI: usize = memory.data(144, 16);
const VA: usize = memory.data(144, 16);
const VL: usize = memory.data(144, 16);
const VS: usize = memory.data(144, 16);
const VT: usize = memory.data(144, 16);
const N1: usize = memory.data(40, 8);
const N2: usize = memory.data(40, 8);
const N3: usize = memory.data(40, 8);
const N4: usize = memory.data(40, 8);
const DUMMY: usize = memory.data(72, 8);
const ONE_POINT: usize = memory.data(144, 8);
const ONE_INVERSE: usize = memory.data(40, 8);
const P_LOW: u32 = 0x1ffffc2f; // p mod 2^29

// An entry is the address of an affine point (a multiple of 4); bit 0 asks for its negation.
// @ts-ignore
@inline function copySigned(o: usize, e: usize): void {
  const p = e & ~3;
  fpcp(o, p);
  if (e & 1) fpneg(o + 36, p + 36); else fpcp(o + 36, p + 36);
}

// Stored coordinates are normalised but not canonical, so equal x may differ by p: compare low limbs first.
function pushPair(e1: usize, e2: usize, o: usize): void {
  const a = e1 & ~3, b = e2 & ~3;
  if (isIdentity(a)) { if (isIdentity(b)) memory.fill(o, 0, 72); else copySigned(o, e2); return; }
  if (isIdentity(b)) { copySigned(o, e1); return; }
  const l = (load<u32>(b) - load<u32>(a)) & 0x1fffffff;
  if (l == 0 || l == P_LOW || l == 0x20000000 - P_LOW) {
    fpsub4(B1, b, a);
    if (fpisZero(B1)) { // equal or opposite: the shared inversion must not meet a zero
      if (e1 & 1) fpneg(SIGNED_1, a + 36); else fpcp(SIGNED_1, a + 36);
      if (e2 & 1) fpneg(SIGNED_2, b + 36); else fpcp(SIGNED_2, b + 36);
      fpsub4(B1, SIGNED_1, SIGNED_2);
      if (fpisZero(B1)) { fpcp(N1, a); xyzzDoubleAffine(ONE_POINT, N1, SIGNED_1); toAffine(o, ONE_POINT, 1, ONE_INVERSE); }
      else memory.fill(o, 0, 72);
      return;
    }
  }
  store<u32>(BATCH_A + 4 * batched, <u32>e1); store<u32>(BATCH_B + 4 * batched, <u32>e2); store<u32>(BATCH_O + 4 * batched, <u32>o);
  batched++;
  if (batched == BATCH) flush();
}

// @ts-ignore
@inline function signedY(e: usize, t: usize): usize {
  const y = (e & ~3) + 36;
  if (e & 1) { fpneg(t, y); return t; }
  return y;
}

function flush(): void {
  if (batched == 0) return;
  if (batched & 1) { // an even number of additions: repeat the last into a dummy
    store<u32>(BATCH_A + 4 * batched, load<u32>(BATCH_A + 4 * batched - 4));
    store<u32>(BATCH_B + 4 * batched, load<u32>(BATCH_B + 4 * batched - 4));
    store<u32>(BATCH_O + 4 * batched, <u32>DUMMY);
    batched++;
  }
  const half = batched >> 1;
  for (let i = 0; i < half; i++) {
    const k = 8 * i;
    fp2load(VX1, <usize>load<u32>(BATCH_A + k) & ~3, <usize>load<u32>(BATCH_A + k, 4) & ~3);
    fp2load(VX2, <usize>load<u32>(BATCH_B + k) & ~3, <usize>load<u32>(BATCH_B + k, 4) & ~3);
    const d = DX + 144 * i;
    fp2sub4(d, VX2, VX1);
    if (i == 0) memory.copy(PRODUCTS, d, 144); else fp2mul(PRODUCTS + 144 * i, PRODUCTS + 144 * (i - 1), d);
  }
  fp2store(N1, N2, PRODUCTS + 144 * (half - 1));
  fpmul(N3, N1, N2); fpinv(N3, N3); fpmul(N2, N3, N2); fpmul(N1, N3, N1);
  fp2load(VA, N2, N1);
  for (let i = half - 1; i >= 0; i--) {
    const k = 8 * i;
    if (i > 0) { fp2mul(VI, VA, PRODUCTS + 144 * (i - 1)); fp2mul(VA, VA, DX + 144 * i); } else memory.copy(VI, VA, 144);
    const a0 = <usize>load<u32>(BATCH_A + k), a1 = <usize>load<u32>(BATCH_A + k, 4);
    const b0 = <usize>load<u32>(BATCH_B + k), b1 = <usize>load<u32>(BATCH_B + k, 4);
    fp2load(VY1, signedY(a0, N1), signedY(a1, N2)); fp2load(VY2, signedY(b0, N3), signedY(b1, N4));
    fp2load(VX1, a0 & ~3, a1 & ~3); fp2load(VX2, b0 & ~3, b1 & ~3);
    fp2sub4(VT, VY2, VY1); fp2mul(VL, VT, VI); fp2sqr(VS, VL); fp2add(VT, VX1, VX2); fp2sub4(VS, VS, VT);
    fp2sub8(VT, VX1, VS); fp2mul(VT, VL, VT); fp2sub4(VT, VT, VY1);
    const o0 = <usize>load<u32>(BATCH_O + k), o1 = <usize>load<u32>(BATCH_O + k, 4);
    fp2store(o0, o1, VS); fpnorm(o0, o0); fpnorm(o1, o1);
    fp2store(o0 + 36, o1 + 36, VT); fpnorm(o0 + 36, o0 + 36); fpnorm(o1 + 36, o1 + 36);
  }
  batched = 0;
}

// Layout of the scratch of a tree over nb buckets and ne entries; treeBytes says how much it needs.
export function treeBytes(nb: i32, ne: i32): usize { return <usize>16 * (nb + 4) + <usize>4 * (ne + 4) + <usize>144 * (ne / 2 + nb + 2) + 64; }

let T_START: usize = 0, T_BUCKET: usize = 0, T_COUNT: usize = 0, T_POS: usize = 0, T_ENTRY: usize = 0, T_W0: usize = 0, T_W1: usize = 0;
function treeLayout(scratch: usize, nb: i32, ne: i32): void {
  T_START = (scratch + 7) & ~7; T_BUCKET = T_START + 4 * (nb + 2); T_COUNT = T_BUCKET + 4 * nb; T_POS = T_COUNT + 4 * nb;
  T_ENTRY = T_POS + 4 * nb + 8; T_W0 = T_ENTRY + 4 * ne; T_W1 = T_W0 + <usize>72 * (ne / 2 + nb + 1);
  memory.fill(T_COUNT, 0, 4 * nb);
}
function treeStarts(nb: i32): void {
  let a: u32 = 0;
  for (let b = 0; b < nb; b++) { store<u32>(T_START + 4 * b, a); store<u32>(T_POS + 4 * b, a); a += load<u32>(T_COUNT + 4 * b); }
  store<u32>(T_START + 4 * nb, a);
}
// @ts-ignore
@inline function treeCount(b: i32): void { store<u32>(T_COUNT + 4 * b, load<u32>(T_COUNT + 4 * b) + 1); }
// @ts-ignore
@inline function treePut(b: i32, e: u32): void { const p = load<u32>(T_POS + 4 * b); store<u32>(T_POS + 4 * b, p + 1); store<u32>(T_ENTRY + 4 * p, e); }

// Sums every bucket; afterwards T_BUCKET holds the address of each sum, 0 for an empty bucket.
function treeSum(nb: i32): void {
  let o = T_W0, more = false;
  for (let b = 0; b < nb; b++) {
    let s = load<u32>(T_START + 4 * b);
    const e = load<u32>(T_START + 4 * (b + 1)), n = e - s;
    store<u32>(T_COUNT + 4 * b, (n + 1) >> 1); store<u32>(T_BUCKET + 4 * b, <u32>o);
    if (n > 2) more = true;
    while (s + 1 < e) { pushPair(<usize>load<u32>(T_ENTRY + 4 * s), <usize>load<u32>(T_ENTRY + 4 * s + 4), o); o += 72; s += 2; }
    if (s < e) { copySigned(o, <usize>load<u32>(T_ENTRY + 4 * s)); o += 72; }
  }
  flush();
  let current = T_W0, next = T_W1;
  while (more) {
    more = false; o = next;
    for (let b = 0; b < nb; b++) {
      const n = load<u32>(T_COUNT + 4 * b);
      let p = <usize>load<u32>(T_BUCKET + 4 * b);
      store<u32>(T_BUCKET + 4 * b, <u32>o); store<u32>(T_COUNT + 4 * b, (n + 1) >> 1);
      if (n > 2) more = true;
      let k: u32 = 0;
      while (k + 1 < n) { pushPair(p, p + 72, o); p += 144; o += 72; k += 2; }
      if (k < n) { memory.copy(o, p, 72); o += 72; }
    }
    flush();
    const t = current; current = next; next = t;
  }
  for (let b = 0; b < nb; b++) if (load<u32>(T_COUNT + 4 * b) == 0) store<u32>(T_BUCKET + 4 * b, 0);
}

const RUNNING: usize = memory.data(144, 8);
// o = sum of (k + 1) bucket[first + k]
function bucketReduce(o: usize, first: i32, count: i32): void {
  xyzzZero(RUNNING); xyzzZero(o);
  for (let k = count - 1; k >= 0; k--) {
    const p = <usize>load<u32>(T_BUCKET + 4 * (first + k));
    if (p) xyzzAddAffine(RUNNING, p, false);
    xyzzAdd(o, RUNNING);
  }
}

/** Signed base-2^c digits of n canonical scalars: i16[w][n] at `digits`; nw = 256 / c + 1 windows. */
function signedDigits(digits: usize, scalars: usize, n: i32, c: u32, nw: i32): void {
  const half: i32 = 1 << (c - 1);
  for (let i = 0; i < n; i++) {
    const s = scalars + 36 * i;
    let carry: i32 = 0;
    for (let w = 0; w < nw; w++) {
      let d = <i32>scalarBits(s, <u32>w * c, c) + carry;
      if (d > half) { d -= 1 << c; carry = 1; } else carry = 0;
      store<i16>(digits + 2 * (w * n + i), <i16>d);
    }
  }
}

const WINDOW_SUM: usize = memory.data(144, 8);
const MAX_ENTRIES: i32 = 65536;

export function msmBytes(n: i32, c: i32): usize {
  const nw = 256 / c + 1, group = max(1, min(nw, MAX_ENTRIES / max(n, 1))), buckets = 1 << (c - 1);
  return <usize>(2 * n * nw + 16) + <usize>144 * nw + treeBytes(buckets * group, n * group) + 64;
}

/** o (XYZZ) = sum of s_i P_i; scalars canonical limbs. Pippenger's buckets, a bounded number of windows at a time. */
export function msm(o: usize, points: usize, scalars: usize, n: i32, c: i32, scratch: usize): void {
  const nw = 256 / c + 1, group = max(1, min(nw, MAX_ENTRIES / max(n, 1))), buckets = 1 << (c - 1);
  const digits = scratch, sums = (digits + <usize>(2 * n * nw) + 15) & ~7, tree = sums + <usize>144 * nw;
  signedDigits(digits, scalars, n, c, nw);
  for (let w0 = 0; w0 < nw; w0 += group) {
    const w1 = min(nw, w0 + group), nb = buckets * (w1 - w0);
    treeLayout(tree, nb, n * (w1 - w0));
    for (let w = w0; w < w1; w++) for (let i = 0; i < n; i++) {
      const d = <i32>load<i16>(digits + 2 * (w * n + i));
      if (d) treeCount((w - w0) * buckets + (d > 0 ? d : -d) - 1);
    }
    treeStarts(nb);
    for (let w = w0; w < w1; w++) for (let i = 0; i < n; i++) {
      const d = <i32>load<i16>(digits + 2 * (w * n + i));
      if (d) treePut((w - w0) * buckets + (d > 0 ? d : -d) - 1, <u32>(points + <usize>72 * i) | (d < 0 ? 1 : 0));
    }
    treeSum(nb);
    for (let w = w0; w < w1; w++) bucketReduce(sums + 144 * w, (w - w0) * buckets, buckets);
  }
  xyzzZero(o);
  for (let w = nw - 1; w >= 0; w--) { for (let k = 0; k < c; k++) xyzzDouble(o); xyzzAdd(o, sums + 144 * w); }
}

export function fixedMsmBytes(n: i32, c: i32): usize { const nw = 256 / c + 1; return <usize>(2 * n * nw + 16) + treeBytes(1 << (c - 1), n * nw) + 64; }

/** The same with a table of 2^(c w) P_i ([w][stride]): one set of buckets for all windows. */
export function fixedMsm(o: usize, table: usize, scalars: usize, n: i32, c: i32, stride: i32, scratch: usize): void {
  const nw = 256 / c + 1, buckets = 1 << (c - 1), digits = scratch, tree = (digits + <usize>(2 * n * nw) + 15) & ~7;
  signedDigits(digits, scalars, n, c, nw);
  treeLayout(tree, buckets, n * nw);
  for (let k = 0; k < n * nw; k++) { const d = <i32>load<i16>(digits + 2 * k); if (d) treeCount((d > 0 ? d : -d) - 1); }
  treeStarts(buckets);
  for (let w = 0; w < nw; w++) for (let i = 0; i < n; i++) {
    const d = <i32>load<i16>(digits + 2 * (w * n + i));
    if (d) treePut((d > 0 ? d : -d) - 1, <u32>(table + <usize>72 * (w * stride + i)) | (d < 0 ? 1 : 0));
  }
  treeSum(buckets);
  bucketReduce(o, 0, buckets);
}

/** table[w][i] = 2^(c w) P_i for w < 256 / c + 1. `scratch` holds 180 n bytes. */
export function buildTable(table: usize, points: usize, n: i32, c: i32, scratch: usize): void {
  memory.copy(table, points, 72 * n);
  const X = scratch, S = scratch + <usize>144 * n, nw = 256 / c + 1;
  for (let i = 0; i < n; i++) { xyzzZero(X + 144 * i); xyzzAddAffine(X + 144 * i, points + 72 * i, false); }
  for (let w = 1; w < nw; w++) {
    for (let i = 0; i < n; i++) for (let k = 0; k < c; k++) xyzzDouble(X + 144 * i);
    toAffine(table + <usize>72 * (w * n), X, n, S);
  }
}

// One fixed base: 43 windows of 6 bits, 63 multiples each (195,048 bytes).
const SINGLE_WINDOWS: i32 = 43;
/** `scratch` holds 63 * 180 + 216 bytes. */
export function buildSingleTable(table: usize, point: usize, scratch: usize): void {
  const X = scratch, S = X + 144 * 63, D = S + 36 * 63, P = D + 144;
  memory.copy(P, point, 72);
  for (let w = 0; w < SINGLE_WINDOWS; w++) {
    for (let k = 0; k < 63; k++) {
      if (k == 0) xyzzZero(X); else memory.copy(X + 144 * k, X + 144 * (k - 1), 144);
      xyzzAddAffine(X + 144 * k, P, false);
    }
    toAffine(table + <usize>72 * 63 * w, X, 63, S);
    memory.copy(D, X + 144 * 31, 144);
    xyzzDouble(D);
    toAffine(P, D, 1, S);
  }
}

/** o += s B for a base with a single table; s canonical limbs. */
export function addMultiple(o: usize, table: usize, s: usize): void {
  for (let w: u32 = 0; w < <u32>SINGLE_WINDOWS; w++) {
    const d = scalarBits(s, w * 6, 6);
    if (d) xyzzAddAffine(o, table + <usize>72 * (63 * w + d - 1), false);
  }
}

const MULTIPLE: usize = memory.data(144, 8);
/** o = k o for a small integer k. */
export function multiplySmall(o: usize, k: u64): void {
  if (k == 1) return;
  memory.copy(MULTIPLE, o, 144);
  xyzzZero(o);
  for (let i: i64 = 63 - <i64>clz(k | 1); i >= 0; i--) { xyzzDouble(o); if ((k >> <u64>i) & 1) xyzzAdd(o, MULTIPLE); }
}

/** Rows of signed i16 values of absolute value at most `buckets`: out[r] = sum of v[r][i] P_i, XYZZ. */
export function sumRows(o: usize, points: usize, v: usize, rows: i32, n: i32, buckets: i32, scratch: usize): void {
  const nb = buckets * rows;
  treeLayout(scratch, nb, rows * n);
  for (let r = 0; r < rows; r++) for (let i = 0; i < n; i++) {
    const d = <i32>load<i16>(v + 2 * (r * n + i));
    if (d) treeCount(r * buckets + (d > 0 ? d : -d) - 1);
  }
  treeStarts(nb);
  for (let r = 0; r < rows; r++) for (let i = 0; i < n; i++) {
    const d = <i32>load<i16>(v + 2 * (r * n + i));
    if (d) treePut(r * buckets + (d > 0 ? d : -d) - 1, <u32>(points + <usize>72 * i) | (d < 0 ? 1 : 0));
  }
  treeSum(nb);
  for (let r = 0; r < rows; r++) bucketReduce(o + 144 * r, r * buckets, buckets);
}

/** Rows of 0/1 cells (u8, `n` per row) blinded by H, whose single table is given: all in one tree. */
export function sumCells(o: usize, points: usize, cells: usize, rows: i32, n: i32, tableH: usize, blinders: usize, scratch: usize): void {
  treeLayout(scratch, rows, rows * (n + SINGLE_WINDOWS));
  let a: u32 = 0;
  for (let r = 0; r < rows; r++) {
    store<u32>(T_START + 4 * r, a);
    const row = cells + r * n;
    for (let i = 0; i < n; i++) if (load<u8>(row + i)) { store<u32>(T_ENTRY + 4 * a, <u32>(points + <usize>72 * i)); a++; }
    for (let w: u32 = 0; w < <u32>SINGLE_WINDOWS; w++) {
      const d = scalarBits(blinders + 36 * r, w * 6, 6);
      if (d) { store<u32>(T_ENTRY + 4 * a, <u32>(tableH + <usize>72 * (63 * w + d - 1))); a++; }
    }
  }
  store<u32>(T_START + 4 * rows, a);
  treeSum(rows);
  for (let r = 0; r < rows; r++) {
    xyzzZero(o + 144 * r);
    const p = <usize>load<u32>(T_BUCKET + 4 * r);
    if (p) xyzzAddAffine(o + 144 * r, p, false);
  }
}
