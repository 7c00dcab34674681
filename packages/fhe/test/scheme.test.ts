// The laws of the scheme on random slots, decrypted with the real key.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import {
  type Ciphertext,
  CkksContext,
  decode,
  decodeCiphertextBytes,
  decryptUnsafe,
  encode,
  encodeCiphertextBytes,
  encodeEvaluationKeys,
  encryptCompact,
  encryptPublic,
  Evaluator,
  expandCompact,
  generateKeyPair,
  type Plaintext,
  parseEvaluationKeys,
} from '../src/index.ts'
import { createGenerator } from '../bench/networks.ts'
import { at, range } from '../src/internal/at.ts'
import { rotation } from '../src/ckks/automorphism.ts'
import { random } from './fixtures.ts'

type Vector = { readonly real: Float64Array; readonly imaginary: Float64Array }
const scale = 2 ** 30
const steps = [1, 2, 3, 64, -5]

function createSide(name: 'ckks-8192-180' | 'ckks-16384-300') {
  const context = new CkksContext(name)
  const galois = [...steps.map((by) => rotation(context.slots, by)), { rotation: 0, conjugate: true }]
  const needs = {
    galois: galois.map((automorphism) => ({ automorphism, level: context.levels })),
    relinearization: context.levels,
    publicKey: context.levels,
  }
  const { secretKey, evaluationKeys } = generateKeyPair(context, needs, random)
  const keys = parseEvaluationKeys(encodeEvaluationKeys(evaluationKeys))
  return { context, secretKey, keys, evaluator: new Evaluator(context, keys) }
}

const side = createSide('ckks-8192-180')
const wide = createSide('ckks-16384-300')

function vectorOf(slots: number, seed: number): Vector {
  const { uniform } = createGenerator(seed)
  const draw = (): Float64Array => Float64Array.from({ length: slots }, () => 2 * uniform() - 1)
  return { real: draw(), imaginary: draw() }
}

function encryptVector({ context, secretKey }: typeof side, vector: Vector): Ciphertext {
  return expandCompact(context, encryptCompact(context, secretKey, encode(context, vector, scale), random), scale)
}

function reveal({ context, secretKey }: typeof side, ciphertext: Ciphertext): Vector {
  return decode(context, decryptUnsafe(context, secretKey, ciphertext))
}

const map = (
  a: Vector,
  b: Vector,
  f: (x: readonly [number, number], y: readonly [number, number]) => readonly [number, number],
): Vector => {
  const values = range(a.real.length).map((i) => f([at(a.real, i), at(a.imaginary, i)], [at(b.real, i), at(b.imaginary, i)]))
  return { real: Float64Array.from(values, ([x]) => x), imaginary: Float64Array.from(values, ([, y]) => y) }
}
const sum = (a: Vector, b: Vector): Vector => map(a, b, ([a0, a1], [b0, b1]) => [a0 + b0, a1 + b1])
const product = (a: Vector, b: Vector): Vector => map(a, b, ([a0, a1], [b0, b1]) => [a0 * b0 - a1 * b1, a0 * b1 + a1 * b0])
const turned = (a: Vector, by: number): Vector => {
  const n = a.real.length
  const turn = (values: Float64Array): Float64Array => values.map((_, i) => at(values, (((i + by) % n) + n) % n))
  return { real: turn(a.real), imaginary: turn(a.imaginary) }
}
function assertClose(a: Vector, b: Vector, tolerance: number): void {
  let largest = 0
  for (const key of ['real', 'imaginary'] as const)
    a[key].forEach((value, i) => (largest = Math.max(largest, Math.abs(value - at(b[key], i)))))
  assert.ok(largest <= tolerance, `${largest} > ${tolerance}`)
}

const seeds = fc.tuple(fc.integer({ min: 1 }), fc.integer({ min: 1 }), fc.integer({ min: 1 }))
const runs = { numRuns: 4 }

for (const [name, s] of [
  ['N = 8192', side],
  ['N = 16384', wide],
] as const) {
  const { context, evaluator: e } = s
  const draw = (seed: number): Vector => vectorOf(context.slots, seed)
  // Key switching adds sqrt(digits N / 12) errors of deviation 3.24 per coefficient, sqrt(N) of them per slot; 6.5 deviations.
  const n = 2 * context.slots
  const switched = (6.5 * Math.sqrt((Math.ceil(context.levels / 2) * n) / 12) * 3.24 * Math.sqrt(n)) / scale
  const times = (a: Ciphertext, b: Ciphertext): Ciphertext => e.rescale(e.relinearize(e.multiply(a, b)))

  describe(`homomorphic laws, ${name}`, () => {
    it('decrypts to what was encrypted', () => {
      fc.assert(
        fc.property(seeds, ([a]) => assertClose(reveal(s, encryptVector(s, draw(a))), draw(a), 1e-5)),
        runs,
      )
    })
    it('adds, subtracts, and sums in any order to the same bytes', () => {
      fc.assert(
        fc.property(seeds, ([a, b, c]) => {
          const [x, y, z] = [a, b, c].map((seed) => encryptVector(s, draw(seed))) as [Ciphertext, Ciphertext, Ciphertext]
          assertClose(reveal(s, e.add(x, y)), sum(draw(a), draw(b)), 2e-5)
          assert.deepEqual(e.add(e.add(x, y), z), e.add(x, e.add(z, y)))
          assert.deepEqual(e.subtract(e.add(x, y), y), x)
        }),
        runs,
      )
    })
    it('multiplies, commutes and distributes', () => {
      fc.assert(
        fc.property(seeds, ([a, b, c]) => {
          const [x, y, z] = [a, b, c].map((seed) => encryptVector(s, draw(seed))) as [Ciphertext, Ciphertext, Ciphertext]
          assertClose(reveal(s, times(x, y)), product(draw(a), draw(b)), 1e-4)
          assert.deepEqual(times(x, y), times(y, x))
          assertClose(reveal(s, times(x, e.add(y, z))), reveal(s, e.add(times(x, y), times(x, z))), 1e-4)
        }),
        runs,
      )
    })
    it('multiplies by and adds plaintexts', () => {
      fc.assert(
        fc.property(seeds, ([a, b]) => {
          const x = encryptVector(s, draw(a))
          const plain: Plaintext = encode(context, draw(b), scale)
          assertClose(reveal(s, e.rescale(e.multiplyPlain(x, plain))), product(draw(a), draw(b)), 1e-4)
          assertClose(reveal(s, e.addPlain(x, plain)), sum(draw(a), draw(b)), 2e-5)
        }),
        runs,
      )
    })
    it('rotates, composes rotations, and conjugates', () => {
      fc.assert(
        fc.property(seeds, ([a]) => {
          const x = encryptVector(s, draw(a))
          const images = e.rotateMany(x, steps)
          steps.forEach((by, k) => assertClose(reveal(s, at(images, k)), turned(draw(a), by), switched))
          assert.deepEqual(
            images,
            steps.map((by) => e.rotate(x, by)),
          )
          assertClose(reveal(s, e.rotate(e.rotate(x, 1), 2)), turned(draw(a), 3), 2 * switched)
          const { real, imaginary } = draw(a)
          assertClose(reveal(s, e.conjugate(x)), { real, imaginary: imaginary.map((v) => -v) }, switched)
          assert.equal(e.rotate(x, 0), x)
        }),
        { numRuns: 2 },
      )
    })
    it('keeps the value when the level falls, and in bytes', () => {
      const x = encryptVector(s, draw(5))
      const low = e.modSwitch(x, 2)
      assertClose(reveal(s, low), draw(5), 1e-5)
      assert.deepEqual(decodeCiphertextBytes(context, encodeCiphertextBytes(context, low)), low)
      assertClose(reveal(s, e.rotate(low, 64)), turned(draw(5), 64), switched)
    })
    it('encrypts under the public key', () => {
      const x = encryptPublic(context, s.keys, encode(context, draw(6), scale), random)
      assertClose(reveal(s, x), draw(6), 1e-3)
    })
  })
}

describe('operands that do not fit', () => {
  const { context, evaluator, secretKey } = side
  const x = encryptVector(side, vectorOf(context.slots, 1))
  it('are refused by name', () => {
    const other = encryptVector(wide, vectorOf(wide.context.slots, 1))
    const incompatible = { code: 'fhe.incompatible-operands' }
    assert.throws(() => evaluator.add(x, other), incompatible)
    assert.throws(() => evaluator.add(x, evaluator.modSwitch(x, 2)), incompatible)
    assert.throws(() => evaluator.add(x, { ...x, scale: 2 * scale }), incompatible)
    assert.throws(() => evaluator.multiply(evaluator.multiply(x, x), x), incompatible)
    assert.throws(() => evaluator.rotate(evaluator.multiply(x, x), 1), incompatible)
    assert.throws(() => evaluator.rotate(x, 7), { code: 'fhe.missing-key' })
    assert.throws(() => evaluator.rescale(evaluator.modSwitch(x, 1)), { code: 'fhe.noise-exhausted' })
  })
  it('do not decrypt under another key, and not after it was destroyed', () => {
    const other = createSide('ckks-8192-180')
    const wrong = reveal({ ...side, secretKey: other.secretKey }, x)
    assert.ok(Math.max(...wrong.real.map(Math.abs)) > 1000)
    other.secretKey.destroy()
    assert.throws(() => reveal({ ...side, secretKey: other.secretKey }, x), { code: 'fhe.secret-destroyed' })
    assert.ok(!secretKey.destroyed)
  })
  it('show nothing of a secret', () => {
    const shown = `${secretKey} ${JSON.stringify({ secretKey })} ${inspect(secretKey, { showHidden: true, depth: 5 })}`
    assert.equal(shown, '[SecretKey: redacted] {"secretKey":"[SecretKey: redacted]"} [SecretKey: redacted]')
  })
})

describe('bytes that are not what they should be', () => {
  const { context, keys } = side
  const bytes = encodeCiphertextBytes(context, side.evaluator.modSwitch(encryptVector(side, vectorOf(context.slots, 2)), 1))
  const keyBytes = encodeEvaluationKeys(keys)
  const malformed = { code: 'fhe.malformed' }
  it('are refused: ciphertexts', () => {
    for (const size of [0, 4, 8, 15, 100, bytes.length - 1])
      assert.throws(() => decodeCiphertextBytes(context, bytes.slice(0, size)), malformed)
    assert.throws(() => decodeCiphertextBytes(context, Uint8Array.from([...bytes, 0])), malformed)
    assert.throws(() => decodeCiphertextBytes(wide.context, bytes), malformed)
    for (const index of range(8)) {
      const changed = bytes.slice()
      changed[index] = at(changed, index) ^ 0x55
      assert.throws(() => decodeCiphertextBytes(context, changed), malformed, `byte ${index}`)
    }
    const wild = bytes.slice().fill(255, 16, 32)
    assert.throws(() => decodeCiphertextBytes(context, wild), malformed)
    const badScale = bytes.slice().fill(255, 8, 16)
    assert.throws(() => decodeCiphertextBytes(context, badScale), malformed)
  })
  it('are refused: key sets', () => {
    for (const size of [0, 8, 39, 60, keyBytes.length - 1]) assert.throws(() => parseEvaluationKeys(keyBytes.slice(0, size)), malformed)
    for (const index of [0, 4, 5, 7, 40, 41, 44]) {
      const changed = keyBytes.slice()
      changed[index] = at(changed, index) ^ 0x5a
      assert.throws(() => parseEvaluationKeys(changed), malformed, `byte ${index}`)
    }
    const wild = keyBytes.slice().fill(255, keyBytes.length - 40)
    const evaluator = new Evaluator(context, parseEvaluationKeys(wild))
    assert.throws(() => evaluator.conjugate(encryptVector(side, vectorOf(context.slots, 3))), malformed)
  })
  it('survive any garbage in bounded time', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        assert.throws(() => decodeCiphertextBytes(context, garbage), malformed)
        assert.throws(() => parseEvaluationKeys(garbage), malformed)
        assert.throws(() => expandCompact(context, garbage, scale), malformed)
      }),
      { numRuns: 200 },
    )
  })
})
