import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { generate } from '../../../tools/approximations/generate.ts'
import { readFileSync } from 'node:fs'
import * as functions from '../src/f32/functions.ts'
import { laneSum } from '../src/interpret/lane-sum.ts'

/** Distance in units of the last place of the float32 nearest to `wanted`. */
function unitsInLastPlace(got: number, wanted: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(wanted))))
  return Math.abs(got - wanted) / 2 ** (exponent - 23)
}

function worst(f: (x: number) => number, reference: (x: number) => number, [low, high]: readonly [number, number]): number {
  let largest = 0
  for (let i = 0; i <= 40_000; i++) {
    const x = Math.fround(low + ((high - low) * i) / 40_000)
    if (x !== 0) largest = Math.max(largest, unitsInLastPlace(f(x), reference(x)))
  }
  return largest
}

/** erf by its series of positive terms, in double precision. */
function erf(x: number): number {
  let term = Math.abs(x)
  let sum = term
  for (let n = 1; n < 150; n++) sum += term *= (2 * x * x) / (2 * n + 1)
  return (Math.sign(x) * 2 * Math.exp(-x * x) * sum) / Math.sqrt(Math.PI)
}

describe('the functions of the f32 profile', () => {
  it('have the accuracy that the specification states', () => {
    assert.ok(worst(functions.exp, Math.exp, [-87, 88.7]) <= 1)
    assert.ok(worst(functions.log, Math.log, [1e-6, 1000]) <= 1)
    assert.ok(worst(functions.erf, erf, [-5, 5]) <= 7)
    assert.ok(worst(functions.tanh, Math.tanh, [-12, 12]) <= 6)
    assert.ok(worst(functions.sigmoid, (x) => 1 / (1 + Math.exp(-x)), [-20, 20]) <= 3)
  })

  it('take the ends of the number line in their stride', () => {
    assert.equal(functions.exp(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
    assert.equal(functions.exp(89), Number.POSITIVE_INFINITY)
    assert.equal(functions.exp(Number.NEGATIVE_INFINITY), 0)
    assert.ok(functions.exp(-103) > 0)
    assert.ok(Number.isNaN(functions.exp(Number.NaN)))
    assert.equal(functions.log(0), Number.NEGATIVE_INFINITY)
    assert.ok(Number.isNaN(functions.log(-1)))
    assert.equal(functions.log(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
    assert.ok(Math.abs(functions.log(1e-40) - Math.log(Math.fround(1e-40))) < 1e-5)
    for (const limit of [functions.erf, functions.tanh]) {
      assert.ok(Math.abs(limit(100)) <= 1 && limit(100) > 0.999999)
      assert.equal(limit(-3), -limit(3))
      assert.ok(Object.is(limit(-0), -0))
      assert.ok(Number.isNaN(limit(Number.NaN)))
    }
    assert.ok(Object.is(functions.nearest(-0.4), -0))
    assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5].map(functions.nearest), [0, 2, 2, -0, -2])
  })

  it('return float32 values only', () => {
    const inputs = fc.float({ noNaN: true })
    fc.assert(
      fc.property(inputs, inputs, (x, y) => {
        for (const value of [
          functions.exp(x),
          functions.log(x),
          functions.erf(x),
          functions.tanh(x),
          functions.gelu(x),
          functions.geluTanh(x),
          functions.softplus(x),
          functions.pow(x, y),
        ])
          if (!Object.is(Math.fround(value), value)) return false
        return true
      }),
      { numRuns: 500 },
    )
  })

  it('use the coefficients that tools/approximations derives', async () => {
    for (const [path, content] of await generate())
      assert.equal(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'), content)
  })
})

describe('lane sums', () => {
  it('add sixteen lanes and halve them, as a separate formulation does', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }), { maxLength: 70 }), (values) => {
        let lanes = Array.from({ length: 16 }, (_, lane) =>
          values.filter((_, i) => i % 16 === lane).reduce((sum, value) => Math.fround(sum + value), 0),
        )
        while (lanes.length > 1)
          lanes = lanes.slice(0, lanes.length / 2).map((value, lane) => Math.fround(value + (lanes[lane + lanes.length / 2] ?? 0)))
        return Object.is(
          laneSum(values.length, (i) => values[i] ?? 0),
          lanes[0],
        )
      }),
    )
  })
})
