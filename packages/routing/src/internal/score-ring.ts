import { kernelModule } from '../generated/kernels.ts'
import { type RouteParameters, route1 } from '../parameters.ts'
import { at, range } from './at.ts'

type Kernel = (...values: readonly (number | bigint)[]) => number | bigint
type KernelName =
  | 'forward'
  | 'inverse'
  | 'projectQuery'
  | 'switchKeys'
  | 'traceComponent'
  | 'gather'
  | 'scatter'
  | 'add'
  | 'subtract'
  | 'multiply'
  | 'multiplyAdd'
  | 'scale'
  | 'liftSigned'
  | 'reduceSigned'
  | 'chinese'
  | 'roundTo'
  | 'decompose'
  | 'reduceWide'
  | 'packWords'
  | 'unpackWords'
  | 'packBits'
  | 'unpackBits'
  | 'decode'
  | 'plainScores'
  | 'weighRows'
  | 'weighScores'

/** One prime: value, powers of its root, and addresses of the transform tables. */
export type ScorePrime = {
  readonly value: number
  /** psi^e for e < 2n. */
  readonly powers: Uint32Array
  readonly forward: number
  readonly inverse: number
  readonly scale: readonly [number, number]
}

/** Memory, kernels and tables of the scoring ring. */
export type ScoreRing = {
  readonly parameters: RouteParameters
  readonly kernels: { readonly [name in KernelName]: Kernel }
  readonly primes: readonly ScorePrime[]
  /** q, and what the kernels need to join residues. */
  readonly modulus: bigint
  readonly joining: readonly [number, number, number, number, number, number]
  /** Evaluation order: position (t, c) <-> output of the transform. */
  readonly order: number
  readonly scratch: number
  /** n 64-bit values. */
  readonly wide: number
  readonly allocate: (sizeBytes: number) => number
  readonly words: (address: number, count: number) => Uint32Array<ArrayBuffer>
  readonly bytes: (address: number, count: number) => Uint8Array<ArrayBuffer>
}

let compiled: WebAssembly.Module | undefined
const pageBytes = 65536

/** A ring in fresh memory. */
export function createScoreRing(): ScoreRing {
  const parameters = route1
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 })
  compiled ??= new WebAssembly.Module(Uint8Array.from(atob(kernelModule), (character) => character.charCodeAt(0)))
  const abort = (): never => {
    throw new WebAssembly.RuntimeError('kernel aborted')
  }
  // The kernel names are those of tools/kernels/routing/routing.as.ts.
  const kernels = new WebAssembly.Instance(compiled, { env: { memory, abort } }).exports as unknown as ScoreRing['kernels']
  let top = pageBytes
  const allocate = (sizeBytes: number): number => {
    const start = top
    top += (sizeBytes + 63) & ~63
    const missing = top - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes) + 64)
    return start
  }
  const words = (address: number, count: number): Uint32Array<ArrayBuffer> => new Uint32Array(memory.buffer, address, count)
  const bytes = (address: number, count: number): Uint8Array<ArrayBuffer> => new Uint8Array(memory.buffer, address, count)
  const { degree, primes: values } = parameters
  const primes = values.map((value) => describePrime(allocate, words, degree, value))
  const [p1, p2] = values
  const [i1, i2] = [power(p2 % p1, p1 - 2, p1), power(p1 % p2, p2 - 2, p2)]
  const joining = [p1, p2, i1, quotient(i1, p1), i2, quotient(i2, p2)] as const
  const order = allocate(4 * degree)
  writeOrder(words(order, degree), parameters)
  return {
    ...{ parameters, kernels, primes, modulus: BigInt(p1) * BigInt(p2), joining, order },
    ...{ scratch: allocate(4 * degree), wide: allocate(8 * degree), allocate, words, bytes },
  }
}

function describePrime(allocate: ScoreRing['allocate'], words: ScoreRing['words'], n: number, value: number): ScorePrime {
  let generator = 2
  while (power(generator, (value - 1) / 2, value) === 1) generator++
  const psi = power(generator, (value - 1) / (2 * n), value)
  const powers = new Uint32Array(2 * n)
  for (let e = 0, x = 1; e < 2 * n; e++, x = product(x, psi, value)) powers[e] = x
  const [forward, inverse] = [allocate(8 * n), allocate(8 * n)]
  const [down, up] = [words(forward, 2 * n), words(inverse, 2 * n)]
  for (let i = 0; i < n; i++) {
    const e = reverseBits(i, Math.log2(n))
    const [root, back] = [at(powers, e), at(powers, (2 * n - e) % (2 * n))]
    down.set([root, quotient(root, value)], 2 * i)
    up.set([back, quotient(back, value)], 2 * i)
  }
  const scale = power(n, value - 2, value)
  return { value, powers, forward, inverse, scale: [scale, quotient(scale, value)] }
}

// Position (t, c) holds the value at psi^((2c + 1) 33^t): the generator of the group then shifts rows, no permutation needed.
function writeOrder(order: Uint32Array, { degree, fold, cosets, generator }: RouteParameters): void {
  const bits = Math.log2(degree)
  for (let t = 0, turned = 1; t < fold; t++, turned = (turned * generator) % (2 * degree))
    for (const c of range(cosets)) order[t * cosets + c] = reverseBits((((2 * c + 1) * turned) % (2 * degree)) >> 1, bits)
}

/** Coefficients -> evaluations, in place. */
export function toEvaluations(ring: ScoreRing, vector: number, k: number): void {
  const { kernels, parameters, order, scratch } = ring
  const prime = at(ring.primes, k)
  kernels.forward(vector, parameters.degree, prime.forward, prime.value)
  ring.words(scratch, parameters.degree).set(ring.words(vector, parameters.degree))
  kernels.gather(scratch, vector, order, parameters.degree)
}

/** Evaluations -> coefficients, in place. */
export function toCoefficients(ring: ScoreRing, vector: number, k: number): void {
  const { kernels, parameters, order, scratch } = ring
  const prime = at(ring.primes, k)
  kernels.scatter(vector, scratch, order, parameters.degree)
  kernels.inverse(scratch, parameters.degree, prime.inverse, prime.value, ...prime.scale)
  ring.words(vector, parameters.degree).set(ring.words(scratch, parameters.degree))
}

/** base^exponent modulo a prime below 2^26: products are exact in two halves. */
export function power(base: number, exponent: number, prime: number): number {
  let [result, square] = [1, base % prime]
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2), square = product(square, square, prime))
    if (rest % 2 === 1) result = product(result, square, prime)
  return result
}

/** a b modulo a prime below 2^26. */
export function product(a: number, b: number, prime: number): number {
  const high = Math.floor(b / 8192)
  return (((a * high) % prime) * 8192 + a * (b % 8192)) % prime
}

/** floor(w 2^32 / p) */
export function quotient(w: number, prime: number): number {
  return Number((BigInt(w) << 32n) / BigInt(prime))
}

function reverseBits(x: number, bits: number): number {
  let reversed = 0
  for (let i = 0; i < bits; i++) reversed = (reversed << 1) | ((x >> i) & 1)
  return reversed
}
