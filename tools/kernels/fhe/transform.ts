// AssemblyScript for the negacyclic number-theoretic transforms, input in coefficient order, output in slot order.
//
// Harvey, "Faster arithmetic for number-theoretic transforms" (arXiv 1205.2926), Algorithm 4: lazy forward butterflies on Shoup
// products with values below 4p; its inverse counterpart (number not checked) keeps values below 2p. Tree layout as in Longa and Naehrig
// (ePrint 2016/504), Algorithms 1 and 2. The square root taken at each node is chosen so that the leaf at position j of
// half 0 is the evaluation at psi^(5^j) and of half 1 at psi^(-5^j); two layers share one pass over memory; the last three
// layers work on four 8-blocks at once after a 4 x 4 transpose, so that lanes are consecutive slots.

type Loader = { readonly name: string; readonly parameters: string; readonly constants: string; readonly load: (offset: string) => string }

/** What the first pass reads: residues, or the integer behind mixed-radix digits, reduced on the fly. */
const loaders: readonly Loader[] = [
  { name: 'forward', parameters: 'a: usize, ', constants: '', load: (o) => `v128.load(a + ${o})` },
  {
    name: 'forwardFrom1',
    parameters: 'a: usize, k: u32, ',
    constants: 'const K = splat(k);',
    load: (o) => `reduce(i32x4.add(v128.load(a + ${o}), K), P2)`,
  },
  {
    name: 'forwardFrom2',
    parameters: 'a: usize, y: usize, c: u32, cq: u32, k: u32, ',
    constants: 'const C = splat(c), CQ = splat(cq), K = splat(k);',
    load: (o) => `i32x4.add(reduce(i32x4.add(v128.load(a + ${o}), K), P2), shoup(v128.load(y + ${o}), C, CQ, P))`,
  },
  {
    name: 'forwardFrom3',
    parameters: 'a: usize, y: usize, z: usize, c: u32, cq: u32, d: u32, dq: u32, k: u32, ',
    constants: 'const C = splat(c), CQ = splat(cq), D = splat(d), DQ = splat(dq), K = splat(k);',
    load: (o) =>
      `i32x4.add(reduce(i32x4.add(v128.load(a + ${o}), K), P2), reduce(i32x4.add(shoup(v128.load(y + ${o}), C, CQ, P), shoup(v128.load(z + ${o}), D, DQ, P)), P2))`,
  },
]

const tables = `
  const p = load<u32>(tables); const P = splat(p), P2 = splat(2 * p);
  const tw = tables + 64, twq = tw + (<usize>n << 2), blocks = twq + (<usize>n << 2); let leaves = blocks + (<usize>n << 2);`

const innerRoots = `
      const w1 = v128.load32_splat(tw + ((m + i) << 2)), q1 = v128.load32_splat(twq + ((m + i) << 2));
      const w2 = v128.load32_splat(tw + ((2 * m + 2 * i) << 2)), q2 = v128.load32_splat(twq + ((2 * m + 2 * i) << 2));
      const w3 = v128.load32_splat(tw + ((2 * m + 2 * i + 1) << 2)), q3 = v128.load32_splat(twq + ((2 * m + 2 * i + 1) << 2));`

/** Two forward layers on values spaced by `d` bytes: loads below 4p, stores below 4p. */
const forwardPair = (load: (o: string) => string, to: string, at: string): string => `
        const x0 = reduce(${load(`${at}`)}, P2), x1 = reduce(${load(`${at} + d`)}, P2);
        const y0 = shoup(${load(`${at} + 2 * d`)}, w1, q1, P), y1 = shoup(${load(`${at} + 3 * d`)}, w1, q1, P);
        const u0 = reduce(i32x4.add(x0, y0), P2), u2 = reduce(i32x4.add(i32x4.sub(x0, y0), P2), P2);
        const z1 = shoup(i32x4.add(x1, y1), w2, q2, P), z3 = shoup(i32x4.add(i32x4.sub(x1, y1), P2), w3, q3, P);
        v128.store(${to} + ${at}, i32x4.add(u0, z1)); v128.store(${to} + ${at} + d, i32x4.add(i32x4.sub(u0, z1), P2));
        v128.store(${to} + ${at} + 2 * d, i32x4.add(u2, z3)); v128.store(${to} + ${at} + 3 * d, i32x4.add(i32x4.sub(u2, z3), P2));`

/** Two inverse layers: loads and stores below 2p. */
const inversePair = (d: string): string => `
        const x0 = v128.load(at), x1 = v128.load(at + ${d}), x2 = v128.load(at + 2 * ${d}), x3 = v128.load(at + 3 * ${d});
        const u0 = reduce(i32x4.add(x0, x1), P2), u1 = shoup(i32x4.add(i32x4.sub(x0, x1), P2), w2, q2, P);
        const u2 = reduce(i32x4.add(x2, x3), P2), u3 = shoup(i32x4.add(i32x4.sub(x2, x3), P2), w3, q3, P);`

const addSubtract = (a: number, b: number): string =>
  `t = i32x4.add(e${a}, e${b}); e${b} = i32x4.add(i32x4.sub(e${a}, e${b}), P2); e${a} = t;`
const root = (index: number): string => `v128.load(leaves, ${32 * index}), v128.load(leaves, ${32 * index + 16})`

function forward({ name, parameters, constants, load }: Loader): string {
  // Slot planes of the eight outputs of one 8-block: bit-reversed positions, `plane` bytes apart.
  const planes = [0, 4, 2, 6, 1, 5, 3, 7]
  const store = (pair: number): string => {
    const [even, odd] = [2 * pair, 2 * pair + 1]
    return `
      v128.store(to + ${planes[even]} * plane, reduce(reduce(i32x4.add(e${even}, e${odd}), P2), P));
      v128.store(to + ${planes[odd]} * plane, reduce(reduce(i32x4.add(i32x4.sub(e${even}, e${odd}), P2), P2), P));`
  }
  return `
export function ${name}(${parameters}scratch: usize, out: usize, n: i32, tables: usize): void {${tables}
  ${constants}
  let m = 1, t = n >> 1;
  if ((31 - clz(n)) & 1) {
    const d = <usize>(t >> 1) << 2, i = 0;${innerRoots}
    for (let o: usize = 0; o < d; o += 16) {${forwardPair(load, 'scratch', 'o')}
    }
    m = 4; t >>= 2;
  } else {
    const d = <usize>t << 2, w = v128.load32_splat(tw + 4), q = v128.load32_splat(twq + 4);
    for (let o: usize = 0; o < d; o += 16) {
      const u = reduce(${load('o')}, P2), v = shoup(${load('o + d')}, w, q, P);
      v128.store(scratch + o, i32x4.add(u, v)); v128.store(scratch + o + d, i32x4.add(i32x4.sub(u, v), P2));
    }
    m = 2; t >>= 1;
  }
  while (t > 16) {
    const d = <usize>(t >> 1) << 2;
    for (let i = 0; i < m; i++) {${innerRoots}
      const base = scratch + (<usize>(i * 2 * t) << 2);
      for (let o: usize = 0; o < d; o += 16) {${forwardPair((o) => `v128.load(base + ${o})`, 'base', 'o')}
      }
    }
    m <<= 2; t >>= 2;
  }
  for (let i = 0, base = scratch; i < m; i++, base += 128) {${innerRoots}
    const d: usize = 32;
    {${forwardPair((o) => `v128.load(base + ${o})`, 'base', '0')} }
    {${forwardPair((o) => `v128.load(base + ${o})`, 'base', '16')} }
  }
  const H = n >> 1, plane = <usize>(H >> 3) << 2, block = <usize>(H >> 4) << 5, groups = H >> 5;
  for (let half = 0; half < 2; half++) {
    const from = scratch + (<usize>half * <usize>H << 2); let to = out + <usize>half * (<usize>(H + 16) << 2);
    for (let u = 0; u < groups; u++, leaves += 224, to += 16) {
      const b0 = from + <usize>load<u32>(blocks + (u << 2)), b2 = b0 + (block >> 1), b1 = b0 + block, b3 = b1 + (block >> 1);
      let A = v128.load(b0), B = v128.load(b1), C = v128.load(b2), D = v128.load(b3);
      let t0 = zipLow32(A, B), t1 = zipHigh32(A, B), t2 = zipLow32(C, D), t3 = zipHigh32(C, D), t: v128;
      let e0 = zipLow64(t0, t2), e1 = zipHigh64(t0, t2), e2 = zipLow64(t1, t3), e3 = zipHigh64(t1, t3);
      A = v128.load(b0, 16); B = v128.load(b1, 16); C = v128.load(b2, 16); D = v128.load(b3, 16);
      t0 = zipLow32(A, B); t1 = zipHigh32(A, B); t2 = zipLow32(C, D); t3 = zipHigh32(C, D);
      let e4 = zipLow64(t0, t2), e5 = zipHigh64(t0, t2), e6 = zipLow64(t1, t3), e7 = zipHigh64(t1, t3);
      ${[4, 5, 6, 7].map((k) => `e${k} = shoup(e${k}, ${root(0)}, P);`).join(' ')}
      ${[0, 1, 2, 3].map((k) => `e${k} = reduce(e${k}, P2);`).join(' ')}
      ${[0, 1, 2, 3].map((k) => addSubtract(k, k + 4)).join(' ')}
      ${[2, 3].map((k) => `e${k} = shoup(e${k}, ${root(1)}, P);`).join(' ')}
      ${[6, 7].map((k) => `e${k} = shoup(e${k}, ${root(2)}, P);`).join(' ')}
      ${[0, 1, 4, 5].map((k) => `e${k} = reduce(e${k}, P2);`).join(' ')}
      ${[0, 1, 4, 5].map((k) => addSubtract(k, k + 2)).join(' ')}
      ${[1, 3, 5, 7].map((k, i) => `e${k} = shoup(e${k}, ${root(3 + i)}, P);`).join(' ')}
      ${[0, 2, 4, 6].map((k) => `e${k} = reduce(e${k}, P2);`).join(' ')}${[0, 1, 2, 3].map(store).join('')}
    }
  }
  pad(out, H);
}`
}

const inverseStep = (a: number, b: number, index: number): string =>
  `x = reduce(i32x4.add(e${a}, e${b}), P2); e${b} = shoup(i32x4.add(i32x4.sub(e${a}, e${b}), P2), ${root(index)}, P); e${a} = x;`

const inverse = `
export function inverse(a: usize, out: usize, n: i32, tables: usize): void {${tables}
  const H = n >> 1, plane = <usize>(H >> 3) << 2, block = <usize>(H >> 4) << 5, groups = H >> 5;
  for (let half = 0; half < 2; half++) {
    const to = out + (<usize>half * <usize>H << 2); let from = a + <usize>half * (<usize>(H + 16) << 2);
    for (let u = 0; u < groups; u++, leaves += 224, from += 16) {
      let x: v128;
      let ${[0, 4, 2, 6, 1, 5, 3, 7].map((position, k) => `e${k} = v128.load(from + ${position} * plane)`).join(', ')};
      ${inverseStep(0, 1, 3)} ${inverseStep(2, 3, 4)} ${inverseStep(4, 5, 5)} ${inverseStep(6, 7, 6)}
      ${inverseStep(0, 2, 1)} ${inverseStep(1, 3, 1)} ${inverseStep(4, 6, 2)} ${inverseStep(5, 7, 2)}
      ${inverseStep(0, 4, 0)} ${inverseStep(1, 5, 0)} ${inverseStep(2, 6, 0)} ${inverseStep(3, 7, 0)}
      const b0 = to + <usize>load<u32>(blocks + (u << 2)), b2 = b0 + (block >> 1), b1 = b0 + block, b3 = b1 + (block >> 1);
      let t0 = zipLow32(e0, e1), t1 = zipHigh32(e0, e1), t2 = zipLow32(e2, e3), t3 = zipHigh32(e2, e3);
      v128.store(b0, zipLow64(t0, t2)); v128.store(b1, zipHigh64(t0, t2)); v128.store(b2, zipLow64(t1, t3)); v128.store(b3, zipHigh64(t1, t3));
      t0 = zipLow32(e4, e5); t1 = zipHigh32(e4, e5); t2 = zipLow32(e6, e7); t3 = zipHigh32(e6, e7);
      v128.store(b0, zipLow64(t0, t2), 16); v128.store(b1, zipHigh64(t0, t2), 16); v128.store(b2, zipLow64(t1, t3), 16); v128.store(b3, zipHigh64(t1, t3), 16);
    }
  }
  let m = n >> 5, d: usize = 32;
  while (m >= 2) {
    for (let i = 0; i < m; i++) {${innerRoots}
      for (let at = out + <usize>i * 4 * d, end = at + d; at < end; at += 16) {${inversePair('d')}
        v128.store(at, reduce(i32x4.add(u0, u2), P2)); v128.store(at + d, reduce(i32x4.add(u1, u3), P2));
        v128.store(at + 2 * d, shoup(i32x4.add(i32x4.sub(u0, u2), P2), w1, q1, P)); v128.store(at + 3 * d, shoup(i32x4.add(i32x4.sub(u1, u3), P2), w1, q1, P));
      }
    }
    m >>= 2; d <<= 2;
  }
  // The last layer carries n^-1. It stands alone, or is merged with the one before when log2 n is odd.
  const w0 = v128.load32_splat(tables, 4), q0 = v128.load32_splat(tables, 8), v0 = v128.load32_splat(tables, 12), r0 = v128.load32_splat(tables, 16);
  if (m == 1) {
    const w2 = v128.load32_splat(tw, 8), q2 = v128.load32_splat(twq, 8), w3 = v128.load32_splat(tw, 12), q3 = v128.load32_splat(twq, 12);
    for (let at = out, end = at + d; at < end; at += 16) {${inversePair('d')}
      v128.store(at, reduce(shoup(i32x4.add(u0, u2), w0, q0, P), P)); v128.store(at + d, reduce(shoup(i32x4.add(u1, u3), w0, q0, P), P));
      v128.store(at + 2 * d, reduce(shoup(i32x4.add(i32x4.sub(u0, u2), P2), v0, r0, P), P)); v128.store(at + 3 * d, reduce(shoup(i32x4.add(i32x4.sub(u1, u3), P2), v0, r0, P), P));
    }
  } else {
    for (let at = out, end = at + d; at < end; at += 16) {
      const x0 = v128.load(at), x1 = v128.load(at + d);
      v128.store(at, reduce(shoup(i32x4.add(x0, x1), w0, q0, P), P)); v128.store(at + d, reduce(shoup(i32x4.add(i32x4.sub(x0, x1), P2), v0, r0, P), P));
    }
  }
}`

/** The four forward transforms and the inverse. */
export function transformSource(): string {
  return loaders.map(forward).join('\n') + inverse
}
