// The adversarial worker against the client as a whole: it answers with ciphertexts of its choice and sees what the client shows.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { encodedNetworkRoot, encodeNetwork, hashEncodedIntegers } from '../src/circuit/encoded-network.ts'
import { evaluateInClear } from '../src/circuit/network.ts'
import { type CircuitPlan, planCircuit } from '../src/circuit/plan.ts'
import { CircuitSession } from '../src/circuit/session.ts'
import { encodeHeader } from '../src/ckks/wire.ts'
import { at, range } from '../src/internal/at.ts'
import { createRing } from '../src/internal/ring.ts'
import { purposes, sampleTernary } from '../src/internal/streams.ts'
import { hashCiphertext } from '../src/lifecycle/answer-statement.ts'
import { EncryptedModelClient } from '../src/lifecycle/encrypted-model-client.ts'
import { leakBudgetBits, roundedBits, unverifiedAnswerLimit } from '../src/lifecycle/leak-budget.ts'
import { getParameters } from '../src/parameters.ts'
import { fakeRandom, random, randomNetwork } from './fixtures.ts'

const network = randomNetwork([64, 32, 10])
const plan = planCircuit(network)
const encoded = encodeNetwork(network, plan)
const modelRoot = encodedNetworkRoot(encoded)
const integersHash = hashEncodedIntegers(encoded)
const { polyDegree, coefficientModuli } = getParameters(plan.parameters)
const modulus = BigInt(coefficientModuli[0] ?? 0) * BigInt(coefficientModuli[1] ?? 0)
const input = new Float64Array(64).fill(0.5)

/** Fake signatures: a hash of key and statement. Real ones are the caller's. */
const sign = (signer: string, statement: Uint8Array): Uint8Array =>
  hashCiphertext(Uint8Array.from([...new TextEncoder().encode(signer), ...statement]))
const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(Buffer.from(b))

function createClient(label = 1) {
  let last = new Uint8Array()
  const client = new EncryptedModelClient({
    worker: 'worker-a',
    modelRoot,
    plan,
    integersHash,
    random: fakeRandom(label),
    verifyWorker: (statement, signature) => {
      last = Uint8Array.from(statement)
      return equal(signature, sign('worker-a', statement)) || equal(signature, alwaysSigned)
    },
    verifyReplay: (statement, signature) => equal(signature, sign('worker-b', statement)),
  })
  return { client, lastStatement: () => last, secret: secretOf(label) }
}
// The adversary stands for what it sends: its signature is valid, whatever it signs.
const alwaysSigned = new Uint8Array(32).fill(1)

/** The secret of a client with that fake source, drawn again: what the adversary's guesses are compared with. */
function secretOf(label: number): Int32Array {
  const ring = createRing(getParameters(plan.parameters))
  const buffer = at(ring.work.coefficients, 0)
  sampleTernary(ring, Uint8Array.from(fakeRandom(label)(32)), purposes.secret, buffer)
  return new Int32Array(ring.arena.memory.buffer, buffer, polyDegree).slice()
}

/** A response with any outputs and any c1: terms [power, coefficient] of c1, negacyclic powers allowed below 0. */
function craft(target: CircuitPlan, outputs: readonly bigint[], terms: readonly (readonly [number, bigint])[]): Uint8Array {
  const { width } = target.output
  const mod = (value: bigint): bigint => ((value % modulus) + modulus) % modulus
  const second = Array.from({ length: polyDegree }, () => 0n)
  for (const [power, coefficient] of terms) {
    const index = ((power % polyDegree) + polyDegree) % polyDegree
    second[index] = mod(power < 0 ? -coefficient : coefficient)
  }
  const packed = new Uint8Array((polyDegree * width) / 8)
  let [bits, held, offset] = [0n, 0, 0]
  for (const value of second) {
    bits |= (value >> BigInt(60 - width)) << BigInt(held)
    for (held += width; held >= 8; held -= 8, bits >>= 8n) packed[offset++] = Number(bits & 255n)
  }
  const words = new Uint8Array(new BigUint64Array(outputs.map(mod)).buffer)
  const header = encodeHeader({ kind: 'TFan', parameters: target.parameters, level: 2, extra: width })
  return Uint8Array.from([...header, ...new Uint8Array(32), ...words, ...packed])
}

const step = (value: number): bigint => BigInt(Math.round(value * 2 ** 8)) * BigInt(plan.output.scale / 2 ** 8)

describe('a client and an honest worker', () => {
  it('agree on the label, rounded values, and exact values after re-execution', () => {
    const { client, lastStatement } = createClient()
    const worker = new CircuitSession(encoded, client.keySet, { random })
    const replayer = new CircuitSession(encoded, client.keySet, { random })
    const expected = evaluateInClear(network, input)
    const ask = (ticket?: Uint8Array) => {
      const request = client.encrypt(input, ticket === undefined ? {} : { ticket })
      const evaluated = worker.evaluate(request.bytes)
      const attempt = (): unknown => client.receive(request, evaluated.response, new Uint8Array(32))
      assert.throws(attempt, { code: 'fhe.unsigned-answer' })
      return { request, ...evaluated, answer: client.receive(request, evaluated.response, sign('worker-a', lastStatement())) }
    }
    const ticket = client.announce()
    worker.prepare(ticket)
    assert.equal(client.openLabel(ask(ticket).answer), expected.indexOf(Math.max(...expected)))
    const rounded = client.openRounded(ask().answer)
    rounded.forEach((value, i) => {
      assert.ok(Math.abs(value - at(expected, i)) <= 2 ** -9 + 1e-3)
      assert.equal(value * 256, Math.round(value * 256))
    })
    const before = client.remainingBits
    const third = ask()
    assert.deepEqual(replayer.reevaluate(third.request.bytes, third.maskSeed), third.response)
    assert.throws(() => client.confirm(third.answer, 'worker-a', alwaysSigned), { code: 'fhe.unsigned-answer' })
    assert.throws(() => client.confirm(third.answer, 'worker-b', alwaysSigned), { code: 'fhe.unsigned-answer' })
    const statement = lastStatement()
    const renamed = Uint8Array.from(statement)
    renamed[renamed.indexOf(97, 30) === -1 ? 0 : statement.length - 4 * 32 - 1] = 'b'.charCodeAt(0)
    const confirmed = client.confirm(third.answer, 'worker-b', sign('worker-b', renamed))
    const exact = client.openExact(confirmed)
    assert.ok(exact.every((value, i) => Math.abs(value - at(expected, i)) < 1e-3))
    assert.equal(client.remainingBits, before)
  })

  it('use a ticket and an answer once', () => {
    const { client } = createClient()
    const worker = new CircuitSession(encoded, client.keySet, { random })
    const ticket = client.announce()
    const request = client.encrypt(input, { ticket })
    assert.throws(() => client.encrypt(input, { ticket }), { code: 'fhe.ticket' })
    assert.throws(() => client.encrypt(input, { ticket: random(32) }), { code: 'fhe.ticket' })
    const { response } = worker.evaluate(request.bytes)
    const answer = client.receive(request, response, alwaysSigned)
    assert.throws(() => client.receive(request, response, alwaysSigned), { code: 'fhe.ticket' })
    client.openLabel(answer)
    const left = client.remainingBits
    assert.throws(() => client.openLabel(answer), { code: 'fhe.ticket' })
    assert.equal(client.remainingBits, left, 'what was opened before costs nothing')
  })

  it('keep the secret out of logs and messages', () => {
    const { client } = createClient()
    const text = `${inspect(client, { depth: 9, showHidden: true })} ${JSON.stringify({ client: { ...client, keySet: 0, keySetHash: 0 } })}`
    assert.ok(!/secretKey|residues|Uint32Array\(\d{4}/.test(text))
  })
})

describe('a worker that answers with ciphertexts of its choice', () => {
  it('learns nothing from a wrapped answer but that the secret is gone', () => {
    const { client } = createClient(3)
    const request = client.encrypt(input)
    // The attack on raw floats: a sum that wraps modulo Q exactly where a coefficient of the secret is 1.
    const huge = (modulus * 2n) / 5n
    const response = craft(
      plan,
      range(10).map(() => modulus / 5n),
      [[0, huge]],
    )
    const answer = client.receive(request, response, alwaysSigned)
    assert.throws(
      () => client.openRounded(answer),
      (error: { code: string; replaceAfterMs: number }) => {
        return error.code === 'fhe.refused-answer' && error.replaceAfterMs >= 60_000 && error.replaceAfterMs <= 3_600_000
      },
    )
    assert.ok(client.destroyed)
    assert.throws(() => client.encrypt(input), { code: 'fhe.secret-destroyed' })
    assert.throws(() => client.announce(), { code: 'fhe.secret-destroyed' })
  })

  it('destroys the secret with malformed bytes, before anything is decrypted', () => {
    const mutations: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.subarray(0, bytes.length - 1),
      (bytes) => Uint8Array.from([...bytes, 0]),
      (bytes) => bytes.map((byte, i) => (i === 4 ? byte + 1 : byte)),
      (bytes) => bytes.map((byte, i) => (i >= 40 && i < 48 ? 255 : byte)),
      () => new Uint8Array(),
    ]
    for (const mutate of mutations) {
      const { client } = createClient(4)
      const request = client.encrypt(input)
      const honest = new CircuitSession(encoded, client.keySet, { random }).evaluate(request.bytes).response
      assert.throws(() => client.receive(request, mutate(honest), alwaysSigned), { code: 'fhe.refused-answer' })
      assert.ok(client.destroyed)
    }
  })

  it('reads no more coefficients from rounded values than the budget is worth', () => {
    const { client, secret } = createClient(5)
    // Output o reads sum_k 3^k s_(o + 10 k + start) in steps of 2^-8: as many ternary digits as fit the bound.
    const perOutput = Math.floor(Math.log(2 * plan.output.bound * 2 ** 8) / Math.log(3))
    let [learned, correct, answers] = [0, 0, 0]
    const outOfBudget = (): boolean => {
      const request = client.encrypt(input)
      const start = learned
      const terms = range(perOutput).map((k) => [-(start + 10 * k), step(3 ** k * 2 ** -8)] as const)
      const answer = client.receive(
        request,
        craft(
          plan,
          range(10).map(() => 0n),
          terms,
        ),
        alwaysSigned,
      )
      let values: Float64Array
      try {
        values = client.openRounded(answer)
      } catch (error) {
        assert.equal((error as { code: string }).code, 'fhe.answer-budget')
        return true
      }
      answers++
      for (const o of range(10)) {
        let rest = Math.round(at(values, o) * 2 ** 8)
        for (const k of range(perOutput)) {
          const digit = (((rest % 3) + 4) % 3) - 1
          rest = (rest - digit) / 3
          learned++
          if (digit === at(secret, start + o + 10 * k)) correct++
        }
      }
      return false
    }
    while (!outOfBudget()) assert.ok(answers < 300)
    assert.equal(answers, Math.floor((leakBudgetBits + 0.5) / roundedBits(plan)))
    assert.equal(correct, learned, 'the attack works as far as it goes')
    // Beyond 540 known coefficients the margin of the security estimate would shrink below 143 bits.
    assert.ok(learned > 0 && learned <= 540, `${learned} coefficients`)
  })

  it('learns at most the label of 256 answers', () => {
    const { client, secret } = createClient(6)
    let [answers, bits] = [0, 0]
    for (;;) {
      const request = client.encrypt(input)
      // Output 0 beats output 1 exactly when s_i > s_(i+1); the others stay far below.
      const offsets = range(10).map((o) => step(o === 0 ? -0.5 : o === 1 ? 0 : -4))
      const answer = client.receive(request, craft(plan, offsets, [[-answers, step(1)]]), alwaysSigned)
      let label: number
      try {
        label = client.openLabel(answer)
      } catch (error) {
        assert.equal((error as { code: string }).code, 'fhe.answer-budget')
        break
      }
      if ((label === 0) === at(secret, answers) > at(secret, answers + 1)) bits++
      answers++
    }
    assert.equal(answers, unverifiedAnswerLimit)
    assert.equal(bits, answers, 'the attack works as far as it goes')
    assert.ok(!client.destroyed)
  })

  it('cannot answer one request twice, or for another model or client', () => {
    const first = createClient(7)
    const second = createClient(8)
    const request = first.client.encrypt(input)
    const foreign = second.client.encrypt(input)
    assert.throws(
      () =>
        first.client.receive(
          foreign,
          craft(
            plan,
            range(10).map(() => 0n),
            [],
          ),
          alwaysSigned,
        ),
      { code: 'fhe.ticket' },
    )
    const answer = first.client.receive(
      request,
      craft(
        plan,
        range(10).map(() => 0n),
        [],
      ),
      alwaysSigned,
    )
    const left = second.client.remainingBits
    assert.throws(() => second.client.openLabel(answer), { code: 'fhe.ticket' })
    assert.equal(second.client.remainingBits, left)
    assert.equal(first.client.openLabel(answer), 0, 'and the attempt did not take it')
  })
})
