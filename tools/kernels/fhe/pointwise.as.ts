// Kernels that treat a limb as a flat array of residues. Sizes are in bytes and multiples of 16.

export function add(a: usize, b: usize, out: usize, p: u32, size: usize): void {
  const P = splat(p);
  for (let o: usize = 0; o < size; o += 16) v128.store(out + o, reduce(i32x4.add(v128.load(a + o), v128.load(b + o)), P));
}
export function subtract(a: usize, b: usize, out: usize, p: u32, size: usize): void {
  const P = splat(p);
  for (let o: usize = 0; o < size; o += 16) v128.store(out + o, reduce(i32x4.add(i32x4.sub(v128.load(a + o), v128.load(b + o)), P), P));
}
export function addConstant(a: usize, out: usize, c: u32, p: u32, size: usize): void {
  const P = splat(p), C = splat(c);
  for (let o: usize = 0; o < size; o += 16) v128.store(out + o, reduce(i32x4.add(v128.load(a + o), C), P));
}
// a b 2^-32
export function multiply(a: usize, b: usize, out: usize, p: u32, pInverse: u32, size: usize): void {
  const P = splat(p), PI = splat(pInverse);
  for (let o: usize = 0; o < size; o += 16) v128.store(out + o, reduce(montgomeryProduct(v128.load(a + o), v128.load(b + o), P, PI), P));
}
// out + a b 2^-32
export function multiplyAdd(a: usize, b: usize, out: usize, p: u32, pInverse: u32, size: usize): void {
  const P = splat(p), PI = splat(pInverse);
  for (let o: usize = 0; o < size; o += 16) {
    const product = reduce(montgomeryProduct(v128.load(a + o), v128.load(b + o), P, PI), P);
    v128.store(out + o, reduce(i32x4.add(v128.load(out + o), product), P));
  }
}
// a w for a constant w with its Shoup quotient
export function multiplyConstant(a: usize, out: usize, w: u32, wq: u32, p: u32, size: usize): void {
  const P = splat(p), W = splat(w), WQ = splat(wq);
  for (let o: usize = 0; o < size; o += 16) v128.store(out + o, reduce(shoup(v128.load(a + o), W, WQ, P), P));
}
// (x - v) w
export function subtractMultiply(x: usize, v: usize, out: usize, w: u32, wq: u32, p: u32, size: usize): void {
  const P = splat(p), P2 = splat(2 * p), W = splat(w), WQ = splat(wq);
  for (let o: usize = 0; o < size; o += 16)
    v128.store(out + o, reduce(shoup(i32x4.add(i32x4.sub(v128.load(x + o), v128.load(v + o)), P2), W, WQ, P), P));
}
// (c0 + c1 s)^2: d0 = c0^2 k, d1 = 2 c0 c1 k, d2 = c1^2 k; k carries 2^64, which cancels the two Montgomery factors
export function square(c0: usize, c1: usize, d0: usize, d1: usize, d2: usize, k: u32, p: u32, pInverse: u32, size: usize): void {
  const P = splat(p), PI = splat(pInverse), K = splat(k);
  for (let o: usize = 0; o < size; o += 16) {
    const x = v128.load(c0 + o), y = v128.load(c1 + o);
    v128.store(d0 + o, reduce(montgomeryProduct(montgomeryProduct(x, x, P, PI), K, P, PI), P));
    v128.store(d1 + o, reduce(montgomeryProduct(montgomeryProduct(i32x4.add(x, x), y, P, PI), K, P, PI), P));
    v128.store(d2 + o, reduce(montgomeryProduct(montgomeryProduct(y, y, P, PI), K, P, PI), P));
  }
}
// signed 32-bit integers of magnitude below p -> residues
export function liftSigned(a: usize, out: usize, p: u32, size: usize): void {
  const P = splat(p), Z = i32x4.splat(0);
  for (let o: usize = 0; o < size; o += 16) {
    const x = v128.load(a + o);
    v128.store(out + o, i32x4.add(x, v128.and(P, i32x4.lt_s(x, Z))));
  }
}
// integers held as doubles, of magnitude below 2^62 -> residues
export function liftDouble(a: usize, out: usize, p: u32, count: i32): void {
  const m = <i64>p;
  for (let i: usize = 0; i < <usize>count; i++) {
    const r = <i64>load<f64>(a + (i << 3)) % m;
    store<u32>(out + (i << 2), <u32>(r + (m & (r >> 63))));
  }
}
// Mixed-radix digits (Garner) of x + half: x0 <- x0 + h0 mod q0; y = (x1 + h1 - x0) / q0 mod q1
export function garner2(x0: usize, x1: usize, y: usize, q0: u32, q1: u32, h0: u32, h1: u32, w: u32, wq: u32, size: usize): void {
  const Q0 = splat(q0), Q1 = splat(q1), Q12 = splat(2 * q1), H0 = splat(h0), H1 = splat(h1), W = splat(w), WQ = splat(wq);
  for (let o: usize = 0; o < size; o += 16) {
    const a = reduce(i32x4.add(v128.load(x0 + o), H0), Q0), b = i32x4.add(v128.load(x1 + o), H1);
    v128.store(x0 + o, a);
    v128.store(y + o, reduce(shoup(i32x4.add(i32x4.sub(b, a), Q12), W, WQ, Q1), Q1));
  }
}
// Third digit: y2 = ((x2 + h2 - x0) / q0 - y1) / q1 mod q2
export function garner3(x0: usize, y1: usize, x2: usize, y2: usize, q2: u32, h2: u32, w: u32, wq: u32, v: u32, vq: u32, size: usize): void {
  const Q = splat(q2), Q2 = splat(2 * q2), H2 = splat(h2), W = splat(w), WQ = splat(wq), V = splat(v), VQ = splat(vq);
  for (let o: usize = 0; o < size; o += 16) {
    const b = shoup(i32x4.add(i32x4.sub(i32x4.add(v128.load(x2 + o), H2), v128.load(x0 + o)), Q2), W, WQ, Q);
    v128.store(y2 + o, reduce(shoup(i32x4.add(i32x4.sub(b, v128.load(y1 + o)), Q2), V, VQ, Q), Q));
  }
}
