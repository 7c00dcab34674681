import { type Automorphism, automorphismId, writeMaps } from '../ckks/automorphism.ts'
import type { EvaluationKeys, PackedKey } from '../ckks/evaluation-keys.ts'
import { packedLimbBytes } from '../ckks/wire.ts'
import { MissingKeyError } from '../errors.ts'
import { at, range } from '../internal/at.ts'
import { digitPrimes, raiseDigits } from '../internal/base-conversion.ts'
import { keySwitchKernel } from '../internal/kernels.ts'
import { unpackLimb } from '../internal/packed-limbs.ts'
import { extendedLimbs, type Limbs, type Ring, shareOut, specialFactor } from '../internal/ring.ts'
import { expandUniform, purposes } from '../internal/streams.ts'

/**
 * The keys of one hoisted stage in the order in which the kernel reads them, one stream per prime. Plain data: addresses and
 * counts. A stage whose keys were multiplied by weights is as secret as the weights (dividing by the public half gives them back):
 * it is never sent, swapped out or kept beyond its session.
 */
export type Stage = {
  readonly mode: 'fold' | 'dense' | 'relinearize' | 'rotate'
  readonly level: number
  readonly digits: number
  readonly count: number
  readonly maps: number
  /** One stream per modulus; 0 where the level has none. */
  readonly streams: readonly number[]
  /** P 2^32 modulo each prime, 0 for the special ones. */
  readonly specialFactors: readonly number[]
}

/** Diagonals of a dense layer in slot order, per diagonal: times 2^32 modulo every prime, and times P 2^32 modulo those of ciphertexts. */
export type DiagonalLimbs = { readonly plain: Limbs; readonly special: Limbs }

/** Weaves a sum of rotations. */
export function buildFoldStage(ring: Ring, keys: EvaluationKeys, automorphisms: readonly Automorphism[], level: number): Stage {
  return buildStage(ring, keys, 'fold', automorphisms, level)
}

/** Weaves a product with diagonals: rotation k is multiplied by diagonal k, the identity by diagonal 0. */
export function buildDenseStage(
  ring: Ring,
  keys: EvaluationKeys,
  automorphisms: readonly Automorphism[],
  level: number,
  diagonals: readonly DiagonalLimbs[],
): Stage {
  return buildStage(ring, keys, 'dense', automorphisms, level, diagonals)
}

/** Weaves one automorphism alone, without the identity. */
export function buildRotateStage(ring: Ring, keys: EvaluationKeys, automorphism: Automorphism, level: number): Stage {
  return buildStage(ring, keys, 'rotate', [automorphism], level)
}

/** Weaves the relinearisation key. */
export function buildRelinearizeStage(ring: Ring, keys: EvaluationKeys, level: number): Stage {
  return buildStage(ring, keys, 'relinearize', [{ rotation: 0, conjugate: false }], level)
}

function buildStage(
  ring: Ring,
  keys: EvaluationKeys,
  mode: Stage['mode'],
  automorphisms: readonly Automorphism[],
  level: number,
  diagonals?: readonly DiagonalLimbs[],
): Stage {
  const { arena, levels, polyDegree } = ring
  const extended = extendedLimbs(ring, level)
  const digits = digitPrimes(level).length
  const maps = arena.allocate(8 * automorphisms.length)
  writeMaps(arena.words, maps, automorphisms)
  const headBytes = (t: number): number => (diagonals !== undefined && t < levels ? 16 : 0)
  const groupBytes = (t: number): number => headBytes(t) + 32 * digits * automorphisms.length
  const streams = ring.moduli.map((_, t) => (extended.includes(t) ? arena.allocate((groupBytes(t) * polyDegree) / 4) : 0))
  const stage: Stage = {
    mode,
    level,
    digits,
    count: automorphisms.length,
    maps,
    streams,
    specialFactors: ring.moduli.map((_, t) => specialFactor(ring, t)),
  }
  const mark = arena.top
  const [own, other] = [arena.allocate(ring.limbBytes), arena.allocate(ring.limbBytes)]
  automorphisms.forEach((automorphism, k) => {
    const key = findKey(keys, mode, automorphism, level)
    for (const t of extended) {
      for (const d of range(digits)) {
        unpackPair(ring, keys, key, d, t, own, other)
        if (diagonals !== undefined) specialise(ring, t, [own, other], at(at(diagonals, k + 1).plain, t))
        const target = at(streams, t) + headBytes(t) + 32 * (digits * k + d)
        ring.kernels.weave(own, target, groupBytes(t), ring.slots)
        ring.kernels.weave(other, target + 16, groupBytes(t), ring.slots)
      }
    }
  })
  if (diagonals !== undefined) {
    for (const t of range(level)) ring.kernels.weave(at(at(diagonals, 0).special, t), at(streams, t), groupBytes(t), ring.slots)
  }
  arena.release(mark)
  return stage
}

function findKey(keys: EvaluationKeys, mode: Stage['mode'], automorphism: Automorphism, level: number): PackedKey {
  const purpose = mode === 'relinearize' ? purposes.relinearizationKey : purposes.galoisKey
  const id = automorphismId(automorphism)
  const key = keys.keys.find((candidate) => candidate.purpose === purpose && candidate.id === id && candidate.level >= level)
  if (key !== undefined) return key
  const name =
    mode === 'relinearize' ? 'relinearisation' : `rotation by ${automorphism.rotation}${automorphism.conjugate ? ' with conjugation' : ''}`
  throw new MissingKeyError(`${name} at level ${level}`)
}

// Both halves of digit d of a key modulo the t-th prime, times 2^32.
function unpackPair(ring: Ring, keys: EvaluationKeys, key: PackedKey, d: number, t: number, own: number, other: number): void {
  const position = d * (key.level + 2) + (t < ring.levels ? t : key.level + t - ring.levels)
  unpackLimb(ring, key.body, position * packedLimbBytes(ring.polyDegree), own, t, 'The key set')
  expandUniform(ring, keys.seed, key.purpose, 8 * key.id + d, t, other)
  for (const limb of [own, other]) toMontgomery(ring, limb, t)
}

/** Multiplies a limb by 2^32. */
export function toMontgomery(ring: Ring, limb: number, t: number): void {
  const { big, montgomeryOne, value } = at(ring.moduli, t)
  ring.kernels.multiplyConstant(limb, limb, montgomeryOne, Number((BigInt(montgomeryOne) << 32n) / big), value, ring.limbBytes)
}

function specialise(ring: Ring, t: number, limbs: readonly number[], diagonal: number): void {
  const { montgomeryInverse, value } = at(ring.moduli, t)
  for (const limb of limbs) ring.kernels.multiply(limb, diagonal, limb, value, montgomeryInverse, ring.limbBytes)
}

/** The two polynomials that a stage acts on. c0 carries the factor P in the extended basis, c1 does not. */
export type StageInput = { readonly first: Limbs; readonly second: Limbs }

/**
 * One hoisted stage: the digits of `second` are raised once, then every prime takes one pass over its key stream. The result is in the
 * extended basis and carries the factor P. For `dense`, `first` is not read: its product with the diagonals is added elsewhere.
 * For `relinearize`, `raised` is the polynomial under s^2 and the input is what belongs to 1 and s.
 */
export function runStage(ring: Ring, stage: Stage, input: StageInput, out: StageInput, raised: Limbs = input.second): void {
  applyStage(ring, stage, raiseDigits(ring, raised, stage.level), input, out)
}

/** The same for digits that were raised before: what hoisting shares between several stages. */
export function applyStage(ring: Ring, stage: Stage, digits: readonly Limbs[], { first, second }: StageInput, out: StageInput): void {
  const { kernels, levels, moduli, slots } = ring
  const bare = keySwitchKernel(kernels, 'bare', stage.digits, stage.count)
  const inner = stage.mode === 'rotate' ? bare : keySwitchKernel(kernels, stage.mode, stage.digits, stage.count)
  shareOut(ring, extendedLimbs(ring, stage.level), (t) => {
    const special = t >= levels
    const kernel = special && stage.mode === 'dense' ? bare : inner
    // Special primes see c1 and, in relinearisation, c0 with factor 0; any readable limb will do.
    const readable = at(out.first, t)
    const c0 = stage.mode === 'fold' || !special ? at(first, t) : readable
    const digit = (d: number): number => (d < stage.digits ? at(at(digits, d), t) : 0)
    const { value, montgomeryInverse } = at(moduli, t)
    kernel(
      ...[at(out.first, t), at(out.second, t), at(stage.streams, t), digit(0), digit(1), digit(2), digit(3)],
      ...[c0, special ? readable : at(second, t), at(stage.specialFactors, t), stage.maps, stage.count, slots, value, montgomeryInverse],
    )
  })
}
