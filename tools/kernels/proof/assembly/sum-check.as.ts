// The sum-check over cell rows. A slot is B boolean cells followed by V linear columns (stride S = B + V); a row is g slots.
// A gate is: quadratic terms (a, b, coefficient) and linear terms (a, coefficient) over the linear columns.
//   Q(slot) = sum_k alpha^k (b_k^2 - b_k) + sum coefficient L_a L_b + sum coefficient L_a
// Rows that do not exist are zero, and Q(0) = 0. A pair list names, for every pair of rows that differ in the bit being
// bound, both rows (0 = missing) and the index of its weight: u32[3] each, rows counted from 1.
let G_SLOTS: i32 = 0, G_CELLS: i32 = 0, G_COLUMNS: i32 = 0, G_QUADS: i32 = 0, G_LINEARS: i32 = 0;
let G_ALPHA: usize = 0, G_QUAD: usize = 0, G_QUAD_C: usize = 0, G_LINEAR: usize = 0, G_LINEAR_C: usize = 0, G_SLOT_W: usize = 0;

/** Sets the gate: indices are u32, coefficients, powers of alpha (B and one more) and slot weights are field elements. */
export function setGate(g: i32, B: i32, V: i32, alpha: usize, quads: i32, quad: usize, quadC: usize, linears: i32, linear: usize, linearC: usize, slotW: usize): void {
  G_SLOTS = g; G_CELLS = B; G_COLUMNS = V; G_ALPHA = alpha; G_QUADS = quads; G_QUAD = quad; G_QUAD_C = quadC;
  G_LINEARS = linears; G_LINEAR = linear; G_LINEAR_C = linearC; G_SLOT_W = slotW;
}

const S0: usize = memory.data(40, 8);
const S1: usize = memory.data(40, 8);
const S2: usize = memory.data(40, 8);
const S3: usize = memory.data(40, 8);
const ROW_0: usize = memory.data(40, 8);
const ROW_1: usize = memory.data(40, 8);
const W0: usize = memory.data(144, 16);
const W1: usize = memory.data(144, 16);
const WX: usize = memory.data(144, 16);
const WY: usize = memory.data(144, 16);
const WT: usize = memory.data(144, 16);
const WONE: usize = memory.data(144, 16);
const WALPHA: usize = memory.data(144, 16);

// s += sum of coefficient L_a L_b (and linear terms) at column base `c`
function addTerms(s: usize, c: usize, linear: bool): void {
  for (let k = 0; k < G_QUADS; k++) {
    const a = c + <usize>36 * load<u32>(G_QUAD + 8 * k), b = c + <usize>36 * load<u32>(G_QUAD + 8 * k, 4);
    fnmul(S1, a, b); fnmul(S1, S1, G_QUAD_C + 36 * k); fnadd(s, s, S1);
    if ((k & 7) == 7) fnnorm(s, s);
  }
  fnnorm(s, s);
  if (!linear) return;
  for (let k = 0; k < G_LINEARS; k++) { fnmul(S1, c + <usize>36 * load<u32>(G_LINEAR + 4 * k), G_LINEAR_C + 36 * k); fnadd(s, s, S1); if ((k & 7) == 7) fnnorm(s, s); }
  fnnorm(s, s);
}

/** o = Q(row), or only its quadratic part; the row has its linear columns filled in. */
export function gateValue(o: usize, row: usize, linear: bool): void {
  const S = G_CELLS + G_COLUMNS;
  fnzero(ROW_0);
  for (let a = 0; a < G_SLOTS; a++) {
    const v = row + <usize>36 * (a * S);
    fnzero(S0);
    for (let k = 0; k < G_CELLS; k++) {
      const b = v + 36 * k;
      if (linear) { fnsub4(S1, b, fnONE); fnmul(S1, S1, b); } else fnsqr(S1, b);
      fnmul(S1, S1, G_ALPHA + 36 * k); fnadd(S0, S0, S1);
      if ((k & 7) == 7) fnnorm(S0, S0);
    }
    fnnorm(S0, S0);
    addTerms(S0, v + <usize>36 * G_CELLS, linear);
    fnmul(S0, S0, G_SLOT_W + 36 * a); fnadd(ROW_0, ROW_0, S0); fnnorm(ROW_0, ROW_0);
  }
  fncp(o, ROW_0);
}

/** Fills the linear columns: column v is the inner product of the slot's cells with weights[v] (B each). */
export function fillColumns(o: usize, cells: usize, weights: usize): void {
  const S = G_CELLS + G_COLUMNS;
  for (let a = 0; a < G_SLOTS; a++) {
    const d = o + <usize>36 * (a * S), s = cells + <usize>36 * (a * G_CELLS);
    memory.copy(d, s, 36 * G_CELLS);
    for (let v = 0; v < G_COLUMNS; v++) dotStrided(d + 36 * (G_CELLS + v), s, 1, weights + <usize>36 * (v * G_CELLS), 1, G_CELLS);
  }
}

/** First round, on integers: cells u8[row][g][B] and columns i64[row][g][V], row 0 being zero. Writes t(0) and the coefficient of X^2. */
export function firstRound(o: usize, cells: usize, columns: usize, pairs: usize, n: i32, weights: usize): void {
  const g = G_SLOTS, B = G_CELLS, V = G_COLUMNS;
  fnzero(o); fnzero(o + 36);
  for (let i = 0; i < n; i++) {
    const lo = load<u32>(pairs + 12 * i), hi = load<u32>(pairs + 12 * i, 4), w = weights + <usize>36 * load<u32>(pairs + 12 * i, 8);
    fnzero(ROW_0); fnzero(ROW_1);
    for (let a = 0; a < g; a++) {
      const L = cells + <usize>(lo * g + a) * B, H = cells + <usize>(hi * g + a) * B;
      const cl = columns + <usize>8 * (lo * g + a) * V, ch = columns + <usize>8 * (hi * g + a) * V;
      fnzero(S0); fnzero(S2);
      let changed = 0;
      for (let k = 0; k < B; k++) if (load<u8>(L + k) != load<u8>(H + k)) { fnadd(S2, S2, G_ALPHA + 36 * k); if ((++changed & 15) == 0) fnnorm(S2, S2); }
      fnnorm(S2, S2);
      for (let k = 0; k < G_QUADS; k++) {
        const x = <usize>8 * load<u32>(G_QUAD + 8 * k), y = <usize>8 * load<u32>(G_QUAD + 8 * k, 4);
        const x0 = load<i64>(cl + x), y0 = load<i64>(cl + y), dx = load<i64>(ch + x) - x0, dy = load<i64>(ch + y) - y0;
        if (x0 != 0 && y0 != 0) { fromI64(S1, x0); fnmul(S1, S1, G_QUAD_C + 36 * k); fromI64(S3, y0); fnmul(S1, S1, S3); fnadd(S0, S0, S1); fnnorm(S0, S0); }
        if (dx != 0 && dy != 0) { fromI64(S1, dx); fnmul(S1, S1, G_QUAD_C + 36 * k); fromI64(S3, dy); fnmul(S1, S1, S3); fnadd(S2, S2, S1); fnnorm(S2, S2); }
      }
      for (let k = 0; k < G_LINEARS; k++) {
        const x0 = load<i64>(cl + <usize>8 * load<u32>(G_LINEAR + 4 * k));
        if (x0 != 0) { fromI64(S1, x0); fnmul(S1, S1, G_LINEAR_C + 36 * k); fnadd(S0, S0, S1); fnnorm(S0, S0); }
      }
      fnmul(S0, S0, G_SLOT_W + 36 * a); fnadd(ROW_0, ROW_0, S0); fnnorm(ROW_0, ROW_0);
      fnmul(S2, S2, G_SLOT_W + 36 * a); fnadd(ROW_1, ROW_1, S2); fnnorm(ROW_1, ROW_1);
    }
    fnmul(ROW_0, ROW_0, w); fnadd(o, o, ROW_0); fnnorm(o, o);
    fnmul(ROW_1, ROW_1, w); fnadd(o + 36, o + 36, ROW_1); fnnorm(o + 36, o + 36);
  }
}

const CELL_TABLE: usize = memory.data(160, 8);
/** Binds the bit of the first round to r: rows of field elements, slots with their columns. `o` starts with an empty row 0. */
export function firstFold(o: usize, cells: usize, columns: usize, pairs: usize, n: i32, r: usize): void {
  const g = G_SLOTS, B = G_CELLS, V = G_COLUMNS, S = B + V, T = CELL_TABLE;
  fnzero(T); fncp(T + 36, r); fnsub4(F1, fnONE, r); fnnorm(T + 72, F1); fncp(T + 108, fnONE); // index 2 low + high
  memory.fill(o, 0, 36 * g * S);
  for (let i = 0; i < n; i++) {
    const lo = load<u32>(pairs + 12 * i), hi = load<u32>(pairs + 12 * i, 4);
    for (let a = 0; a < g; a++) {
      const L = cells + <usize>(lo * g + a) * B, H = cells + <usize>(hi * g + a) * B, d = o + <usize>36 * (((i + 1) * g + a) * S);
      for (let k = 0; k < B; k++) fncp(d + 36 * k, T + 36 * (<usize>load<u8>(L + k) * 2 + <usize>load<u8>(H + k)));
      const cl = columns + <usize>8 * (lo * g + a) * V, ch = columns + <usize>8 * (hi * g + a) * V;
      for (let k = 0; k < V; k++) {
        const l = load<i64>(cl + 8 * k), h = load<i64>(ch + 8 * k);
        fromI64(F3, l); fromI64(F4, h - l); fnmul(F4, F4, r); fnadd(F3, F3, F4); fnnorm(d + 36 * (B + k), F3);
      }
    }
  }
}

/** A later round on field elements. */
export function nextRound(o: usize, rows: usize, pairs: usize, n: i32, weights: usize): void {
  const g = G_SLOTS, B = G_CELLS, V = G_COLUMNS, S = B + V, bytes = <usize>36 * g * S;
  fnzero(o); fnzero(o + 36); fn2load(WONE, fnONE, fnONE);
  for (let i = 0; i < n; i++) {
    const lo = rows + bytes * load<u32>(pairs + 12 * i), hi = rows + bytes * load<u32>(pairs + 12 * i, 4);
    const w = weights + <usize>36 * load<u32>(pairs + 12 * i, 8);
    fnzero(ROW_0); fnzero(ROW_1);
    for (let a = 0; a < g; a++) {
      const L = lo + <usize>36 * (S * a), H = hi + <usize>36 * (S * a);
      memory.fill(W0, 0, 144); memory.fill(W1, 0, 144);
      for (let k = 0; k < B; k += 2) {
        if (k + 1 < B) { fn2load(WX, L + 36 * k, L + 36 * k + 36); fn2load(WY, H + 36 * k, H + 36 * k + 36); }
        else { fn2load(WX, L + 36 * k, ZERO); fn2load(WY, H + 36 * k, ZERO); }
        fn2load(WALPHA, G_ALPHA + 36 * k, G_ALPHA + 36 * k + 36);
        fn2sub4(WY, WY, WX); fn2sqr(WT, WY); fn2mul(WT, WT, WALPHA); fn2add(W1, W1, WT);
        fn2sub4(WT, WX, WONE); fn2mul(WT, WT, WX); fn2mul(WT, WT, WALPHA); fn2add(W0, W0, WT);
        if ((k & 15) == 14) { normPair(W0); normPair(W1); }
      }
      fn2store(S0, S1, W0); fnadd(S0, S0, S1); fnnorm(S0, S0);
      fn2store(S2, S1, W1); fnadd(S2, S2, S1); fnnorm(S2, S2);
      addTerms(S0, L + <usize>36 * B, true);
      for (let k = 0; k < G_QUADS; k++) {
        const x = <usize>36 * (B + load<u32>(G_QUAD + 8 * k)), y = <usize>36 * (B + load<u32>(G_QUAD + 8 * k, 4));
        fnsub4(S1, H + x, L + x); fnsub4(S3, H + y, L + y); fnmul(S1, S1, S3); fnmul(S1, S1, G_QUAD_C + 36 * k); fnadd(S2, S2, S1);
        if ((k & 7) == 7) fnnorm(S2, S2);
      }
      fnnorm(S2, S2);
      fnmul(S0, S0, G_SLOT_W + 36 * a); fnadd(ROW_0, ROW_0, S0); fnnorm(ROW_0, ROW_0);
      fnmul(S2, S2, G_SLOT_W + 36 * a); fnadd(ROW_1, ROW_1, S2); fnnorm(ROW_1, ROW_1);
    }
    fnmul(ROW_0, ROW_0, w); fnadd(o, o, ROW_0); fnnorm(o, o);
    fnmul(ROW_1, ROW_1, w); fnadd(o + 36, o + 36, ROW_1); fnnorm(o + 36, o + 36);
  }
}
function normPair(p: usize): void { fn2store(S1, S3, p); fnnorm(S1, S1); fnnorm(S3, S3); fn2load(p, S1, S3); }

/** Binds one more bit to r, from `rows` into `o` (both start with a zero row 0). */
export function nextFold(o: usize, rows: usize, pairs: usize, n: i32, r: usize): void {
  const cols = G_SLOTS * (G_CELLS + G_COLUMNS), bytes = <usize>36 * cols;
  memory.fill(o, 0, bytes);
  fn2load(W0, r, r);
  for (let i = 0; i < n; i++) {
    const lo = rows + bytes * load<u32>(pairs + 12 * i), hi = rows + bytes * load<u32>(pairs + 12 * i, 4), d = o + bytes * (i + 1);
    let k = 0;
    for (; k + 1 < cols; k += 2) {
      fn2load(WX, lo + 36 * k, lo + 36 * k + 36); fn2load(WY, hi + 36 * k, hi + 36 * k + 36);
      fn2sub4(WT, WY, WX); fn2mul(WT, WT, W0); fn2add(WT, WT, WX);
      fn2store(d + 36 * k, d + 36 * k + 36, WT); fnnorm(d + 36 * k, d + 36 * k); fnnorm(d + 36 * k + 36, d + 36 * k + 36);
    }
    if (k < cols) { fnsub4(F1, hi + 36 * k, lo + 36 * k); fnmul(F1, F1, r); fnadd(F1, F1, lo + 36 * k); fnnorm(d + 36 * k, F1); }
  }
}
