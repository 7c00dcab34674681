// What the noise of an answer tells about weights beyond the outputs, without flooding and with it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decryptOutputs, encodeInput, parseResponse } from '../src/circuit/client-codec.ts'
import { encodeNetwork } from '../src/circuit/encoded-network.ts'
import { drawFlooding, fisherInformation, floodingDistanceLog2, floodingLimit } from '../src/circuit/flooding.ts'
import { evaluateInClear, type SquareNetwork } from '../src/circuit/network.ts'
import { keyNeedsOf, planCircuit } from '../src/circuit/plan.ts'
import { CircuitSession } from '../src/circuit/session.ts'
import { encodeEvaluationKeys, generateKeys } from '../src/ckks/evaluation-keys.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { at, range } from '../src/internal/at.ts'
import { createRing } from '../src/internal/ring.ts'
import { getParameters } from '../src/parameters.ts'
import { createCrew } from '../src/node/index.ts'
import { random, randomNetwork } from './fixtures.ts'

/** The same function from other weights: rows of the first layer times `factor`, columns of the second divided by its square. */
function rescaled({ layers, inputRange }: SquareNetwork, factor: number): SquareNetwork {
  const [first, second] = [at(layers, 0), at(layers, 1)]
  const scaled = { ...first, weights: first.weights.map((w) => w * factor), bias: first.bias.map((b) => b * factor) }
  return { layers: [scaled, { ...second, weights: second.weights.map((w) => w / factor ** 2) }], inputRange }
}

/** Variance of the outputs' errors over many answers to one input. */
function errorVariance(network: SquareNetwork, flooding: number | undefined, answers: number): number {
  const plan = planCircuit(network, flooding === undefined ? {} : { flooding })
  const ring = createRing(getParameters(plan.parameters))
  const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), random)
  const session = new CircuitSession(encodeNetwork(network, plan), encodeEvaluationKeys(evaluationKeys), { random, tickets: 0 })
  const input = new Float64Array(plan.input.count).fill(0.5)
  const values = range(answers).map(() => {
    const request = encryptSeeded(ring, secretKey, encodeInput(plan, input), { level: plan.level, random })
    return decryptOutputs(ring, secretKey, plan, parseResponse(plan, session.evaluate(request).response))
  })
  const means = range(plan.output.outputs).map((o) => values.reduce((sum, v) => sum + at(v, o), 0) / answers)
  const squares = values.map((v) => v.reduce((sum, value, o) => sum + (value - at(means, o)) ** 2, 0))
  const truth = evaluateInClear(network, input)
  assert.ok(values.every((v) => v.every((value, o) => Math.abs(value - at(truth, o)) <= plan.error.bound)))
  return squares.reduce((sum, square) => sum + square, 0) / (answers * plan.output.outputs)
}

describe('flooding', () => {
  const network = randomNetwork([32, 16, 10])
  const other = rescaled(network, 1 / 8)
  const answers = 40

  it('is needed: without it, noise tells apart two sets of weights that compute the same', () => {
    const [a, b] = [errorVariance(network, undefined, answers), errorVariance(other, undefined, answers)]
    assert.ok(b > 2 * a, `variances ${a} and ${b}`)
  })

  it('hides that', () => {
    const [a, b] = [errorVariance(network, 2 ** -9, answers), errorVariance(other, 2 ** -9, answers)]
    // 600 values each: the ratio of two equal variances stays within five deviations of 1.
    assert.ok(Math.abs(Math.log(b / a)) < 5 * Math.sqrt(4 / (answers * 10)), `variances ${a} and ${b}`)
    assert.ok(a > 2 ** -20.5 && a < 2 ** -17.5)
  })

  it('says honestly how much: the distance shrinks with the noise, and nothing is promised without it', () => {
    const plans = [undefined, 2 ** -12, 2 ** -9, 2 ** -6].map((flooding) =>
      planCircuit(network, flooding === undefined ? {} : { flooding }),
    )
    const distances = plans.map(({ output, error }) => floodingDistanceLog2(output, error.deviation))
    assert.equal(at(distances, 0), 0)
    range(3).forEach((i) => assert.ok(at(distances, i + 1) < at(distances, i)))
    plans.forEach(({ output, error }) => assert.ok(error.bound > floodingLimit(output.flooding) / output.scale))
    for (const flooding of [-1, 2, Number.NaN]) assert.throws(() => planCircuit(network, { flooding }), { code: 'fhe.unsupported-circuit' })
  })

  it('is drawn from the mask seed, within six deviations, with the deviation it names', () => {
    const ring = createRing(getParameters('ckks-8192-180'))
    const [seed, bits] = [random(32), 40]
    const noise = drawFlooding(ring, seed, 3000, bits)
    assert.deepEqual(drawFlooding(ring, seed, 3000, bits), noise)
    assert.equal(new Set(noise).size, noise.length)
    assert.ok(noise.every((value) => Math.abs(Number(value)) <= floodingLimit(bits)))
    const shares = noise.map((value) => Number(value) / 2 ** bits)
    const mean = shares.reduce((sum, x) => sum + x, 0) / shares.length
    const variance = shares.reduce((sum, x) => sum + x ** 2, 0) / shares.length
    assert.ok(Math.abs(mean) < 5 / Math.sqrt(3000) && Math.abs(variance - 1) < 5 * Math.sqrt(2 / 3000))
    assert.deepEqual(drawFlooding(ring, seed, 4, 0), [0n, 0n, 0n, 0n])
  })

  it('has the Fisher information that the distance is computed with', () => {
    // Density of the sum of twelve variables uniform on [0, 1): eleven running means of a box.
    const steps = 1000
    let density = new Float64Array(steps).fill(1 / steps)
    for (const _ of range(11)) {
      let sum = 0
      density = Float64Array.from({ length: density.length + steps - 1 }, (_, i) => {
        sum += (density[i] ?? 0) - (density[i - steps] ?? 0)
        return Math.max(0, sum) / steps
      })
    }
    const information = density.reduce((sum, value, i) => {
      const before = density[i - 1] ?? 0
      return value + before > 0 ? sum + (value - before) ** 2 / ((value + before) / 2) : sum
    }, 0)
    assert.ok(information * steps ** 2 <= fisherInformation && information * steps ** 2 > 0.99)
  })

  it('is added again, to the bit, by whoever re-executes and by two threads', async () => {
    const plan = planCircuit(network, { flooding: 2 ** -9 })
    const encoded = encodeNetwork(network, plan)
    const ring = createRing(getParameters(plan.parameters))
    const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), random)
    const keys = encodeEvaluationKeys(evaluationKeys)
    const request = encryptSeeded(ring, secretKey, encodeInput(plan, new Float64Array(32)), { level: plan.level, random })
    const { response, maskSeed } = new CircuitSession(encoded, keys, { random }).evaluate(request)
    await using crew = createCrew(2)
    const two = new CircuitSession(encoded, keys, { random, createRunner: crew.createRunner })
    await crew.ready()
    assert.deepEqual(two.reevaluate(request, maskSeed), response)
  })
})
