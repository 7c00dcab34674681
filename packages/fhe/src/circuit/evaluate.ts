import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@tacit/protocol'
import { expandSecondLimb, unpackFirstPart } from '../ckks/seeded-ciphertext.ts'
import { encodeHeader } from '../ckks/wire.ts'
import { at, range } from '../internal/at.ts'
import { divideBoth, divideBySpecial, divideRounded } from '../internal/base-conversion.ts'
import {
  ciphertextLimbs,
  extendedLimbs,
  type Limbs,
  productFactor,
  type Ring,
  shareOut,
  specialLimbs,
  toCoefficients,
} from '../internal/ring.ts'
import { purposes, sampleError, sampleTernary, smallToSlots } from '../internal/streams.ts'
import { outputPositions } from './encoded-network.ts'
import { drawFlooding } from './flooding.ts'
import type { HiddenLayout, SessionLayout } from './session-layout.ts'
import { runStage } from './stage.ts'

/** What the part of a request that depends on neither message nor reply leaves behind. */
export type PreparedRequest = {
  /** Key-switched part of c0 after the folds of the first layer, extended basis. */
  readonly carried: Limbs
  /** c1 after the first layer. */
  readonly second: Limbs
  /** (b u, a u) for the client's public key (b, a), level 2; with errors added it is an encryption of zero. */
  readonly mask: readonly [Limbs, Limbs]
  /** Signed coefficients: the error of each output's coefficient of c0, in order of the outputs, and that of c1. */
  readonly errors: readonly [number, number]
}

/** Hash of the ciphertext at a layer boundary: called with a name and the residues in slot order. */
export type TraceObserver = (name: string, parts: readonly (readonly Uint8Array[])[]) => void

/**
 * The half of an evaluation that only needs the request's seed: for symmetric encryption c1 is public and independent of the message, and
 * every key-switched term of the first layer comes from c1 alone.
 */
export function prepareRequest(ring: Ring, session: SessionLayout, seed: Uint8Array, maskSeed: Uint8Array, out: PreparedRequest): void {
  const first = session.hidden[0]
  expandRequest(ring, session, seed, maskSeed, out)
  if (first !== undefined) prepareFirstLayer(ring, session, first, out)
}

// Everything that is drawn from the two seeds: c1 of the request, and (b u + e0, a u + e1), a public-key encryption of zero. The errors wait in
// coefficient order, where the answer is packed; of e0 only the coefficients that leave the worker exist.
function expandRequest(ring: Ring, session: SessionLayout, seed: Uint8Array, maskSeed: Uint8Array, out: PreparedRequest): void {
  const { kernels, limbBytes, moduli } = ring
  const second = session.hidden.length === 0 ? out.second : at(session.buffers, rawBuffer)
  const [[u = 0], lifted, slots] = session.buffers.slice(-3) as [Limbs, Limbs, Limbs]
  const draws = [
    () => sampleTernary(ring, maskSeed, purposes.mask, u),
    () => sampleError(ring, maskSeed, 0, out.errors[0], session.plan.output.outputs),
    () => sampleError(ring, maskSeed, 1, out.errors[1]),
    ...ciphertextLimbs(session.plan.level).map((t) => () => expandSecondLimb(ring, seed, t, at(second, t))),
  ]
  shareOut(ring, draws, (draw) => draw())
  shareOut(ring, ciphertextLimbs(2), (t) => {
    const { value, montgomeryInverse } = at(moduli, t)
    smallToSlots(ring, u, at(lifted, t), at(slots, t), t)
    out.mask.forEach((part, i) => {
      kernels.multiply(at(slots, t), at(at(session.publicKey, i), t), at(part, t), value, montgomeryInverse, limbBytes)
    })
  })
}

/** Which of the session's buffers holds c1 of a request while its first layer is prepared. */
const rawBuffer = 4

function prepareFirstLayer(ring: Ring, session: SessionLayout, layer: HiddenLayout, out: PreparedRequest): void {
  const { level } = layer.plan
  const [second, p0, p1, q0, raw] = session.buffers as readonly [Limbs, Limbs, Limbs, Limbs, Limbs]
  let [carried, spare] = [p0, q0]
  if (layer.dense === null) {
    multiplyLimbs(ring, raw, layer.single, second, level)
    carried = session.zero
    spare = p0
  } else {
    runStage(ring, layer.dense, { first: session.zero, second: raw }, { first: carried, second: p1 })
    divideBySpecial(ring, p1, level, second)
  }
  layer.folds.forEach((stage, index) => {
    runStage(ring, stage, { first: carried, second }, { first: spare, second: p1 })
    if (index < layer.folds.length - 1) divideBySpecial(ring, p1, level, second)
    ;[carried, spare] = [spare, carried === session.zero ? q0 : carried]
  })
  copyLimbs(ring, carried, out.carried, extendedLimbs(ring, level))
  divideRounded(ring, p1, [...specialLimbs(ring), level - 1], ciphertextLimbs(level - 1), out.second)
}

/** The rest: what touches c0, then everything after the first layer. Returns the response's bytes, on the first thread; nothing on the others. */
export function finishRequest(
  ring: Ring,
  session: SessionLayout,
  request: Uint8Array,
  maskSeed: Uint8Array,
  prepared: PreparedRequest,
  observe?: TraceObserver,
): Uint8Array<ArrayBuffer> {
  const [first, second, p0, p1, q0, d0, d1] = session.buffers as readonly [Limbs, Limbs, Limbs, Limbs, Limbs, Limbs, Limbs]
  session.hidden.forEach((layer, index) => {
    if (index === 0) finishFirstLayer(ring, layer, request, prepared, { first, second, p0, q0 })
    else denseLayer(ring, layer, { first, second, p0, p1, q0, spare: d0 })
    observeCiphertext(ring, observe, `layer-${index + 1}-sums`, [first, second], layer.plan.level - 1)
    squareLayer(ring, layer, { first, second, p0, p1, q0, d0, d1 })
    observeCiphertext(ring, observe, `layer-${index + 1}-squares`, [first, second], layer.plan.level - 2)
  })
  if (session.hidden.length === 0) {
    shareOut(ring, ciphertextLimbs(session.plan.level), (t) => unpackFirstPart(ring, request, t, at(first, t)))
    copyLimbs(ring, prepared.second, second, ciphertextLimbs(2))
  }
  return finishOutput(ring, session, maskSeed, prepared, [first, second])
}

type Buffers<Names extends string> = { readonly [name in Names]: Limbs }

function finishFirstLayer(
  ring: Ring,
  layer: HiddenLayout,
  request: Uint8Array,
  prepared: PreparedRequest,
  { first, second, p0, q0 }: Buffers<'first' | 'second' | 'p0' | 'q0'>,
): void {
  const { kernels, moduli, slots } = ring
  const { level, diagonals } = layer.plan
  shareOut(ring, ciphertextLimbs(level), (t) => {
    const { value, montgomeryInverse } = at(moduli, t)
    let [from, to] = [at(p0, t), at(q0, t)]
    unpackFirstPart(ring, request, t, at(first, t))
    kernels.dotImages(at(first, t), from, at(layer.diagonals, t), layer.dense?.maps ?? 0, diagonals - 1, slots, value, montgomeryInverse)
    for (const { maps, count } of layer.folds) {
      kernels.sumImages(from, to, maps, count, slots, value)
      ;[from, to] = [to, from]
    }
    kernels.add(from, at(prepared.carried, t), at(first, t), value, ring.limbBytes)
  })
  const extended = ring.moduli.map((_, t) => (t < ring.levels ? at(first, t) : at(prepared.carried, t)))
  divideRounded(ring, extended, [...specialLimbs(ring), level - 1], ciphertextLimbs(level - 1), first)
  copyLimbs(ring, prepared.second, second, ciphertextLimbs(level - 1))
  addLimbs(ring, first, layer.bias, level - 1)
}

function denseLayer(
  ring: Ring,
  layer: HiddenLayout,
  { first, second, p0, p1, q0, spare }: Buffers<'first' | 'second' | 'p0' | 'p1' | 'q0' | 'spare'>,
): void {
  const { kernels, moduli, slots } = ring
  const { level, diagonals } = layer.plan
  let [sum, other] = [p0, q0]
  const maps = layer.dense?.maps ?? 0
  if (layer.dense !== null) runStage(ring, layer.dense, { first, second }, { first: sum, second: p1 })
  else scaleSingle(ring, layer, second, p1)
  shareOut(ring, ciphertextLimbs(level), (t) => {
    const { value, montgomeryInverse } = at(moduli, t)
    kernels.dotImages(at(first, t), at(spare, t), at(layer.diagonals, t), maps, diagonals - 1, slots, value, montgomeryInverse)
    if (layer.dense === null) ring.arena.bytes.copyWithin(at(sum, t), at(spare, t), at(spare, t) + ring.limbBytes)
    else kernels.add(at(sum, t), at(spare, t), at(sum, t), value, ring.limbBytes)
  })
  if (layer.dense === null) clearLimbs(ring, sum, specialLimbs(ring))
  layer.folds.forEach((stage) => {
    divideBySpecial(ring, p1, level, second)
    runStage(ring, stage, { first: sum, second }, { first: other, second: p1 })
    ;[sum, other] = [other, sum]
  })
  divideBoth(ring, [sum, p1], [...specialLimbs(ring), level - 1], ciphertextLimbs(level - 1), [first, second])
  addLimbs(ring, first, layer.bias, level - 1)
}

// c1 times the only diagonal, lifted into the extended basis by the factor P.
function scaleSingle(ring: Ring, layer: HiddenLayout, second: Limbs, out: Limbs): void {
  const { level } = layer.plan
  shareOut(ring, ciphertextLimbs(level), (t) => {
    const { value, montgomeryInverse } = at(ring.moduli, t)
    ring.kernels.dotImages(at(second, t), at(out, t), at(layer.diagonals, t), 0, 0, ring.slots, value, montgomeryInverse)
  })
  clearLimbs(ring, out, specialLimbs(ring))
}

function squareLayer(
  ring: Ring,
  layer: HiddenLayout,
  { first, second, p0, p1, q0, d0, d1 }: Buffers<'first' | 'second' | 'p0' | 'p1' | 'q0' | 'd0' | 'd1'>,
): void {
  const { kernels, limbBytes, moduli } = ring
  const level = layer.plan.level - 1
  shareOut(ring, ciphertextLimbs(level), (t) => {
    const { value, montgomeryInverse, montgomerySquare } = at(moduli, t)
    const parts = [at(first, t), at(second, t), at(d0, t), at(d1, t), at(q0, t)]
    kernels.square(...parts, montgomerySquare, value, montgomeryInverse, limbBytes)
  })
  runStage(ring, layer.relinearize, { first: d0, second: d1 }, { first: p0, second: p1 }, q0)
  divideBoth(ring, [p0, p1], [...specialLimbs(ring), level - 1], ciphertextLimbs(level - 1), [first, second])
}

function finishOutput(
  ring: Ring,
  session: SessionLayout,
  maskSeed: Uint8Array,
  prepared: PreparedRequest,
  parts: readonly [Limbs, Limbs],
): Uint8Array<ArrayBuffer> {
  const { arena, kernels, limbBytes, moduli, work } = ring
  const { plan } = session
  const products = session.buffers.slice(2, 4) as [Limbs, Limbs]
  const coefficients = session.buffers.slice(4, 6) as [Limbs, Limbs]
  const jobs = [0, 1].flatMap((part) => ciphertextLimbs(2).map((t) => ({ part: part as 0 | 1, t })))
  shareOut(ring, jobs, ({ part, t }) => {
    const { value, montgomeryInverse } = at(moduli, t)
    const product = at(products[part], t)
    kernels.multiply(at(parts[part], t), at(session.output, t), product, value, montgomeryInverse, limbBytes)
    kernels.add(product, at(prepared.mask[part], t), product, value, limbBytes)
    const target = at(coefficients[part], t)
    toCoefficients(ring, product, target, t)
    if (part === 0) return
    // The product is not needed any more: its space takes the lifted error.
    kernels.liftSigned(prepared.errors[1], product, value, ring.coefficientBytes)
    kernels.add(target, product, target, value, ring.coefficientBytes)
  })
  packSecond(ring, plan.output.width, coefficients[1])
  const response = ring.crew.lead(() => {
    const header = encodeHeader({ kind: 'TFan', parameters: plan.parameters, level: 2, extra: plan.output.width })
    const stream = at(work.streams, 0)
    const packed = arena.bytes.slice(stream, stream + (ring.polyDegree * plan.output.width) / 8)
    return concatBytes(header, sha256(maskSeed), readOutputs(ring, session, maskSeed, prepared, coefficients[0]), packed)
  })
  return response ?? new Uint8Array()
}

// Rounds c1 and packs it into the first stream. Stretches of 64 coefficients fill whole words.
function packSecond(ring: Ring, width: number, second: Limbs): void {
  const { kernels, moduli, work } = ring
  const [q0, q1] = [at(moduli, 0), at(moduli, 1)]
  const [w, quotient] = productFactor(ring, 'inverse', [0], 1)
  const { count } = ring.crew
  shareOut(ring, range(count), (part) => {
    const [from, to] = [part, part + 1].map((i) => Math.floor((ring.polyDegree / 64) * (i / count)) * 64) as [number, number]
    const [x0, x1, digit] = [at(second, 0), at(second, 1), at(work.limbs, 0)].map((buffer) => buffer + 4 * from) as [number, number, number]
    const out = at(work.streams, 0) + (from * width) / 8
    kernels.garner2(x0, x1, digit, q0.value, q1.value, 0, 0, w, quotient, 4 * (to - from))
    kernels.packRounded(x0, digit, out, q0.big, BigInt(60 - width), BigInt(width), to - from)
  })
}

/** The coefficients that are outputs, with biases and flooding noise, 8 bytes each; no other coefficient of c0 leaves the worker. */
function readOutputs(ring: Ring, session: SessionLayout, maskSeed: Uint8Array, prepared: PreparedRequest, coefficients: Limbs): Uint8Array {
  const { words } = ring.arena
  const errors = new Int32Array(words.buffer, prepared.errors[0], session.plan.output.outputs)
  const [q0, q1] = [at(ring.moduli, 0).big, at(ring.moduli, 1).big]
  const [inverse] = productFactor(ring, 'inverse', [0], 1)
  const { outputs, flooding } = session.plan.output
  const noise = drawFlooding(ring, maskSeed, outputs, flooding)
  const values = outputPositions(session.plan).map((position, o) => {
    const [x0, x1] = [0, 1].map((t) => {
      const { value, big } = at(ring.moduli, t)
      const sum = at(words, at(coefficients, t) / 4 + position) + at(at(session.outputBias, t), o) + at(errors, o) + value
      return BigInt(sum) % big
    }) as [bigint, bigint]
    const value = x0 + q0 * (((((x1 - x0) % q1) + q1) * BigInt(inverse)) % q1)
    const flooded = (value + at(noise, o)) % (q0 * q1)
    return flooded < 0n ? flooded + q0 * q1 : flooded
  })
  return new Uint8Array(new BigUint64Array(values).buffer)
}

function multiplyLimbs(ring: Ring, a: Limbs, b: Limbs, out: Limbs, level: number): void {
  shareOut(ring, ciphertextLimbs(level), (t) => {
    const { value, montgomeryInverse } = at(ring.moduli, t)
    ring.kernels.multiply(at(a, t), at(b, t), at(out, t), value, montgomeryInverse, ring.limbBytes)
  })
}

function addLimbs(ring: Ring, target: Limbs, term: Limbs, level: number): void {
  shareOut(ring, ciphertextLimbs(level), (t) =>
    ring.kernels.add(at(target, t), at(term, t), at(target, t), at(ring.moduli, t).value, ring.limbBytes),
  )
}

function copyLimbs(ring: Ring, from: Limbs, to: Limbs, primes: readonly number[]): void {
  shareOut(ring, primes, (t) => ring.arena.bytes.copyWithin(at(to, t), at(from, t), at(from, t) + ring.limbBytes))
}

function clearLimbs(ring: Ring, limbs: Limbs, primes: readonly number[]): void {
  shareOut(ring, primes, (t) => ring.arena.bytes.fill(0, at(limbs, t), at(limbs, t) + ring.limbBytes))
}

function observeCiphertext(ring: Ring, observe: TraceObserver | undefined, name: string, parts: readonly Limbs[], level: number): void {
  // A step of its own: the others must not change what is being looked at.
  ring.crew.lead(() => {
    const { bytes } = ring.arena
    observe?.(
      name,
      parts.map((limbs) => ciphertextLimbs(level).map((t) => bytes.subarray(at(limbs, t), at(limbs, t) + ring.limbBytes))),
    )
  })
}
