import type { CkksParameters } from '../parameters.ts'
import { Arena } from './arena.ts'
import { at, range } from './at.ts'
import { instantiateKernels, type Kernels } from './kernels.ts'
import { type Factor, factor, inverse } from './modular.ts'
import { buildTransformTables } from './transform-tables.ts'

/** One prime with what the kernels need to know about it. */
export type Modulus = {
  readonly value: number
  readonly big: bigint
  /** p^-1 modulo 2^32 */
  readonly montgomeryInverse: number
  /** 2^32 and 2^64 modulo p */
  readonly montgomeryOne: number
  readonly montgomerySquare: number
  readonly forwardTables: number
  readonly inverseTables: number
}

/** Addresses, one per modulus: the residues of one polynomial. */
export type Limbs = readonly number[]

/** Runs the loops of one evaluation on several threads, which all go through the same steps. */
export type Crew = {
  readonly index: number
  readonly count: number
  /** A step: runs jobs 0 ... jobs - 1, each on whichever thread is free, and returns when all are done. */
  readonly run: (jobs: number, job: (index: number) => void) => void
  /** A step of the first thread alone; the others wait for it and get nothing. */
  readonly lead: <T>(job: () => T) => T | undefined
}

/** A crew of one. */
export const alone: Crew = {
  index: 0,
  count: 1,
  run: (jobs, job) => {
    for (let i = 0; i < jobs; i++) job(i)
  },
  lead: (job) => job(),
}

/** Plain data: everything in a {@link Ring} except the objects, so that a second thread can attach to the same memory. */
export type RingLayout = {
  readonly parameters: CkksParameters
  readonly moduli: readonly Modulus[]
  /** N, N/2 and the number of ciphertext primes. */
  readonly polyDegree: number
  readonly slots: number
  readonly levels: number
  /** Bytes of a limb in slot order (with its padding) and in coefficient order. */
  readonly limbBytes: number
  readonly coefficientBytes: number
  /** One coefficient buffer per crew member. */
  readonly scratch: readonly number[]
  readonly work: WorkBuffers
}

/** Buffers that the conversions share. */
export type WorkBuffers = {
  /** One coefficient buffer per modulus. */
  readonly coefficients: Limbs
  /** Second mixed-radix digits, one per key-switching digit. */
  readonly seconds: readonly number[]
  /** What one division needs, for two polynomials at a time: coefficients per modulus, second and third mixed-radix digit. */
  readonly divisions: readonly DivisionBuffers[]
  /** One limb per crew member. */
  readonly limbs: readonly number[]
  /** digits[d][t]: digit d modulo the t-th modulus. */
  readonly digits: readonly Limbs[]
  /** Random bytes per crew member: a key stream long enough for one limb or one error polynomial. */
  readonly streams: readonly number[]
  readonly streamBytes: number
}

export type DivisionBuffers = { readonly coefficients: Limbs; readonly second: number; readonly third: number }

/** A parameter set bound to a WebAssembly memory. */
export type Ring = RingLayout & {
  readonly arena: Arena
  readonly kernels: Kernels
  readonly crew: Crew
  /** Constants computed on first use, by kind and moduli. */
  readonly constants: Map<number, Factor>
}

const initialPages = 256
const maximumPages = 65536

/** Builds tables and buffers in fresh memory of its own. */
export function createRing(parameters: CkksParameters): Ring {
  return buildRing(parameters, new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages }), 1)
}

/** The same in shared memory, with buffers for a crew of several threads; this thread is member 0. */
export function createSharedRing(parameters: CkksParameters, threads: number, pages: number): Ring {
  return buildRing(parameters, new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }), threads)
}

/** The view of another thread on a ring built by {@link createSharedRing}. */
export function attachRing(layout: RingLayout, memory: WebAssembly.Memory, crew: Crew): Ring {
  return { ...layout, arena: new Arena(memory), kernels: instantiateKernels(memory), crew, constants: new Map() }
}

/** The plain data of a ring. */
export function ringLayout(ring: Ring): RingLayout {
  const { arena: _arena, kernels: _kernels, crew: _crew, constants: _constants, ...layout } = ring
  return layout
}

function buildRing(parameters: CkksParameters, memory: WebAssembly.Memory, threads: number): Ring {
  const arena = new Arena(memory)
  const { polyDegree, coefficientModuli, specialModuli } = parameters
  const moduli = [...coefficientModuli, ...specialModuli].map((value) => describeModulus(arena, polyDegree, value))
  const [limbBytes, coefficientBytes] = [4 * polyDegree + 128, 4 * polyDegree]
  const digitCount = Math.ceil(coefficientModuli.length / 2)
  const streamBytes = 8 * polyDegree + 4096
  const coefficients = (count: number): readonly number[] => range(count).map(() => arena.allocate(coefficientBytes))
  const limbs = (count: number): readonly number[] => range(count).map(() => arena.allocate(limbBytes))
  const work: WorkBuffers = {
    coefficients: coefficients(moduli.length),
    seconds: coefficients(digitCount),
    divisions: range(2).map(() => {
      const [second = 0, third = 0, ...rest] = coefficients(2 + moduli.length)
      return { coefficients: rest, second, third }
    }),
    limbs: limbs(threads),
    digits: range(digitCount).map(() => limbs(moduli.length)),
    streams: range(threads).map(() => arena.allocate(streamBytes)),
    streamBytes,
  }
  const layout: RingLayout = {
    parameters,
    moduli,
    polyDegree,
    slots: polyDegree / 2,
    levels: coefficientModuli.length,
    limbBytes,
    coefficientBytes,
    scratch: coefficients(threads),
    work,
  }
  return { ...layout, arena, kernels: instantiateKernels(memory), crew: alone, constants: new Map() }
}

function describeModulus(arena: Arena, polyDegree: number, value: number): Modulus {
  const big = BigInt(value)
  const tables = buildTransformTables(arena, polyDegree, value)
  let montgomeryInverse = 1n
  // Newton: each step doubles the number of correct low bits, from 1 to 32.
  for (let step = 0; step < 5; step++) montgomeryInverse = BigInt.asUintN(32, montgomeryInverse * (2n - big * montgomeryInverse))
  return {
    value,
    big,
    montgomeryInverse: Number(montgomeryInverse),
    montgomeryOne: Number((1n << 32n) % big),
    montgomerySquare: Number((1n << 64n) % big),
    forwardTables: tables.forward,
    inverseTables: tables.inverse,
  }
}

/** Indices of the special primes. */
export function specialLimbs(ring: RingLayout): readonly [number, number] {
  return [ring.levels, ring.levels + 1]
}

/** 0 ... level - 1: the limbs of a ciphertext. */
export function ciphertextLimbs(level: number): readonly number[] {
  return range(level)
}

/** The limbs of a ciphertext of that level in the extended basis of key switching. */
export function extendedLimbs(ring: RingLayout, level: number): readonly number[] {
  return [...range(level), ...specialLimbs(ring)]
}

/** Space for one polynomial modulo every prime, in slot order. */
export function allocateLimbs(ring: Ring): Limbs {
  return range(ring.moduli.length).map(() => ring.arena.allocate(ring.limbBytes))
}

/** Independent jobs, one step of the crew. */
export function shareOut<T>(ring: Ring, jobs: readonly T[], run: (job: T, index: number) => void): void {
  ring.crew.run(jobs.length, (i) => run(at(jobs, i), i))
}

/** Coefficients -> slots modulo the t-th prime. */
export function toSlots(ring: Ring, coefficients: number, limb: number, t: number): void {
  ring.kernels.forward(coefficients, scratchOf(ring), limb, ring.polyDegree, at(ring.moduli, t).forwardTables)
}

/** Slots -> coefficients modulo the t-th prime. */
export function toCoefficients(ring: Ring, limb: number, coefficients: number, t: number): void {
  ring.kernels.inverse(limb, coefficients, ring.polyDegree, at(ring.moduli, t).inverseTables)
}

/** This crew member's coefficient scratch. */
export function scratchOf(ring: Ring): number {
  return at(ring.scratch, ring.crew.index)
}

/** The product of the moduli with these indices. */
export function productOf(ring: RingLayout, indices: readonly number[]): bigint {
  return indices.reduce((product, t) => product * at(ring.moduli, t).big, 1n)
}

/**
 * A constant made of the product of some moduli, as a factor modulo the t-th prime; remembered. `half` is the product halved and
 * rounded down, `minusHalf` its negative.
 */
export function productFactor(ring: Ring, kind: ProductKind, indices: readonly number[], t: number): Factor {
  const key = (indices.reduce((mask, index) => mask | (1 << index), 0) * 16 + t) * 4 + productKinds.indexOf(kind)
  const known = ring.constants.get(key)
  if (known !== undefined) return known
  const prime = at(ring.moduli, t).big
  const product = productOf(ring, indices)
  const value = { product, inverse: kind === 'inverse' ? inverse(product, prime) : 0n, half: product >> 1n, minusHalf: -(product >> 1n) }
  const made = factor(value[kind], prime)
  ring.constants.set(key, made)
  return made
}

type ProductKind = 'product' | 'inverse' | 'half' | 'minusHalf'
const productKinds: readonly ProductKind[] = ['product', 'inverse', 'half', 'minusHalf']

/** P 2^32 modulo the t-th prime (0 for a special one): multiplies by P and cancels one Montgomery factor. */
export function specialFactor(ring: Ring, t: number): number {
  if (t >= ring.levels) return 0
  const { big, montgomeryOne } = at(ring.moduli, t)
  return Number((productOf(ring, specialLimbs(ring)) * BigInt(montgomeryOne)) % big)
}
