import type { EvaluationKeys, PackedKey } from '../ckks/evaluation-keys.ts'
import { allocateIntegers, integersToSlots, type IntegerPolynomial, writeIntegers } from '../ckks/plaintext.ts'
import { packedLimbBytes } from '../ckks/wire.ts'
import { MissingKeyError } from '../errors.ts'
import { at, range } from '../internal/at.ts'
import { unpackLimb } from '../internal/packed-limbs.ts'
import { allocateLimbs, ciphertextLimbs, extendedLimbs, type Limbs, productOf, type Ring, specialLimbs } from '../internal/ring.ts'
import { factor } from '../internal/modular.ts'
import { expandUniform, purposes } from '../internal/streams.ts'
import type { EncodedHidden, EncodedNetwork } from './encoded-network.ts'
import { type CircuitPlan, diagonalRotations, type HiddenPlan } from './plan.ts'
import { buildDenseStage, buildFoldStage, buildRelinearizeStage, type DiagonalLimbs, type Stage, toMontgomery } from './stage.ts'

/** One hidden layer as laid out in memory. */
export type HiddenLayout = {
  readonly plan: HiddenPlan
  /** Null when there is a single diagonal: then the product needs no rotation and no key. */
  readonly dense: Stage | null
  /** Diagonals woven for the product with c0, per prime (with the factor P 2^32). */
  readonly diagonals: readonly number[]
  /** A single diagonal, times 2^32. */
  readonly single: Limbs
  readonly folds: readonly Stage[]
  readonly bias: Limbs
  readonly relinearize: Stage
}

/** Everything of a session but the objects: plain data, so that a second thread can work on the same memory. */
export type SessionLayout = {
  readonly plan: CircuitPlan
  readonly hidden: readonly HiddenLayout[]
  readonly output: Limbs
  /** Residues of the output biases, one array per prime. */
  readonly outputBias: readonly (readonly number[])[]
  /** The client's public key at level 2, times 2^32. */
  readonly publicKey: readonly [Limbs, Limbs]
  readonly buffers: readonly Limbs[]
  /** Always zero. */
  readonly zero: Limbs
}

/** A model and a client's keys, checked, expanded and woven. @throws MalformedEncryptionError or MissingKeyError */
export function layOutSession(ring: Ring, encoded: EncodedNetwork, keys: EvaluationKeys): SessionLayout {
  const { plan } = encoded
  const zero = ring.moduli.map(() => ring.arena.allocate(0))
  const blank = ring.arena.allocate(ring.limbBytes)
  ring.arena.bytes.fill(0, blank, blank + ring.limbBytes)
  const hidden = plan.hidden.map((layer, index) => layOutHidden(ring, layer, at(encoded.hidden, index), keys))
  return {
    plan,
    hidden,
    output: layOutPolynomial(ring, encoded.output, ciphertextLimbs(2), 'montgomery'),
    outputBias: ciphertextLimbs(2).map((t) => encoded.outputBias.map((value) => Number(nonNegative(value, at(ring.moduli, t).big)))),
    publicKey: layOutPublicKey(ring, keys),
    buffers: range(8).map(() => allocateLimbs(ring)),
    zero: zero.map(() => blank),
  }
}

function layOutHidden(ring: Ring, plan: HiddenPlan, encoded: EncodedHidden, keys: EvaluationKeys): HiddenLayout {
  const { level } = plan
  const rotations = diagonalRotations(ring.slots, plan)
  const streams = ciphertextLimbs(level).map(() => ring.arena.allocate(4 * ring.polyDegree * plan.diagonals))
  const bias = layOutPolynomial(ring, encoded.bias, ciphertextLimbs(level - 1), 'plain')
  const single = plan.diagonals === 1 ? layOutPolynomial(ring, at(encoded.diagonals, 0), ciphertextLimbs(level), 'montgomery') : []
  const folds = plan.folds.map((automorphisms) => buildFoldStage(ring, keys, automorphisms, level))
  const relinearize = buildRelinearizeStage(ring, keys, level - 1)
  // The stage is built last, so that the diagonals in slot order can be given back; its streams are allocated before them.
  const dense = withDiagonals(ring, plan, encoded, (diagonals) => {
    diagonals.forEach(({ special }, k) => {
      for (const t of ciphertextLimbs(level)) ring.kernels.weave(at(special, t), at(streams, t) + 16 * k, 16 * plan.diagonals, ring.slots)
    })
    return plan.diagonals === 1 ? null : buildDenseStage(ring, keys, rotations, level, diagonals)
  })
  return { plan, dense, diagonals: streams, single, folds, bias, relinearize }
}

function withDiagonals(
  ring: Ring,
  { level }: HiddenPlan,
  encoded: EncodedHidden,
  use: (diagonals: readonly DiagonalLimbs[]) => Stage | null,
): Stage | null {
  const made = encoded.diagonals.map((polynomial): DiagonalLimbs => {
    const plain = layOutPolynomial(ring, polynomial, extendedLimbs(ring, level), 'montgomery')
    const special = allocateLimbs(ring)
    for (const t of ciphertextLimbs(level)) {
      const { big, value } = at(ring.moduli, t)
      const [w, quotient] = factor(productOf(ring, specialLimbs(ring)), big)
      ring.kernels.multiplyConstant(at(plain, t), at(special, t), w, quotient, value, ring.limbBytes)
    }
    return { plain, special }
  })
  return use(made)
}

function layOutPolynomial(ring: Ring, polynomial: IntegerPolynomial, primes: readonly number[], form: 'plain' | 'montgomery'): Limbs {
  const limbs = ring.moduli.map((_, t) => (primes.includes(t) ? ring.arena.allocate(ring.limbBytes) : 0))
  const mark = ring.arena.top
  const integers = allocateIntegers(ring)
  writeIntegers(ring, polynomial, integers)
  integersToSlots(ring, integers, ring.arena.allocate(ring.coefficientBytes), limbs, primes)
  if (form === 'montgomery') for (const t of primes) toMontgomery(ring, at(limbs, t), t)
  ring.arena.release(mark)
  return limbs
}

function layOutPublicKey(ring: Ring, keys: EvaluationKeys): readonly [Limbs, Limbs] {
  const key: PackedKey | undefined = keys.keys.find(({ purpose, level }) => purpose === purposes.publicKey && level >= 2)
  if (key === undefined) throw new MissingKeyError('encryption of masks')
  const [own, other] = [allocateLimbs(ring), allocateLimbs(ring)]
  for (const t of ciphertextLimbs(2)) {
    unpackLimb(ring, key.body, t * packedLimbBytes(ring.polyDegree), at(own, t), t, 'The key set')
    expandUniform(ring, keys.seed, purposes.publicKey, 0, t, at(other, t))
    toMontgomery(ring, at(own, t), t)
    toMontgomery(ring, at(other, t), t)
  }
  return [own, other]
}

function nonNegative(value: bigint, modulus: bigint): bigint {
  return ((value % modulus) + modulus) % modulus
}
