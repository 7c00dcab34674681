// secp256k1, y^2 = x^3 + 7. Affine points are 72 bytes (x, y); the identity is all zero, which is no point of the curve
// (7 is not a square). Running sums are XYZZ: X 0, Y 36, ZZ 72, ZZZ 108 with x = X/ZZ, y = Y/ZZZ, ZZ^3 = ZZZ^2; the identity has
// ZZ = 0. Formulas: Explicit-Formulas Database, short Weierstrass, XYZZ, madd-2008-s, add-2008-s, dbl-2008-s-1 (a = 0).
// Magnitudes (see field-source): X and Y of a running sum are at most 5 after an addition and 1 after a doubling.
const B1: usize = memory.data(40, 8);
const B2: usize = memory.data(40, 8);
const B3: usize = memory.data(40, 8);
const B4: usize = memory.data(40, 8);
const B5: usize = memory.data(40, 8);
const B6: usize = memory.data(40, 8);
const B7: usize = memory.data(40, 8);
const B8: usize = memory.data(40, 8);
const NEGATED: usize = memory.data(40, 8);
const SEVEN: usize = memory.data<u32>([7, 0, 0, 0, 0, 0, 0, 0, 0]);

// @ts-ignore
@inline function isIdentity(a: usize): bool { return load<u32>(a) == 0 && isRawZero(a) && isRawZero(a + 36); }

// -0 must stay 0: the identity is recognised by its bytes.
function fpneg(o: usize, a: usize): void {
  if (isRawZero(a)) { fpzero(o); return; }
  fpsub4(o, ZERO, a);
  fpnorm(o, o);
}

export function xyzzZero(o: usize): void { memory.fill(o, 0, 144); }

function doubleCore(o: usize, x: usize, y: usize): void {
  // leaves V in B2 and W in B3; magnitudes: y <= 5, so U <= 10
  fpadd(B1, y, y); fpsqr(B2, B1); fpmul(B3, B1, B2); fpmul(B4, x, B2);
  fpsqr(B5, x); fpadd(B6, B5, B5); fpadd(B5, B6, B5);
  fpsqr(B6, B5); fpadd(B7, B4, B4); fpsub8(B6, B6, B7); fpnorm(B6, B6);
  fpsub8(B7, B4, B6); fpmul(B7, B5, B7); fpmul(B8, B3, y); fpsub8(B7, B7, B8);
  fpnorm(o + 36, B7); fpcp(o, B6);
}

function xyzzDoubleAffine(o: usize, x: usize, y: usize): void {
  doubleCore(o, x, y); fpcp(o + 72, B2); fpcp(o + 108, B3);
}

export function xyzzDouble(o: usize): void {
  if (isRawZero(o + 72)) return;
  doubleCore(o, o, o + 36);
  fpmul(o + 72, o + 72, B2); fpmul(o + 108, o + 108, B3);
}

// B1 = P, B2 = R, X1 and Y1 in o
function additionTail(o: usize): void {
  fpsqr(B3, B1); fpmul(B4, B1, B3); fpmul(B5, o, B3);
  fpsqr(B6, B2); fpadd(B7, B5, B5); fpadd(B7, B7, B4); fpsub4(B6, B6, B7);
  fpsub8(B7, B5, B6); fpmul(B7, B2, B7); fpmul(B8, o + 36, B4); fpsub4(o + 36, B7, B8);
  fpcp(o, B6); fpmul(o + 72, o + 72, B3); fpmul(o + 108, o + 108, B4);
}

/** o += q (affine), or o -= q. */
export function xyzzAddAffine(o: usize, q: usize, negate: bool): void {
  if (isIdentity(q)) return;
  let y = q + 36;
  if (negate) { fpneg(NEGATED, y); y = NEGATED; }
  if (isRawZero(o + 72)) { fpcp(o, q); fpcp(o + 36, y); fpcp(o + 72, fpONE); fpcp(o + 108, fpONE); return; }
  fpmul(B1, q, o + 72); fpmul(B2, y, o + 108); fpsub8(B1, B1, o); fpsub8(B2, B2, o + 36);
  if (fpisZero(B1)) {
    if (fpisZero(B2)) xyzzDoubleAffine(o, q, y); else xyzzZero(o);
    return;
  }
  additionTail(o);
}

/** o += q, both XYZZ. */
export function xyzzAdd(o: usize, q: usize): void {
  if (isRawZero(q + 72)) return;
  if (isRawZero(o + 72)) { memory.copy(o, q, 144); return; }
  fpmul(B1, q, o + 72); fpmul(B2, q + 36, o + 108); fpmul(B3, o, q + 72); fpmul(B4, o + 36, q + 108);
  fpsub8(B1, B1, B3); fpsub8(B2, B2, B4);
  if (fpisZero(B1)) {
    if (fpisZero(B2)) xyzzDouble(o); else xyzzZero(o);
    return;
  }
  fpcp(o, B3); fpcp(o + 36, B4);
  fpmul(o + 72, o + 72, q + 72); fpmul(o + 108, o + 108, q + 108);
  additionTail(o);
}

/** n points XYZZ -> affine with canonical coordinates, one inversion (Montgomery's trick). `scratch` holds 36 n bytes. */
export function toAffine(dst: usize, src: usize, n: i32, scratch: usize): void {
  fpcp(B8, fpONE);
  for (let i = 0; i < n; i++) {
    fpcp(scratch + 36 * i, B8);
    const z = src + 144 * i + 108;
    if (!isRawZero(z)) fpmul(B8, B8, z);
  }
  fpinv(B8, B8);
  for (let i = n - 1; i >= 0; i--) {
    const p = src + 144 * i, d = dst + 72 * i;
    if (isRawZero(p + 108)) { memory.fill(d, 0, 72); continue; }
    fpmul(B1, B8, scratch + 36 * i); fpmul(B8, B8, p + 108);
    fpmul(B2, B1, p + 72); fpsqr(B2, B2); fpmul(B3, p, B2); fpmul(B4, p + 36, B1);
    fpred(d, B3); fpred(d + 36, B4);
  }
}

/** SEC 1 compressed encodings (33 bytes each) of affine points with canonical coordinates. The caller excludes the identity. */
export function encodePoints(b: usize, p: usize, n: i32): void {
  for (let i = 0; i < n; i++) {
    store<u8>(b + 33 * i, <u8>(2 + (load<u32>(p + 72 * i + 36) & 1)));
    packBE(b + 33 * i + 1, p + 72 * i);
  }
}

/** Decodes n compressed points; returns n, or the index of the first that is not canonical or not on the curve. */
export function decodePoints(o: usize, b: usize, n: i32): i32 {
  for (let i = 0; i < n; i++) {
    const at = b + 33 * i, p = o + 72 * i, sign = load<u8>(at);
    if ((sign != 2 && sign != 3) || !fpfromBE(p, at + 1)) return i;
    fpsqr(B1, p); fpmul(B1, B1, p); fpadd(B1, B1, SEVEN);
    fpsqrt(p + 36, B1); fpsqr(B2, p + 36); fpsub4(B2, B2, B1);
    if (!fpisZero(B2)) return i;
    fpred(p, p); fpred(p + 36, p + 36);
    if ((load<u32>(p + 36) & 1) != <u32>(sign & 1)) { fpneg(p + 36, p + 36); fpred(p + 36, p + 36); }
  }
  return n;
}

/** True if every one of n affine points equals the other, both with canonical coordinates. */
export function isZeroXyzz(a: usize): bool { return isRawZero(a + 72); }
