// AssemblyScript for the inner products of hybrid key switching, hoisted: one pass over memory sums, over all automorphisms
// of a stage and all digits, digit[image] * key, for both output polynomials. The keys lie in the order in which they are
// read: half, four slots, automorphism, digit, polynomial.

/**
 * `fold`: out0 += c0 and its images, out1 += ck c1: a sum of rotations that includes the identity.
 * `dense`: out1 += c1 plain_0, with plain_0 at the head of every group of keys: a product with pre-multiplied keys.
 * `relinearize`: out0 += ck c0, out1 += ck c1, no automorphism.
 * `bare`: the keys alone, which is what the special limbs see where the others carry the factor P.
 */
type Mode = 'fold' | 'dense' | 'relinearize' | 'bare'

const maximumDigits = 4
/** Unrolled because the planned circuits spend most of their time there: [automorphisms, digits]. */
const unrolled: readonly (readonly [number, number])[] = [
  [1, 2],
  [1, 3],
  [3, 2],
  [7, 2],
  [3, 3],
  [7, 3],
  [15, 3],
]

const multiplyAdd = (accumulator: string): string =>
  `${accumulator}l = i64x2.add(${accumulator}l, i64x2.extmul_low_i32x4_u(x, y)); ${accumulator}h = i64x2.add(${accumulator}h, i64x2.extmul_high_i32x4_u(x, y));`
const multiplyInto = (accumulator: string): string =>
  `${accumulator}l = i64x2.extmul_low_i32x4_u(x, y); ${accumulator}h = i64x2.extmul_high_i32x4_u(x, y);`
const flush = `r0 = reduce(i32x4.add(r0, reduce(montgomery(a0l, a0h, P, PI, P2), P2)), P2); r1 = reduce(i32x4.add(r1, reduce(montgomery(a1l, a1h, P, PI, P2), P2)), P2);`
const clear = 'a0l = Z; a0h = Z; a1l = Z; a1h = Z;'

function digitProducts(digits: number, offset: number): string {
  let text = ''
  for (let d = 0; d < digits; d++) {
    text += `x = v128.load(digit${d} + at); y = v128.load(keys, ${offset + 32 * d}); ${multiplyAdd('a0')} y = v128.load(keys, ${offset + 32 * d + 16}); ${multiplyAdd('a1')} `
  }
  return text
}

function start(mode: Mode): string {
  if (mode === 'fold') return `r0 = v128.load(c0 + o); x = v128.load(c1 + o); y = CK; ${multiplyInto('a1')}`
  if (mode === 'dense') return `x = v128.load(c1 + o); y = v128.load(keys); keys += 16; ${multiplyInto('a1')}`
  if (mode === 'relinearize') return `y = CK; x = v128.load(c0 + o); ${multiplyInto('a0')} x = v128.load(c1 + o); ${multiplyInto('a1')}`
  return ''
}

const foldImage = (mode: Mode): string => (mode === 'fold' ? 'r0 = reduce(i32x4.add(r0, v128.load(c0 + at)), P2);' : '')

/** Terms of one 64-bit sum stay at 16 or fewer: the identity and the digits of the automorphisms in between. */
const imagesPerFlush = (digits: number): number => Math.floor(15 / digits)

function loopBody(mode: Mode, digits: number): string {
  return `
      for (let k = 0; ; ) {
        let stop = k + ${imagesPerFlush(digits)}; if (stop > count) stop = count;
        for (; k < stop; k++) {
          const map = maps + (<usize>k << 3), at = (half ^ <usize>load<u32>(map, 4)) * stride + ((j + <usize>load<u32>(map)) & mask);
          ${digitProducts(digits, 0)} ${foldImage(mode)}
          keys += ${32 * digits};
        }
        ${flush}
        if (k == count) break;
        ${clear}
      }`
}

function unrolledBody(mode: Mode, digits: number, count: number): string {
  let text = ''
  for (let k = 0; k < count; k++) {
    if (k > 0 && k % imagesPerFlush(digits) === 0) text += `${flush} ${clear}\n`
    text += `{ const at = h${k} + ((j + s${k}) & mask); ${digitProducts(digits, 32 * digits * k)} ${foldImage(mode)} }\n`
  }
  return `${text} keys += ${32 * digits * count}; ${flush}`
}

function keySwitch(mode: Mode, digits: number, count?: number): string {
  const name = count === undefined ? `${mode}${digits}` : `${mode}${digits}x${count}`
  const images = Array.from({ length: count ?? 0 }, (_, k) => k)
  return `
export function ${name}(out0: usize, out1: usize, keys: usize, digit0: usize, digit1: usize, digit2: usize, digit3: usize, c0: usize, c1: usize, ck: u32, maps: usize, count: i32, H: i32, p: u32, pInverse: u32): void {
  const P = splat(p), P2 = splat(2 * p), PI = splat(pInverse), CK = splat(ck), Z = i32x4.splat(0);
  const bytes = <usize>H << 2, stride = bytes + 64, mask = bytes - 1;
  ${images.map((k) => `const s${k} = <usize>load<u32>(maps, ${8 * k}), f${k} = <usize>load<u32>(maps, ${8 * k + 4});`).join('\n  ')}
  for (let half: usize = 0; half < 2; half++) {
    const base = half * stride;
    ${images.map((k) => `const h${k} = (half ^ f${k}) * stride;`).join(' ')}
    for (let j: usize = 0; j < bytes; j += 16) {
      const o = base + j; let x: v128, y: v128, r0 = Z, r1 = Z, a0l = Z, a0h = Z, a1l = Z, a1h = Z;
      ${start(mode)}
      ${count === undefined ? loopBody(mode, digits) : unrolledBody(mode, digits, count)}
      v128.store(out0 + o, reduce(r0, P)); v128.store(out1 + o, reduce(r1, P));
    }
  }
  pad(out0, H); pad(out1, H);
}`
}

/** Every mode for one to four digits and any number of automorphisms, and the unrolled cases. */
export function keySwitchSource(): string {
  const modes: readonly Mode[] = ['fold', 'dense', 'relinearize', 'bare']
  const general = modes.flatMap((mode) => Array.from({ length: maximumDigits }, (_, d) => keySwitch(mode, d + 1)))
  const special = unrolled.flatMap(([count, digits]) =>
    modes.filter((mode) => mode !== 'relinearize' || count === 1).map((mode) => keySwitch(mode, digits, count)),
  )
  return [...general, ...special].join('\n')
}
