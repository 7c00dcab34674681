// 10,000 encrypted evaluations of random networks: the error stays below both bounds that the plan predicts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createGenerator } from '../bench/networks.ts'
import { decryptOutputs, encodeInput, parseResponse } from '../src/circuit/client-codec.ts'
import { evaluateInClear } from '../src/circuit/network.ts'
import { CircuitSession } from '../src/circuit/session.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { range } from '../src/internal/at.ts'
import { random, setUp } from './fixtures.ts'

const networks = 100
const inputsEach = 100

describe('random networks', () => {
  it(`keep the predicted error over ${networks * inputsEach} evaluations`, () => {
    const { uniform } = createGenerator(2026)
    let [largestShare, largestTypicalShare, evaluations] = [0, 0, 0]
    for (const index of range(networks)) {
      const widths = [1 + Math.floor(uniform() * 300), 1 + Math.floor(uniform() * 64), 1 + Math.floor(uniform() * 20)]
      const made = setUp(widths, { seed: index + 1 })
      const session = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 0 })
      for (const _ of range(inputsEach)) {
        const sparse = uniform()
        const input = Float64Array.from({ length: widths[0] ?? 0 }, () => (uniform() < sparse ? uniform() : 0))
        const request = encryptSeeded(made.ring, made.secretKey, encodeInput(made.plan, input), { level: made.plan.level, random })
        const { response } = session.evaluate(request)
        const outputs = decryptOutputs(made.ring, made.secretKey, made.plan, parseResponse(made.plan, response))
        const expected = evaluateInClear(made.network, input)
        const error = Math.max(...outputs.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN))))
        assert.ok(error <= made.plan.error.bound, `${widths.join('-')}: ${error} > ${made.plan.error.bound}`)
        assert.ok(error <= made.plan.error.typical, `${widths.join('-')}: ${error} > ${made.plan.error.typical} (typical)`)
        largestShare = Math.max(largestShare, error / made.plan.error.bound)
        largestTypicalShare = Math.max(largestTypicalShare, error / made.plan.error.typical)
        evaluations++
      }
    }
    assert.equal(evaluations, networks * inputsEach)
    assert.ok(largestShare < 1)
    // The typical bound is seven deviations: over so many answers five or six of them should have been seen, or it is too loose.
    assert.ok(largestTypicalShare > 0.3 && largestTypicalShare < 1, `largest share of the typical bound: ${largestTypicalShare}`)
    console.log(`largest share of the bound ${largestShare.toFixed(3)}, of the typical bound ${largestTypicalShare.toFixed(3)}`)
  })
})
