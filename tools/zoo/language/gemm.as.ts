// AssemblyScript: C (+)= A * B in f32, M x K times K x N. A has any row and column stride (in elements), B and C have
// contiguous rows. A tile of 4 x 8 results stays in eight vector registers while k runs; edges are done one by one.
// Order of summation depends on the shapes alone, so training gives the same bits everywhere.
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  c: usize,
  cRow: i32,
  accumulate: bool,
): void {
  const aRowBytes = aRow << 2
  const aColumnBytes = aColumn << 2
  const bRowBytes = bRow << 2
  const cRowBytes = cRow << 2
  let i = 0
  for (; i + 4 <= m; i += 4) {
    const a0 = a + i * aRowBytes
    const a1 = a0 + aRowBytes
    const a2 = a1 + aRowBytes
    const a3 = a2 + aRowBytes
    let j = 0
    for (; j + 8 <= n; j += 8) {
      let c00 = f32x4.splat(0)
      let c01 = f32x4.splat(0)
      let c10 = f32x4.splat(0)
      let c11 = f32x4.splat(0)
      let c20 = f32x4.splat(0)
      let c21 = f32x4.splat(0)
      let c30 = f32x4.splat(0)
      let c31 = f32x4.splat(0)
      let row = b + (j << 2)
      let column = 0
      for (let p = 0; p < k; p++) {
        const b0 = v128.load(row)
        const b1 = v128.load(row, 16)
        let x = v128.load32_splat(a0 + column)
        c00 = f32x4.add(c00, f32x4.mul(x, b0))
        c01 = f32x4.add(c01, f32x4.mul(x, b1))
        x = v128.load32_splat(a1 + column)
        c10 = f32x4.add(c10, f32x4.mul(x, b0))
        c11 = f32x4.add(c11, f32x4.mul(x, b1))
        x = v128.load32_splat(a2 + column)
        c20 = f32x4.add(c20, f32x4.mul(x, b0))
        c21 = f32x4.add(c21, f32x4.mul(x, b1))
        x = v128.load32_splat(a3 + column)
        c30 = f32x4.add(c30, f32x4.mul(x, b0))
        c31 = f32x4.add(c31, f32x4.mul(x, b1))
        row += bRowBytes
        column += aColumnBytes
      }
      const out = c + i * cRowBytes + (j << 2)
      put(out, c00, c01, accumulate)
      put(out + cRowBytes, c10, c11, accumulate)
      put(out + 2 * cRowBytes, c20, c21, accumulate)
      put(out + 3 * cRowBytes, c30, c31, accumulate)
    }
    if (j < n) edge(i, i + 4, j, n, k, a, aRowBytes, aColumnBytes, b, bRowBytes, c, cRowBytes, accumulate)
  }
  if (i < m) edge(i, m, 0, n, k, a, aRowBytes, aColumnBytes, b, bRowBytes, c, cRowBytes, accumulate)
}

function put(out: usize, low: v128, high: v128, accumulate: bool): void {
  if (accumulate) {
    low = f32x4.add(low, v128.load(out))
    high = f32x4.add(high, v128.load(out, 16))
  }
  v128.store(out, low)
  v128.store(out, high, 16)
}

function edge(
  fromRow: i32,
  toRow: i32,
  fromColumn: i32,
  n: i32,
  k: i32,
  a: usize,
  aRowBytes: i32,
  aColumnBytes: i32,
  b: usize,
  bRowBytes: i32,
  c: usize,
  cRowBytes: i32,
  accumulate: bool,
): void {
  for (let i = fromRow; i < toRow; i++) {
    for (let j = fromColumn; j < n; j++) {
      let sum: f32 = 0
      let left = a + i * aRowBytes
      let right = b + (j << 2)
      for (let p = 0; p < k; p++) {
        sum += load<f32>(left) * load<f32>(right)
        left += aColumnBytes
        right += bRowBytes
      }
      const out = c + i * cRowBytes + (j << 2)
      store<f32>(out, accumulate ? load<f32>(out) + sum : sum)
    }
  }
}
