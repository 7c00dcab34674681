// Single operations against SEAL at equal sizes: a rotation at the same bits of all moduli together, and one transform.
import { randomBytes } from 'node:crypto'
import type { Metrics } from '../../../tools/bench.ts'
import {
  CkksContext,
  decode,
  decryptUnsafe,
  encode,
  encryptCompact,
  Evaluator,
  expandCompact,
  generateKeyPair,
  getParameters,
} from '../src/index.ts'
import { buildRotateStage, runStage } from '../src/circuit/stage.ts'
import { divideBySpecial } from '../src/internal/base-conversion.ts'
import { allocateLimbs, createRing, type Limbs, toCoefficients, toSlots } from '../src/internal/ring.ts'
import { createSealContext, loadSeal } from './seal-network.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** Median CPU milliseconds of one run, over batches that alternate between the two sides. */
function alternate(
  ours: () => void,
  theirs: () => void,
  { batches, oursPer, theirsPer }: { batches: number; oursPer: number; theirsPer: number },
) {
  const time = (run: () => void, times: number): number => {
    const start = process.cpuUsage()
    for (let i = 0; i < times; i++) run()
    const used = process.cpuUsage(start)
    return (used.user + used.system) / 1000 / times
  }
  time(ours, 5 * oursPer)
  time(theirs, theirsPer)
  const pairs = Array.from({ length: batches }, () => [time(ours, oursPer), time(theirs, theirsPer)] as const)
  return { ours: median(pairs.map(([a]) => a)), theirs: median(pairs.map(([, b]) => b)) }
}

export async function benchPrimitives(report: (line: string) => void): Promise<Metrics> {
  const seal = await loadSeal()
  const polyDegree = 8192
  const context = new CkksContext('ckks-8192-180')
  const level = context.levels
  const needs = { galois: [{ automorphism: { rotation: 1, conjugate: false }, level }], relinearization: 0, publicKey: 0 }
  const { secretKey, evaluationKeys } = generateKeyPair(context, needs, random)
  const evaluator = new Evaluator(context, evaluationKeys)
  const real = Float64Array.from({ length: context.slots }, (_, i) => (i % 100) / 100)
  const scale = 2 ** 32
  const ciphertext = expandCompact(context, encryptCompact(context, secretKey, encode(context, { real }, scale), random), scale)
  const other = createSealContext(seal, { polyDegree, bits: [40, 40, 40, 60] })
  const galois = other.keys.createGaloisKeysWithSteps(Int32Array.from([1]))
  const encryptor = new seal.Encryptor(other.context, other.keys.createPublicKey(), other.keys.secretKey())
  const [plain, cipher, turned] = [new seal.Plaintext(), new seal.Ciphertext(), new seal.Ciphertext()]
  other.encoder.encode(real, scale, plain)
  encryptor.encrypt(plain, cipher)
  // SEAL's ciphertexts live in its WebAssembly memory, so ours do too here; the interface with immutable ciphertexts is timed as well.
  const resident = createRing(getParameters('ckks-8192-180'))
  const stage = buildRotateStage(resident, evaluationKeys, { rotation: 1, conjugate: false }, level)
  const [c0, c1, first, second] = [0, 1, 2, 3].map(() => allocateLimbs(resident)) as [Limbs, Limbs, Limbs, Limbs]
  ciphertext.parts.forEach((part, i) =>
    part.forEach((residues, t) => resident.arena.words.set(residues, ((i === 0 ? c0 : c1)[t] ?? 0) / 4)),
  )
  const rotateResident = (): void => {
    runStage(resident, stage, { first: c0, second: c1 }, { first, second })
    divideBySpecial(resident, first, level, first)
    divideBySpecial(resident, second, level, second)
    for (let t = 0; t < level; t++)
      resident.kernels.addImage(c0[t] ?? 0, first[t] ?? 0, 4, 0, resident.slots, resident.moduli[t]?.value ?? 0)
  }
  const rotate = alternate(rotateResident, () => other.evaluator.rotateVector(cipher, 1, galois, turned), {
    batches: 15,
    oursPer: 20,
    theirsPer: 4,
  })
  const api = alternate(
    () => evaluator.rotate(ciphertext, 1),
    () => undefined,
    { batches: 9, oursPer: 20, theirsPer: 1 },
  )
  const same = evaluator
    .rotate(ciphertext, 1)
    .parts.every((part, i) =>
      part.every((residues, t) =>
        residues.every((value, j) => value === resident.arena.words[((i === 0 ? first : second)[t] ?? 0) / 4 + j]),
      ),
    )
  const rotated = decode(context, decryptUnsafe(context, secretKey, evaluator.rotate(ciphertext, 1)))
  const rotateError = Math.max(...rotated.real.map((value, i) => Math.abs(value - (real[(i + 1) % real.length] ?? 0))))
  const ring = createRing(getParameters('ckks-8192-180'))
  const [coefficients = 0] = ring.work.coefficients
  const [limb = 0] = ring.work.limbs
  // SEAL transforms both polynomials of a ciphertext modulo three primes there and back: twelve transforms.
  const transform = alternate(
    () => {
      toSlots(ring, coefficients, limb, 0)
      toCoefficients(ring, limb, coefficients, 0)
    },
    () => {
      other.evaluator.cipherTransformFromNttInplace(cipher)
      other.evaluator.cipherTransformToNttInplace(cipher)
    },
    { batches: 9, oursPer: 200, theirsPer: 10 },
  )
  const [oursMicro, sealMicro] = [(transform.ours * 1000) / 2, (transform.theirs * 1000) / 12]
  const round = (value: number, digits = 2): number => Number(value.toFixed(digits))
  report(`rotation at 180 bits: ours ${round(rotate.ours)} ms, SEAL ${round(rotate.theirs)} ms, error ${rotateError.toExponential(1)}`)
  report(`transform of 8192 coefficients: ours ${round(oursMicro, 1)} us (30-bit prime), SEAL ${round(sealMicro, 1)} us (40-bit prime)`)
  return {
    'rotate.ms': round(rotate.ours, 3),
    'rotate.immutable_ms': round(api.ours, 3),
    'rotate.resident_identical': same ? 1 : 0,
    'rotate.seal_ms': round(rotate.theirs, 3),
    'rotate.seal_speedup': round(rotate.theirs / rotate.ours),
    'rotate.max_error': Number(rotateError.toExponential(3)),
    'ntt8192.us': round(oursMicro, 1),
    'ntt8192.seal_us': round(sealMicro, 1),
    'ntt8192.seal_speedup': round(sealMicro / oursMicro),
  }
}
