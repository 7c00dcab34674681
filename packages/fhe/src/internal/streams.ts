import { equalBytes } from '@tacit/protocol'
import { at } from './at.ts'
import { WeakRandomnessError } from '../errors.ts'
import { type Ring, toSlots } from './ring.ts'

/** Source of randomness, handed in by the caller: that many unpredictable bytes. */
export type RandomSource = (sizeBytes: number) => Uint8Array

/**
 * Seeds of 32 bytes each. Some of them are published and others make secrets, so a source that repeats itself would publish a secret:
 * repeated, constant and short draws are refused. That finds a source that is broken, not one that is merely weak.
 * @throws WeakRandomnessError
 */
export function drawSeeds(random: RandomSource, count: number): readonly Uint8Array[] {
  const seeds = Array.from({ length: count }, () => Uint8Array.from(random(32)))
  seeds.forEach((seed, i) => {
    if (seed.length !== 32) throw new WeakRandomnessError('it gave another number of bytes than it was asked for')
    if (seed.every((byte) => byte === seed[0])) throw new WeakRandomnessError('it gave one byte over and over')
    if (seeds.slice(0, i).some((other) => equalBytes(other, seed))) throw new WeakRandomnessError('it gave the same bytes twice')
  })
  return seeds
}

/** What a key stream is for: the first word of its nonce. No two streams of one seed are ever the same. */
export const purposes = {
  ciphertext: 1,
  publicKey: 2,
  relinearizationKey: 3,
  galoisKey: 4,
  secret: 5,
  error: 6,
  mask: 7,
  flooding: 8,
} as const

/** Which key stream: purpose, index within it, limb or sub-stream. */
export type StreamId = readonly [purpose: number, index: number, limb: number]

// ChaCha20 as in RFC 8439 with a 96-bit nonce and the counter from 0. The kernel equals @noble/ciphers in the tests.
const stateAddress = 1024
const groupBytes = 256

function fillStream(ring: Ring, seed: Uint8Array, [purpose, index, limb]: StreamId, sizeBytes: number): number {
  const state = stateAddress + 64 * ring.crew.index
  const stream = at(ring.work.streams, ring.crew.index)
  ring.arena.bytes.set(seed, state)
  ring.arena.words.set([purpose, index, limb], state / 4 + 8)
  ring.kernels.chacha20(state, 0, stream, Math.ceil(sizeBytes / groupBytes))
  return stream
}

/** Uniform residues modulo the t-th prime, in slot order; the limb number is part of the stream's name. */
export function expandUniform(ring: Ring, seed: Uint8Array, purpose: number, index: number, t: number, limb: number): void {
  const { kernels, polyDegree, slots, work } = ring
  const prime = at(ring.moduli, t).value
  for (const sizeBytes of [4 * polyDegree + 2048, work.streamBytes - groupBytes]) {
    const stream = fillStream(ring, seed, [purpose, index, t], sizeBytes)
    if (kernels.uniform(stream, sizeBytes, limb, slots, prime) === 1) return
  }
  // A word is rejected with probability below 2^-8, so 8 N bytes run dry for N words with probability far below 2^-1000.
  throw new RangeError('the key stream ran dry')
}

/** Centred binomial errors as signed 32-bit coefficients, all or the first `count`; the stream is cleared. */
export function sampleError(ring: Ring, seed: Uint8Array, index: number, coefficients: number, count: number = ring.polyDegree): void {
  const stream = fillStream(ring, seed, [purposes.error, index, 0], 8 * count)
  ring.kernels.centredBinomial(stream, coefficients, count)
  clearStream(ring)
}

/** Ternary values as signed 32-bit coefficients; the stream is cleared. */
export function sampleTernary(ring: Ring, seed: Uint8Array, purpose: number, coefficients: number): void {
  const stream = fillStream(ring, seed, [purpose, 0, 0], 4 * ring.polyDegree)
  ring.kernels.ternary(stream, coefficients, ring.polyDegree)
  clearStream(ring)
}

/** The first bytes of a key stream, copied out; the stream is cleared. */
export function readStream(ring: Ring, seed: Uint8Array, id: StreamId, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const stream = fillStream(ring, seed, id, sizeBytes)
  // A copy: working memory may be shared between threads.
  const bytes = Uint8Array.from(ring.arena.bytes.subarray(stream, stream + sizeBytes))
  clearStream(ring)
  return bytes
}

/** Small signed coefficients -> slots modulo the t-th prime. */
export function smallToSlots(ring: Ring, coefficients: number, buffer: number, limb: number, t: number): void {
  ring.kernels.liftSigned(coefficients, buffer, at(ring.moduli, t).value, ring.coefficientBytes)
  toSlots(ring, buffer, limb, t)
}

function clearStream(ring: Ring): void {
  const { bytes } = ring.arena
  const stream = at(ring.work.streams, ring.crew.index)
  const state = stateAddress + 64 * ring.crew.index
  bytes.fill(0, stream, stream + ring.work.streamBytes)
  bytes.fill(0, state, state + 64)
}
