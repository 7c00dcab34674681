// Emits the AssemblyScript of a prime field with 9 limbs of 29 bits (u32 in memory, u64 in registers).
//
// A value below 32 p has limbs below 2^29 ("magnitude" k means: below k p plus a little). Bounds that every function keeps:
//   mul, sqr   inputs of magnitude at most 31 with carried limbs; output magnitude 1 (below 2^256 + 2^140)
//   add        magnitudes add up; sub4 and sub8 add 4 p (8 p) and need a subtrahend of magnitude at most 4 (8)
//   norm       any magnitude up to 31 -> 1;   red   any -> the canonical residue
// A column sum is at most 18 products of two 29-bit limbs plus a carry, below 2^63.
export const limbCount = 9
export const limbBits = 29n
export const limbMask = (1n << limbBits) - 1n

export type FieldSource = { readonly name: string; readonly modulus: bigint; readonly montgomery: boolean }

const indices = Array.from({ length: limbCount }, (_, i) => i)

/** The limbs of a value; the last one takes whatever is left. */
export function limbsOf(value: bigint): readonly bigint[] {
  return indices.map((i) => (i < limbCount - 1 ? (value >> (limbBits * BigInt(i))) & limbMask : value >> (limbBits * BigInt(i))))
}

/** Source of one field: scalar functions, and functions on pairs (two values side by side in SIMD lanes). */
export function fieldSource(field: FieldSource, simd: boolean): string {
  const { name, modulus, montgomery } = field
  const lines = [
    constant(`${name}ONE`, montgomery ? (1n << 261n) % modulus : 1n),
    constant(`${name}RSQUARED`, montgomery ? (1n << 522n) % modulus : 1n),
    constant(`${name}RAWONE`, 1n),
    montgomery ? montgomeryMultiply(field) : foldedMultiply(field),
    montgomery ? montgomerySquare(field) : foldedSquare(field),
    addition(name),
    subtraction(field, 4n),
    subtraction(field, 8n),
    normalise(field),
    reduce(field),
    copies(name),
    bytes(name, modulus),
    power(`${name}inv`, name, modulus - 2n),
    simd ? pairSimd(field) : pairScalar(name),
  ]
  if (!montgomery) lines.push(power(`${name}sqrt`, name, (modulus + 1n) / 4n))
  return lines.join('\n')
}

function constant(name: string, value: bigint): string {
  return `const ${name}:usize=memory.data<u32>([${limbsOf(value).join(',')}]);`
}

function carryOut(columns: readonly string[]): string {
  return columns
    .map((t, i) =>
      i < limbCount - 1
        ? `store<u32>(o,<u32>(${t}&${limbMask}),${4 * i});${columns[i + 1]}+=${t}>>29;`
        : `store<u32>(o,<u32>${t},${4 * i});`,
    )
    .join('')
}

// ---- plain residues modulo p = 2^256 - c with c = 2^32 + 977 (secp256k1): fold the high half twice ----
// 2^261 = 2^5 c = 2^37 + 31264: a high limb h adds 31264 h one field below and 2^8 h one limb above that.
function foldTail(): string {
  const out: string[] = []
  for (let k = 9; k < 16; k++) out.push(`t${k + 1}+=t${k}>>29;t${k}&=${limbMask};`)
  out.push(`let t17:u64=t16>>29;t16&=${limbMask};`)
  for (let k = 9; k < 18; k++) {
    out.push(`t${k - 9}+=t${k}*31264;`)
    if (k - 8 < 9) out.push(`t${k - 8}+=t${k}<<8;`)
  }
  for (let i = 0; i < 8; i++) out.push(`t${i + 1}+=t${i}>>29;t${i}&=${limbMask};`)
  // What lies above 2^256 is below 2^43; fold it with c itself.
  out.push('const c:u64=(t8>>24)+(t17<<13);t8&=0xffffff;t0+=c*977;t1+=c<<3;')
  out.push(carryOut(indices.map((i) => `t${i}`)))
  return out.join('')
}

function foldedMultiply({ name }: FieldSource): string {
  const loads = indices.map((j) => `const a${j}:u64=load<u32>(a,${4 * j}),b${j}:u64=load<u32>(b,${4 * j});`).join('')
  const columns = columnSums((i, j) => `a${i}*b${j}`)
  return `export function ${name}mul(o:usize,a:usize,b:usize):void{${loads}${columns.map((e, k) => `let t${k}:u64=${e};`).join('')}${foldTail()}}`
}

function foldedSquare({ name }: FieldSource): string {
  return `export function ${name}sqr(o:usize,a:usize):void{${squareColumns()}${foldTail()}}`
}

function columnSums(term: (i: number, j: number) => string): readonly string[] {
  return Array.from({ length: 2 * limbCount - 1 }, (_, k) =>
    indices
      .filter((i) => k - i >= 0 && k - i < limbCount)
      .map((i) => term(i, k - i))
      .join('+'),
  )
}

function squareColumns(): string {
  const out = indices.map((j) => `const a${j}:u64=load<u32>(a,${4 * j});`)
  for (let k = 0; k < 2 * limbCount - 1; k++) {
    const mixed = indices.filter((i) => k - i > i && k - i < limbCount).map((i) => `a${i}*a${k - i}`)
    const parts = mixed.length > 0 ? [`((${mixed.join('+')})<<1)`] : []
    if (k % 2 === 0) parts.push(`a${k / 2}*a${k / 2}`)
    out.push(`let t${k}:u64=${parts.join('+')};`)
  }
  return out.join('')
}

// ---- Montgomery form with R = 2^261, one limb at a time ----
function montgomeryFactor(modulus: bigint): bigint {
  const base = 1n << limbBits
  let inverse = 1n
  for (let i = 0; i < 6; i++) inverse = (inverse * (2n - modulus * inverse)) & (base - 1n)
  return (base - (inverse & (base - 1n))) & (base - 1n)
}

function montgomeryMultiply({ name, modulus }: FieldSource): string {
  const p = limbsOf(modulus)
  const factor = montgomeryFactor(modulus)
  const out = [`export function ${name}mul(o:usize,a:usize,b:usize):void{`]
  for (const j of indices) out.push(`const b${j}:u64=load<u32>(b,${4 * j});let t${j}:u64=0;`)
  out.push('let x:u64,q:u64;')
  let t = indices.map((j) => `t${j}`)
  for (const i of indices) {
    out.push(`x=load<u32>(a,${4 * i});${t[0]}+=x*b0;q=(${t[0]}*${factor})&${limbMask};${t[0]}+=q*${p[0]};`)
    out.push(`${t[1]}+=x*b1+q*${p[1]}+(${t[0]}>>29);`)
    for (let j = 2; j < limbCount; j++) out.push(`${t[j]}+=x*b${j}+q*${p[j]};`)
    out.push(`${t[0]}=0;`)
    t = [...t.slice(1), t[0] ?? '']
  }
  return `${out.join('')}${carryOut(t)}}`
}

function montgomerySquare({ name, modulus }: FieldSource): string {
  const p = limbsOf(modulus)
  const factor = montgomeryFactor(modulus)
  const out = [`export function ${name}sqr(o:usize,a:usize):void{`, squareColumns(), 'let q:u64;let t17:u64=0;']
  for (const i of indices) {
    out.push(`q=(t${i}*${factor})&${limbMask};t${i}+=q*${p[0]};t${i + 1}+=q*${p[1]}+(t${i}>>29);`)
    for (let j = 2; j < limbCount; j++) out.push(`t${i + j}+=q*${p[j]};`)
  }
  return `${out.join('')}${carryOut(indices.map((i) => `t${9 + i}`))}}`
}

// ---- linear operations ----
function addition(name: string): string {
  const body = indices
    .map(
      (i) =>
        `c+=<u64>load<u32>(a,${4 * i})+<u64>load<u32>(b,${4 * i});` +
        (i < 8 ? `store<u32>(o,<u32>(c&${limbMask}),${4 * i});c>>=29;` : `store<u32>(o,<u32>c,${4 * i});`),
    )
    .join('')
  return `// @ts-ignore\n@inline export function ${name}add(o:usize,a:usize,b:usize):void{let c:u64=0;${body}}`
}

function subtraction({ name, modulus }: FieldSource, multiple: bigint): string {
  const m = limbsOf(modulus * multiple)
  const body = indices
    .map(
      (i) =>
        `c+=${m[i]}+<i64>load<u32>(a,${4 * i})-<i64>load<u32>(b,${4 * i});` +
        (i < 8 ? `store<u32>(o,<u32>(c&${limbMask}),${4 * i});c>>=29;` : `store<u32>(o,<u32>c,${4 * i});`),
    )
    .join('')
  return `// @ts-ignore\n@inline export function ${name}sub${multiple}(o:usize,a:usize,b:usize):void{let c:i64=0;${body}}`
}

// Replaces the bits above 2^256, q of them, by q (2^256 - p).
function normalise({ name, modulus }: FieldSource): string {
  const complement = limbsOf((1n << 256n) - modulus)
  const body = indices
    .map((i) =>
      i < 8
        ? `c+=<u64>load<u32>(a,${4 * i})+q*${complement[i]};store<u32>(o,<u32>(c&${limbMask}),${4 * i});c>>=29;`
        : `c+=<u64>(top&0xffffff);store<u32>(o,<u32>c,32);`,
    )
    .join('')
  return `export function ${name}norm(o:usize,a:usize):void{const top=load<u32>(a,32);const q:u64=top>>24;let c:u64=0;${body}}`
}

// After norm the value is below 2^256 + 2^140 < 2 p: subtract p once if it fits.
function reduce({ name, modulus }: FieldSource): string {
  const p = limbsOf(modulus)
  const out = [`export function ${name}red(o:usize,a:usize):void{${name}norm(o,a);let c:i64=0;`]
  for (const i of indices) {
    out.push(`c+=<i64>load<u32>(o,${4 * i})-${p[i]};`)
    out.push(i < 8 ? `const d${i}=<u32>(c&${limbMask});c>>=29;` : `const d${i}=<u32>c;`)
  }
  return `${out.join('')}if(c>=0){${indices.map((i) => `store<u32>(o,d${i},${4 * i});`).join('')}}}`
}

function copies(name: string): string {
  return [
    `// @ts-ignore\n@inline export function ${name}cp(o:usize,a:usize):void{store<u64>(o,load<u64>(a));store<u64>(o,load<u64>(a,8),8);store<u64>(o,load<u64>(a,16),16);store<u64>(o,load<u64>(a,24),24);store<u32>(o,load<u32>(a,32),32);}`,
    `// @ts-ignore\n@inline export function ${name}zero(o:usize):void{store<u64>(o,0);store<u64>(o,0,8);store<u64>(o,0,16);store<u64>(o,0,24);store<u32>(o,0,32);}`,
    `export function ${name}isZero(a:usize):bool{${name}red(SCRATCH_ZERO,a);return isRawZero(SCRATCH_ZERO);}`,
  ].join('\n')
}

// Canonical 32-byte big-endian encodings. fromBE returns false, and writes nothing, for a value at or above the modulus.
function bytes(name: string, modulus: bigint): string {
  const p = limbsOf(modulus)
  const below = indices.map((i) => `c+=<i64>load<u32>(SCRATCH_BYTES,${4 * i})-${p[i]};c>>=29;`).join('')
  return [
    `export function ${name}fromBE(o:usize,b:usize):bool{unpackBE(SCRATCH_BYTES,b);let c:i64=0;${below}if(c>=0)return false;${name}mul(o,SCRATCH_BYTES,${name}RSQUARED);return true;}`,
    `export function ${name}raw(o:usize,a:usize):void{${name}mul(o,a,${name}RAWONE);${name}red(o,o);}`,
    `export function ${name}toBE(b:usize,a:usize):void{${name}raw(SCRATCH_BYTES,a);packBE(b,SCRATCH_BYTES);}`,
  ].join('\n')
}

// Fixed exponent, windows of four bits. The exponent is public, so the schedule may depend on it.
function power(functionName: string, name: string, exponent: bigint): string {
  const digits = Array.from({ length: 64 }, (_, i) => (exponent >> BigInt(4 * (63 - i))) & 15n)
  return (
    `const ${functionName}E:usize=memory.data<u8>([${digits.join(',')}]);const ${functionName}T:usize=memory.data(36*16,16);` +
    `export function ${functionName}(o:usize,a:usize):void{const T=${functionName}T;${name}cp(T,${name}ONE);${name}cp(T+36,a);` +
    `for(let i:usize=2;i<16;i++)${name}mul(T+36*i,T+36*(i-1),T+36);${name}cp(SCRATCH_POWER,T+36*<usize>load<u8>(${functionName}E));` +
    `for(let i:usize=1;i<64;i++){for(let k=0;k<4;k++)${name}sqr(SCRATCH_POWER,SCRATCH_POWER);` +
    `const d=<usize>load<u8>(${functionName}E+i);if(d)${name}mul(SCRATCH_POWER,SCRATCH_POWER,T+36*d);}${name}cp(o,SCRATCH_POWER);}`
  )
}

// ---- pairs: limb j of two values in lanes 0 and 1 of the vector at 16 j (144 bytes) ----
const low = (u: string, v: string): string => `i64x2.extmul_low_i32x4_u(${u},${v})`
const narrow = (t: string): string => `i32x4.shuffle(${t},${t},0,2,0,2)`
const sum = (terms: readonly string[]): string => terms.reduce((left, right) => `i64x2.add(${left},${right})`)

function pairSimd(field: FieldSource): string {
  const multiply = field.montgomery ? pairMontgomery(field) : pairFolded(field)
  return [multiply, pairLinear(field), pairMoves(field.name)].join('\n')
}

function pairStore(columns: readonly string[]): string {
  const out = [`const mk=i64x2.splat(${limbMask});`]
  for (let i = 0; i < 8; i++) {
    out.push(`${columns[i + 1]}=i64x2.add(${columns[i + 1]},i64x2.shr_u(${columns[i]},29));`)
    out.push(`${columns[i]}=v128.and(${columns[i]},mk);v128.store(o,${narrow(columns[i] ?? '')},${16 * i});`)
  }
  return `${out.join('')}v128.store(o,${narrow(columns[8] ?? '')},128);`
}

function pairSquareColumns(): string {
  const out = indices.map((j) => `const a${j}=v128.load(a,${16 * j});`)
  for (let j = 1; j < limbCount; j++) out.push(`const e${j}=i32x4.shl(a${j},1);`)
  for (let k = 0; k < 17; k++) {
    const terms = indices.filter((i) => k - i > i && k - i < limbCount).map((i) => low(`a${i}`, `e${k - i}`))
    if (k % 2 === 0) terms.push(low(`a${k / 2}`, `a${k / 2}`))
    out.push(`let t${k}=${sum(terms)};`)
  }
  return out.join('')
}

function pairFolded({ name }: FieldSource): string {
  const tail: string[] = [`const m0=i64x2.splat(${limbMask});const k1=i32x4.splat(31264);let s:v128;`]
  for (let k = 9; k < 16; k++) tail.push(`t${k + 1}=i64x2.add(t${k + 1},i64x2.shr_u(t${k},29));t${k}=v128.and(t${k},m0);`)
  tail.push('const t17=i64x2.shr_u(t16,29);t16=v128.and(t16,m0);')
  for (let k = 9; k < 18; k++) {
    tail.push(`s=${narrow(`t${k}`)};t${k - 9}=i64x2.add(t${k - 9},${low('s', 'k1')});`)
    if (k - 8 < 9) tail.push(`t${k - 8}=i64x2.add(t${k - 8},i64x2.shl(t${k},8));`)
  }
  for (let i = 0; i < 8; i++) tail.push(`t${i + 1}=i64x2.add(t${i + 1},i64x2.shr_u(t${i},29));t${i}=v128.and(t${i},m0);`)
  // 977 c = 1024 c + c - 32 c - 16 c
  tail.push('const c=i64x2.add(i64x2.shr_u(t8,24),i64x2.shl(t17,13));t8=v128.and(t8,i64x2.splat(0xffffff));')
  tail.push(
    't0=i64x2.add(t0,i64x2.sub(i64x2.add(i64x2.shl(c,10),c),i64x2.add(i64x2.shl(c,5),i64x2.shl(c,4))));t1=i64x2.add(t1,i64x2.shl(c,3));',
  )
  tail.push(pairStore(indices.map((i) => `t${i}`)))
  const loads = indices.map((j) => `const a${j}=v128.load(a,${16 * j}),b${j}=v128.load(b,${16 * j});`).join('')
  const columns = Array.from({ length: 17 }, (_, k) =>
    sum(indices.filter((i) => k - i >= 0 && k - i < limbCount).map((i) => low(`a${i}`, `b${k - i}`))),
  )
  return [
    `export function ${name}2mul(o:usize,a:usize,b:usize):void{${loads}${columns.map((e, k) => `let t${k}=${e};`).join('')}${tail.join('')}}`,
    `export function ${name}2sqr(o:usize,a:usize):void{${pairSquareColumns()}${tail.join('')}}`,
  ].join('\n')
}

function pairMontgomery({ name, modulus }: FieldSource): string {
  const p = limbsOf(modulus)
  const factor = montgomeryFactor(modulus)
  const quotient = (t: string): string => `q=v128.and(i32x4.mul(${narrow(t)},ni),i32x4.splat(${limbMask}));`
  const out = [`export function ${name}2mul(o:usize,a:usize,b:usize):void{const ni=i32x4.splat(${factor});let x:v128,q:v128;`]
  for (const j of indices) out.push(`const b${j}=v128.load(b,${16 * j});const p${j}=i32x4.splat(${p[j]});let t${j}=i64x2.splat(0);`)
  let t = indices.map((j) => `t${j}`)
  for (const i of indices) {
    const t0 = t[0] ?? ''
    out.push(`x=v128.load(a,${16 * i});${t0}=i64x2.add(${t0},${low('x', 'b0')});${quotient(t0)}${t0}=i64x2.add(${t0},${low('q', 'p0')});`)
    out.push(`${t[1]}=${sum([t[1] ?? '', low('x', 'b1'), low('q', 'p1'), `i64x2.shr_u(${t0},29)`])};`)
    for (let j = 2; j < limbCount; j++) out.push(`${t[j]}=${sum([t[j] ?? '', low('x', `b${j}`), low('q', `p${j}`)])};`)
    out.push(`${t0}=i64x2.splat(0);`)
    t = [...t.slice(1), t0]
  }
  out.push(`${pairStore(t)}}`)
  const square = [`export function ${name}2sqr(o:usize,a:usize):void{const ni=i32x4.splat(${factor});let q:v128;`]
  for (const j of indices) square.push(`const p${j}=i32x4.splat(${p[j]});`)
  square.push(pairSquareColumns(), 'let t17=i64x2.splat(0);')
  for (const i of indices) {
    square.push(`${quotient(`t${i}`)}t${i}=i64x2.add(t${i},${low('q', 'p0')});`)
    square.push(`t${i + 1}=${sum([`t${i + 1}`, low('q', 'p1'), `i64x2.shr_u(t${i},29)`])};`)
    for (let j = 2; j < limbCount; j++) square.push(`t${i + j}=i64x2.add(t${i + j},${low('q', `p${j}`)});`)
  }
  square.push(`${pairStore(indices.map((i) => `t${9 + i}`))}}`)
  return `${out.join('')}\n${square.join('')}`
}

// Signed 32-bit lanes: limbs are below 2^30 here, so limb + multiple - limb + carry fits.
function pairLinear({ name, modulus }: FieldSource): string {
  const chain = (combine: (i: number) => string): string =>
    `let c=i32x4.splat(0);const mk=i32x4.splat(${limbMask});${indices
      .map(
        (i) =>
          `c=i32x4.add(c,${combine(i)});${i < 8 ? `v128.store(o,v128.and(c,mk),${16 * i});c=i32x4.shr_s(c,29);` : 'v128.store(o,c,128);'}`,
      )
      .join('')}`
  const subtract = (multiple: bigint): string => {
    const m = limbsOf(modulus * multiple)
    const body = chain((i) => `i32x4.add(i32x4.splat(${m[i]}),i32x4.sub(v128.load(a,${16 * i}),v128.load(b,${16 * i})))`)
    return `// @ts-ignore\n@inline export function ${name}2sub${multiple}(o:usize,a:usize,b:usize):void{${body}}`
  }
  const add = chain((i) => `i32x4.add(v128.load(a,${16 * i}),v128.load(b,${16 * i}))`)
  return [subtract(4n), subtract(8n), `// @ts-ignore\n@inline export function ${name}2add(o:usize,a:usize,b:usize):void{${add}}`].join('\n')
}

function pairMoves(name: string): string {
  const load = indices.map((i) => `v128.store(o,v128.load_lane<u32>(b,v128.load_zero<u32>(a,${4 * i}),1,${4 * i}),${16 * i});`).join('')
  return [`// @ts-ignore\n@inline export function ${name}2load(o:usize,a:usize,b:usize):void{${load}}`, pairUnload(name)].join('\n')
}

function pairUnload(name: string): string {
  return `// @ts-ignore\n@inline export function ${name}2store(a:usize,b:usize,o:usize):void{for(let i:usize=0;i<9;i++){store<u32>(a+4*i,load<u32>(o+16*i));store<u32>(b+4*i,load<u32>(o+16*i,4));}}`
}

// Without SIMD: the same functions on the same layout, one value after the other.
function pairScalar(name: string): string {
  const binary = (operation: string): string =>
    `export function ${name}2${operation}(o:usize,a:usize,b:usize):void{${name}2store(PAIR_A,PAIR_B,a);${name}2store(PAIR_C,PAIR_D,b);` +
    `${name}${operation}(PAIR_A,PAIR_A,PAIR_C);${name}${operation}(PAIR_B,PAIR_B,PAIR_D);${name}2load(o,PAIR_A,PAIR_B);}`
  return [
    `export function ${name}2load(o:usize,a:usize,b:usize):void{for(let i:usize=0;i<9;i++){store<u32>(o+16*i,load<u32>(a+4*i));store<u32>(o+16*i,load<u32>(b+4*i),4);}}`,
    pairUnload(name),
    binary('mul'),
    binary('add'),
    binary('sub4'),
    binary('sub8'),
    `export function ${name}2sqr(o:usize,a:usize):void{${name}2mul(o,a,a);}`,
  ].join('\n')
}
