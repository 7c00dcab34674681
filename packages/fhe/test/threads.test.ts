import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeInput } from '../src/circuit/client-codec.ts'
import { CircuitSession } from '../src/circuit/session.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { range } from '../src/internal/at.ts'
import { createCrew } from '../src/node/index.ts'
import { fakeRandom, random, setUp } from './fixtures.ts'

describe('two threads', () => {
  it('go on after a failure in the middle, and survive the loss of the helper', async () => {
    const made = setUp([64, 32, 10])
    const crew = createCrew(2)
    const one = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 0 })
    const two = new CircuitSession(made.encoded, made.keyBytes, { random, tickets: 0, createRunner: crew.createRunner })
    await crew.ready()
    const ask = (value: number) => {
      const message = encodeInput(made.plan, new Float64Array(64).fill(value))
      return encryptSeeded(made.ring, made.secretKey, message, { level: made.plan.level, random })
    }
    const check = (value: number): void => {
      const request = ask(value)
      const { response, maskSeed } = two.evaluate(request)
      assert.deepEqual(one.reevaluate(request, maskSeed), response)
    }
    for (const i of range(20)) {
      const observe = (name: string): void => {
        if (name === 'layer-1-sums') throw new RangeError('an observer that fails')
      }
      assert.throws(() => two.evaluate(ask(i / 20), { observe }), RangeError)
      check(i / 20)
    }
    await crew[Symbol.asyncDispose]()
    for (const i of range(3)) check(i / 3)
  })

  it('give the bytes of one thread, announced or not, and refuse what one thread refuses', async () => {
    const made = setUp([64, 32, 10])
    await using crew = createCrew(2)
    const one = new CircuitSession(made.encoded, made.keyBytes, { random: fakeRandom(3) })
    const two = new CircuitSession(made.encoded, made.keyBytes, { random: fakeRandom(3), createRunner: crew.createRunner })
    await crew.ready()
    for (const i of range(6)) {
      const message = encodeInput(made.plan, new Float64Array(64).fill(i / 6))
      const request = encryptSeeded(made.ring, made.secretKey, message, { level: made.plan.level, random })
      for (const session of [one, two]) if (i % 2 === 1) session.prepare(request.slice(8, 40))
      const [expected, got] = [one.evaluate(request), two.evaluate(request)]
      assert.ok(Buffer.from(got.response).equals(expected.response))
      const wild = encryptSeeded(made.ring, made.secretKey, message, { level: made.plan.level, random }).fill(255, 100, 200)
      for (const session of [one, two]) assert.throws(() => session.evaluate(wild), { code: 'fhe.malformed' })
    }
  })
})
