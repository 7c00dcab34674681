// Whoever else takes part is hostile: the publisher of a plan, the source of randomness, the sender of keys, the caller of a low-level
// function. Each test is an attack that works where the check it names is missing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  encodedNetworkRoot,
  encodeNetwork,
  hashEncodedIntegers,
  hashEncodedNetwork,
  networkRoot,
  parseEncodedNetwork,
  serializeEncodedNetwork,
} from '../src/circuit/encoded-network.ts'
import { assertPlan, encodePlan, parsePlan } from '../src/circuit/parse-plan.ts'
import { type CircuitPlan, keyNeedsOf, planCircuit } from '../src/circuit/plan.ts'
import { CircuitSession } from '../src/circuit/session.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { encodeInput } from '../src/circuit/client-codec.ts'
import { encodeEvaluationKeys, generateKeys, parseEvaluationKeys } from '../src/ckks/evaluation-keys.ts'
import { CkksContext, encode, encryptCompact, Evaluator, expandCompact, generateKeyPair } from '../src/index.ts'
import { at, range } from '../src/internal/at.ts'
import { withSecret } from '../src/ckks/secret-key.ts'
import { createRing, type Ring } from '../src/internal/ring.ts'
import { purposes, sampleTernary } from '../src/internal/streams.ts'
import { EncryptedModelClient } from '../src/lifecycle/encrypted-model-client.ts'
import { answerLimit, leakBudgetBits, outputStep, roundedBits } from '../src/lifecycle/leak-budget.ts'
import { getParameters } from '../src/parameters.ts'
import { fakeRandom, random, randomNetwork, setUp } from './fixtures.ts'

const network = randomNetwork([64, 32, 10])
const plan = planCircuit(network)
const encoded = encodeNetwork(network, plan)
const integersHash = hashEncodedIntegers(encoded)

function clientOf(changed: CircuitPlan, modelRoot = networkRoot(changed, integersHash), source = random): EncryptedModelClient {
  const accept = (): boolean => true
  const options = { worker: 'w', modelRoot, plan: changed, integersHash, random: source, verifyWorker: accept, verifyReplay: accept }
  return new EncryptedModelClient(options)
}

describe('a hostile plan', () => {
  it('cannot make rounded values cheaper than what they show', () => {
    // Outputs "within 2^-20, give or take 1000": by its bound alone every opening would be free.
    const cheap = { ...plan, output: { ...plan.output, bound: 2 ** -20 }, error: { ...plan.error, bound: 1000 } }
    const values = 2 * Math.floor(answerLimit(cheap) / outputStep) + 1
    assert.ok(roundedBits(cheap) >= plan.output.outputs * Math.log2(values))
    assert.ok(Math.floor(leakBudgetBits / roundedBits(cheap)) * plan.output.outputs * Math.log2(values) <= leakBudgetBits)
  })

  it('is refused before it costs memory, traps a kernel or wraps', () => {
    const [hidden] = plan.hidden
    assert.ok(hidden)
    const changes: readonly CircuitPlan[] = [
      // 1,500 key switching keys: half a gigabyte drawn for a plan of one kilobyte.
      { ...plan, hidden: [{ ...hidden, diagonals: 1500 }] },
      { ...plan, hidden: [{ ...hidden, folds: range(16).map(() => range(15).map((k) => ({ rotation: 100 + k, conjugate: false }))) }] },
      { ...plan, input: { ...plan.input, scale: 1e300 } },
      { ...plan, input: { ...plan.input, range: [-1e300, 1e300] } },
      { ...plan, input: { ...plan.input, count: 1 << 20 } },
      { ...plan, output: { ...plan.output, bound: 1e12 } },
      { ...plan, error: { ...plan.error, bound: 1e12 } },
      { ...plan, sizes: { ...plan.sizes, responseBytes: plan.sizes.responseBytes + 1 } },
      { ...plan, sizes: { ...plan.sizes, keyBytes: 1 } },
    ]
    assert.doesNotThrow(() => parsePlan(encodePlan(plan)))
    for (const changed of changes) {
      assert.throws(() => parsePlan(encodePlan(changed)), { code: 'fhe.malformed' })
      assert.throws(() => clientOf(changed), { code: 'fhe.malformed' })
    }
  })

  it('that is not the committed one is refused: a worker cannot hand out another meaning for the same answer', () => {
    const modelRoot = encodedNetworkRoot(encoded)
    assert.deepEqual(networkRoot(plan, integersHash), modelRoot)
    assert.doesNotThrow(() => clientOf(plan, modelRoot))
    const halved = { ...plan, output: { ...plan.output, scale: plan.output.scale / 2 } }
    assert.doesNotThrow(() => assertPlan(halved))
    assert.throws(() => clientOf(halved, modelRoot), { code: 'fhe.malformed' })
  })

  it('cannot be changed after the client checked it', () => {
    const mine = structuredClone(plan)
    const client = clientOf(mine)
    Object.assign(mine.output, { bound: 2 ** -20 })
    assert.equal(client.plan.output.bound, plan.output.bound)
    assert.throws(() => Object.assign(client.plan.output, { bound: 2 ** -20 }), TypeError)
  })

  it('has one spelling: the same network cannot have two roots', () => {
    const bytes = serializeEncodedNetwork(encoded)
    assert.deepEqual(hashEncodedNetwork(bytes), encodedNetworkRoot(encoded))
    const size = new DataView(bytes.buffer).getUint32(8, true)
    const spaced = Uint8Array.from([...bytes.subarray(0, 12 + size), 0x20, ...bytes.subarray(12 + size)])
    new DataView(spaced.buffer).setUint32(8, size + 1, true)
    assert.throws(() => parseEncodedNetwork(spaced), { code: 'fhe.malformed' })
    const text = new TextDecoder().decode(encodePlan(plan))
    const others = [
      JSON.stringify({ ...plan, version: 1 }),
      text.replace('"version":1', '"version":1,"version":1'),
      text.replace('"version":1', '"version":1.0'),
      text.replace('"version"', '"\\u0076ersion"'),
    ]
    for (const other of others) assert.throws(() => parsePlan(new TextEncoder().encode(other)), { code: 'fhe.malformed' })
  })

  it('is not what the planner makes of a network that needs more keys than a set can hold', () => {
    assert.throws(() => planCircuit(randomNetwork([600, 1024, 1])), { code: 'fhe.unsupported-circuit', layer: 1 })
    const wide = randomNetwork([8, 4, 2])
    assert.throws(() => planCircuit({ ...wide, inputRange: [0, 1e12] }), { code: 'fhe.unsupported-circuit', layer: 1 })
  })
})

describe('a broken source of randomness', () => {
  const sources: readonly (readonly [string, () => (size: number) => Uint8Array])[] = [
    ['stuck on one byte', () => (size) => new Uint8Array(size).fill(7)],
    // The seed of the public halves would be the seed of the secret: the key set would contain it.
    ['that repeats itself', () => (size) => Uint8Array.from({ length: size }, (_, i) => i)],
    ['that gives too little', () => () => random(16)],
    ['that gives too much', () => () => random(64)],
  ]
  for (const [name, create] of sources) {
    it(`${name} makes no keys and no ciphertexts`, () => {
      const made = setUp([9, 5, 2])
      const message = encodeInput(made.plan, new Float64Array(9))
      const failure = { code: 'fhe.weak-randomness' }
      assert.throws(() => generateKeys(made.ring, keyNeedsOf(made.plan), create()), failure)
      assert.throws(() => encryptSeeded(made.ring, made.secretKey, message, { level: made.plan.level, random: create() }), failure)
      assert.throws(() => clientOf(plan, undefined, create()), failure)
    })
  }

  it('that starts over between messages encrypts nothing under a seed that was used', () => {
    let source = fakeRandom(1)
    const client = clientOf(plan, undefined, (size) => source(size))
    source = fakeRandom(2)
    client.encrypt(new Float64Array(64))
    source = fakeRandom(2)
    assert.throws(() => client.encrypt(new Float64Array(64)), { code: 'fhe.weak-randomness' })
  })
})

describe('keys', () => {
  it('are never made twice for one automorphism: two errors under one random half show their difference', () => {
    const context = new CkksContext('ckks-8192-180')
    const key = { automorphism: { rotation: 1, conjugate: false }, level: 4 }
    const lists = [
      [key, key],
      [key, { ...key, level: 2 }],
      range(300).map((k) => ({ ...key, automorphism: { rotation: k + 1, conjugate: false } })),
    ]
    const strange = [-1, 0, 0.5, 4096, Number.NaN].map((rotation) => [{ ...key, automorphism: { rotation, conjugate: false } }])
    const levels = [0, 5, 1.5].map((level) => [{ ...key, level }])
    for (const galois of [...lists, ...strange, ...levels])
      assert.throws(() => generateKeyPair(context, { galois, relinearization: 0, publicKey: 0 }, random), { code: 'fhe.malformed' })
    assert.throws(() => generateKeyPair(context, { galois: [], relinearization: 7, publicKey: 0 }, random), { code: 'fhe.malformed' })
  })

  it('have one encoding and no more bytes than the plan needs', () => {
    const made = setUp([64, 32, 10])
    const other = made.keyBytes.slice()
    other[6] = 2
    assert.throws(() => parseEvaluationKeys(other), { code: 'fhe.malformed' })
    const needs = keyNeedsOf(made.plan)
    const more = { ...needs, galois: [...needs.galois, { automorphism: { rotation: 777, conjugate: false }, level: 4 }] }
    const large = encodeEvaluationKeys(generateKeys(made.ring, more, random).evaluationKeys)
    assert.throws(() => new CircuitSession(made.encoded, large, { random }), { code: 'fhe.malformed' })
  })
})

describe('a session', () => {
  it('still evaluates a request whose announcement found no room', () => {
    const made = setUp([64, 32, 10])
    const session = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 1 })
    session.prepare(random(32))
    const message = encodeInput(made.plan, new Float64Array(64))
    const request = encryptSeeded(made.ring, made.secretKey, message, { level: made.plan.level, random })
    assert.throws(() => session.prepare(request.slice(8, 40)), { code: 'fhe.ticket' })
    assert.equal(session.evaluate(request).response.length, made.plan.sizes.responseBytes)
  })
})

describe('the evaluator', () => {
  it('refuses a factor with three parts instead of dropping one', () => {
    const context = new CkksContext('ckks-8192-180')
    const { secretKey, evaluationKeys } = generateKeyPair(context, { galois: [], relinearization: 4, publicKey: 0 }, random)
    const evaluator = new Evaluator(context, evaluationKeys)
    const plaintext = encode(context, { real: new Float64Array(8).fill(0.5) }, 2 ** 25)
    const a = expandCompact(context, encryptCompact(context, secretKey, plaintext, random), 2 ** 25)
    const square = evaluator.multiply(a, a)
    assert.throws(() => evaluator.multiply(a, square), { code: 'fhe.incompatible-operands' })
    assert.throws(() => evaluator.multiply(square, a), { code: 'fhe.incompatible-operands' })
  })
})

describe('working memory', () => {
  it('holds nothing of secret, errors or message after keys, encryption and decryption', () => {
    const ring = createRing(getParameters(plan.parameters))
    const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), fakeRandom(11))
    const input = Float64Array.from({ length: 64 }, (_, i) => (i + 1) / 65)
    const message = encodeInput(plan, input)
    const request = encryptSeeded(ring, secretKey, message, { level: plan.level, random: fakeRandom(12) })
    assert.ok(request.length > 0 && evaluationKeys.keys.length > 0)
    const seeds = [fakeRandom(11)(32)]
    const [, errorSeed = new Uint8Array()] = ((source) => [source(32), source(32)])(fakeRandom(12))
    const secret = ternaryOf(at(seeds, 0))
    const found = (needle: Uint8Array): boolean => Buffer.from(ring.arena.memory.buffer).includes(Buffer.from(needle))
    // The needles are the right ones: while the secret is in use, it is found.
    const [, inUse] = at(residueNeedles(ring, secret), 2)
    assert.ok(withSecret(ring, secretKey, () => found(inUse)))
    for (const [name, needle] of [
      ['secret coefficients', bytesOf(secret.subarray(100, 108))],
      ['secret seed', at(seeds, 0)],
      ['error seed', errorSeed],
      ['message', bytesOf(message.subarray(100, 104))],
      ...residueNeedles(ring, secret),
    ] as const) {
      assert.ok(!found(needle), name)
    }
  })
})

const bytesOf = (view: Int32Array | Float64Array | Uint32Array): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()

function ternaryOf(seed: Uint8Array): Int32Array {
  const ring = createRing(getParameters(plan.parameters))
  const buffer = at(ring.work.coefficients, 0)
  sampleTernary(ring, Uint8Array.from(seed), purposes.secret, buffer)
  return new Int32Array(ring.arena.memory.buffer, buffer, ring.polyDegree).slice()
}

/** The secret lifted modulo each prime, in coefficient order and in slot order. */
function residueNeedles(ring: Ring, secret: Int32Array): readonly (readonly [string, Uint8Array])[] {
  const other = createRing(ring.parameters)
  return other.moduli.flatMap(({ value, forwardTables }, t) => {
    const lifted = Uint32Array.from(secret, (s) => (s < 0 ? value - 1 : s))
    const [coefficients, limb] = [at(other.work.coefficients, 1), at(other.work.limbs, 0)]
    other.arena.words.set(lifted, coefficients / 4)
    other.kernels.forward(coefficients, at(other.scratch, 0), limb, other.polyDegree, forwardTables)
    const slots = other.arena.words.slice(limb / 4 + 50, limb / 4 + 54)
    const montgomery = slots.map((word) => Number((BigInt(word) << 32n) % BigInt(value)))
    return [
      [`secret modulo prime ${t}`, bytesOf(lifted.slice(100, 108))],
      [`transformed secret modulo prime ${t}`, bytesOf(slots)],
      [`the same times 2^32`, bytesOf(montgomery)],
    ] as const
  })
}
