import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { createGenerator } from '../bench/networks.ts'
import { decryptOutputs, encodeInput, parseResponse } from '../src/circuit/client-codec.ts'
import {
  assertEncoded,
  encodedNetworkRoot,
  encodeNetwork,
  hashEncodedNetwork,
  packedColumn,
  parseEncodedNetwork,
  serializeEncodedNetwork,
} from '../src/circuit/encoded-network.ts'
import { boundNetwork, evaluateInClear } from '../src/circuit/network.ts'
import { encodePlan, parsePlan } from '../src/circuit/parse-plan.ts'
import { planCircuit } from '../src/circuit/plan.ts'
import { CircuitSession } from '../src/circuit/session.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { at, range } from '../src/internal/at.ts'
import { getParameters } from '../src/parameters.ts'
import { fakeRandom, random, randomNetwork, setUp, setUpNetwork } from './fixtures.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function ask(made: ReturnType<typeof setUp>, session: CircuitSession, input: ArrayLike<number>) {
  const { ring, secretKey, plan } = made
  const request = encryptSeeded(ring, secretKey, encodeInput(plan, input), { level: plan.level, random })
  const { response, maskSeed } = session.evaluate(request)
  return { request, response, maskSeed, outputs: decryptOutputs(ring, secretKey, plan, parseResponse(plan, response)) }
}

function largestError(a: Float64Array, b: Float64Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))))
}

describe('encrypted networks', () => {
  for (const widths of [
    [784, 64, 10],
    [64, 32, 10],
    [20, 3],
    [9, 5, 2],
    [200, 7, 33],
  ]) {
    it(`compute what the network computes in the clear: ${widths.join('-')}`, () => {
      const made = setUp(widths)
      const session = new CircuitSession(made.encoded, made.keyBytes, { random })
      const { uniform } = createGenerator(9)
      const count = widths[0] ?? 0
      const inputs = [new Float64Array(count), new Float64Array(count).fill(1), Float64Array.from({ length: count }, uniform)]
      for (const input of inputs) {
        const { outputs } = ask(made, session, input)
        const error = largestError(evaluateInClear(made.network, input), outputs)
        assert.ok(error <= made.plan.error.bound, `${error} > ${made.plan.error.bound}`)
        assert.ok(error <= 1e-3, `error ${error}`)
      }
    })
  }

  it('keep the bound when all rows of a layer make the same error', () => {
    const network = randomNetwork([64, 32, 10])
    const [first, second] = [at(network.layers, 0), at(network.layers, 1)]
    const row = first.weights.subarray(0, 64)
    const layers = [
      { ...first, weights: Float64Array.from(first.weights, (_, i) => at(row, i % 64)), bias: first.bias.map(() => at(first.bias, 0)) },
      { ...second, weights: second.weights.map(Math.abs) },
    ]
    const made = setUpNetwork({ ...network, layers })
    const session = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 0 })
    const { uniform } = createGenerator(31)
    for (const _ of range(15)) {
      const input = Float64Array.from({ length: 64 }, uniform)
      const error = largestError(evaluateInClear(made.network, input), ask(made, session, input).outputs)
      assert.ok(error <= made.plan.error.bound && error <= made.plan.error.typical, `${error}, ${JSON.stringify(made.plan.error)}`)
    }
  })

  it('evaluate three layers at N = 16384', () => {
    const made = setUp([50, 40, 16, 4])
    assert.equal(made.plan.parameters, 'ckks-16384-240')
    const session = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 0 })
    const input = Float64Array.from({ length: 50 }, createGenerator(3).uniform)
    const { outputs } = ask(made, session, input)
    assert.ok(largestError(evaluateInClear(made.network, input), outputs) < 1e-3)
  })

  it('cover every (row, column) of the first layer exactly once', () => {
    const { plan } = setUp([784, 64, 10])
    const [hidden] = plan.hidden
    assert.ok(hidden)
    const slots = getParameters(plan.parameters).polyDegree / 2
    const column = packedColumn(plan)
    for (const row of [0, 1, 37, 63]) {
      const seen = new Uint8Array(plan.input.columns)
      for (let s = row; s < slots; s += hidden.period) {
        for (const k of range(hidden.diagonals)) {
          const t = column((s + k) % slots)
          seen[t] = (seen[t] ?? 0) + 1
        }
      }
      assert.ok(seen.every((times) => times === 1))
    }
  })

  it('give the same bytes with work done ahead, without it, and when re-executed', () => {
    const made = setUp([64, 32, 10])
    const [worker, other] = range(2).map(() => new CircuitSession(made.encoded, made.keyBytes, { random }))
    assert.ok(worker && other)
    const input = new Float64Array(64).fill(0.5)
    const { plan, ring, secretKey } = made
    const request = encryptSeeded(ring, secretKey, encodeInput(plan, input), { level: plan.level, random })
    worker.prepare(request.slice(8, 40))
    const { response, maskSeed } = worker.evaluate(request)
    assert.deepEqual(other.reevaluate(request, maskSeed), response)
    assert.deepEqual(worker.reevaluate(request, maskSeed), response)
  })

  it('use a seed once, announced or not', () => {
    const made = setUp([64, 32, 10])
    const session = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 1 })
    const input = new Float64Array(64)
    const { request } = ask(made, session, input)
    assert.throws(() => session.evaluate(request), { code: 'fhe.ticket' })
    assert.throws(() => session.prepare(request.slice(8, 40)), { code: 'fhe.ticket' })
    const seed = random(32)
    session.prepare(seed)
    assert.throws(() => session.prepare(seed), { code: 'fhe.ticket' })
    assert.throws(() => session.prepare(random(32)), { code: 'fhe.ticket' })
    session.discard(seed)
    assert.equal(session.freeTickets, 1)
    assert.throws(() => session.prepare(seed), { code: 'fhe.ticket' })
  })

  it('show only the outputs: the answer holds no other coefficient of c0, and its c1 is masked', () => {
    const made = setUp([64, 32, 10])
    const session = new CircuitSession(made.encoded, made.keyBytes, { random })
    const input = new Float64Array(64).fill(0.25)
    const { request, response } = ask(made, session, input)
    assert.equal(response.length, made.plan.sizes.responseBytes)
    assert.equal(response.length, 8 + 32 + 8 * 10 + (8192 * made.plan.output.width) / 8)
    const again = session.reevaluate(request, random(32))
    const differing = again.filter((byte, i) => byte !== response[i]).length
    assert.ok(differing > response.length * 0.9, 'another mask seed gives unrelated bytes')
  })

  it('are the same bytes on every run and engine with fixed randomness', () => {
    const made = setUp([64, 32, 10], { source: fakeRandom(7) })
    const session = new CircuitSession(made.encoded, made.keyBytes, { random: fakeRandom(8) })
    const input = Float64Array.from({ length: 64 }, (_, i) => i / 64)
    const message = encodeInput(made.plan, input)
    const request = encryptSeeded(made.ring, made.secretKey, message, { level: 4, random: fakeRandom(9) })
    const { response } = session.evaluate(request)
    const hashes = [encodedNetworkRoot(made.encoded), made.keyBytes, request, response].map((bytes) => sha256(bytes).slice(0, 16))
    assert.deepEqual(hashes, ['d9d9cdd686419508', '61f7b6a8ca3d510d', 'c7dd74e3c71dc6f9', 'b2d76f5748f862a1'])
  })

  it('answer exactly to the model that was committed', () => {
    const { encoded } = setUp([64, 32, 10])
    const changed = { ...encoded, output: encoded.output.map((value, i) => (i === 0 ? value + 1 : value)) }
    assert.notDeepEqual(encodedNetworkRoot(changed), encodedNetworkRoot(encoded))
    assert.throws(() => assertEncoded({ ...encoded, output: encoded.output.subarray(1) }), { code: 'fhe.malformed' })
    assert.throws(() => assertEncoded({ ...encoded, output: encoded.output.map(() => 0.5) }), { code: 'fhe.malformed' })
  })

  it('have interval bounds that no input in range exceeds', () => {
    const network = randomNetwork([64, 32, 10])
    const { output } = boundNetwork(network)
    const { uniform } = createGenerator(5)
    for (const _ of range(200)) {
      const input = Float64Array.from({ length: 64 }, () => (uniform() < 0.5 ? 0 : 1))
      assert.ok(evaluateInClear(network, input).every((value) => Math.abs(value) <= output))
    }
  })

  it('are refused by layer when they do not fit', () => {
    const deep = randomNetwork([8, 8, 8, 8, 8, 8])
    assert.throws(() => planCircuit(deep), { code: 'fhe.unsupported-circuit', layer: 5 })
    assert.throws(() => planCircuit(randomNetwork([64, 4096, 10])), { code: 'fhe.unsupported-circuit' })
    const network = randomNetwork([8, 4, 2])
    const [first, ...rest] = network.layers
    assert.ok(first)
    const huge = { ...network, layers: [{ ...first, weights: first.weights.map((w) => w * 1e9) }, ...rest] }
    assert.throws(() => planCircuit(huge), { code: 'fhe.unsupported-circuit', layer: 1 })
    const broken = { ...network, layers: [{ ...first, weights: first.weights.map(() => Number.NaN) }, ...rest] }
    assert.throws(() => planCircuit(broken), { code: 'fhe.unsupported-circuit', layer: 1 })
  })

  it('take no input outside their range', () => {
    const { plan } = setUp([9, 5, 2])
    for (const bad of [Number.NaN, 1.0001, -0.0001, Number.POSITIVE_INFINITY])
      assert.throws(() => encodeInput(plan, new Float64Array(9).fill(bad)), { code: 'fhe.input-range' })
    assert.throws(() => encodeInput(plan, new Float64Array(8)), { code: 'fhe.input-range' })
  })

  it('encode the same integers as they plan', () => {
    const network = randomNetwork([9, 5, 2])
    const plan = planCircuit(network)
    assert.deepEqual(encodedNetworkRoot(encodeNetwork(network, plan)), encodedNetworkRoot(encodeNetwork(network, plan)))
  })
})

describe('an encoded network as bytes', () => {
  const { encoded } = setUp([9, 5, 2])
  const bytes = serializeEncodedNetwork(encoded)
  it('comes back as it was', () => {
    assert.deepEqual(parseEncodedNetwork(bytes), encoded)
    assert.deepEqual(hashEncodedNetwork(bytes), encodedNetworkRoot(encoded))
  })
  it('is refused when cut, grown or not followable', () => {
    for (const size of [0, 7, 11, 12, 500, bytes.length - 1, bytes.length - 8]) {
      assert.throws(() => parseEncodedNetwork(bytes.slice(0, size)), { code: 'fhe.malformed' })
    }
    assert.throws(() => parseEncodedNetwork(Uint8Array.from([...bytes, ...new Uint8Array(8)])), { code: 'fhe.malformed' })
    const plans: readonly (readonly [string, string])[] = [
      ['"level":4,"output"', '"level":6,"output"'],
      ['"diagonals":1', '"diagonals":0'],
      ['"width":', '"width":1'],
      ['"version":1', '"version":2'],
      ['ckks-8192-180', 'ckks-8192-999'],
    ]
    for (const [from, to] of plans) {
      const text = new TextDecoder().decode(encodePlan(encoded.plan))
      const json = text.replace(from, to)
      assert.notEqual(json, text)
      assert.throws(() => parsePlan(new TextEncoder().encode(json)), { code: 'fhe.malformed' }, to)
    }
  })
})
