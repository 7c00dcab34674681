import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { assertSecure, getParameters, type ParameterSetName, parameterSetNames } from '../src/parameters.ts'

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
  return n > 1
}

describe('parameter sets', () => {
  it('hold the largest primes below 2^30 that are 1 modulo 2N, the special ones first', () => {
    for (const name of parameterSetNames) {
      const { polyDegree, coefficientModuli, specialModuli } = getParameters(name)
      const expected: number[] = []
      for (let q = 2 ** 30 + 1 - 2 * polyDegree; expected.length < coefficientModuli.length + 2; q -= 2 * polyDegree)
        if (isPrime(q)) expected.push(q)
      assert.deepEqual([...specialModuli, ...coefficientModuli], expected, name)
    }
  })

  it('lie inside the 128-bit table', () => {
    const bounds = new Map([
      [8192, 218],
      [16384, 438],
    ])
    for (const name of parameterSetNames) {
      const { polyDegree, logModulus } = getParameters(name)
      assert.ok(logModulus <= (bounds.get(polyDegree) ?? 0), name)
    }
  })

  it('have recorded estimates of every attack, all above 128 bits with the cost model that the estimator uses by default', () => {
    const recorded = new URL('../../../tools/lattice/estimates.json', import.meta.url)
    // Written by tools/lattice/estimate.py, in this shape.
    const { rows } = JSON.parse(readFileSync(recorded, 'utf8')) as {
      readonly rows: readonly Readonly<{
        set: string
        dimension: number
        logModulus: number
        attack: string
        model: string
        bits: number
      }>[]
    }
    for (const name of parameterSetNames) {
      const { polyDegree, logModulus } = getParameters(name)
      const own = rows.filter(({ set, model }) => set.split(',')[0] === name && model === 'MATZOV')
      const full = own.filter(({ set }) => set === name)
      for (const attack of ['usvp', 'bdd', 'dual', 'dual hybrid']) assert.ok(full.some((row) => row.attack === attack))
      for (const row of full) assert.deepEqual([row.dimension, row.logModulus], [polyDegree, Math.round(logModulus)])
      for (const row of own) assert.ok(row.bits >= 128 && row.logModulus >= logModulus, `${row.set}: ${row.attack}`)
    }
  })

  it('cannot be made under another name', () => {
    for (const name of ['ckks-8192-240', 'toString', '__proto__', '']) {
      // The cast stands for a caller without types.
      assert.throws(() => getParameters(name as ParameterSetName), { code: 'fhe.unknown-parameters' })
    }
  })

  it('refuse a ring that the table does not know, and a modulus above its bound', () => {
    for (const [degree, bits] of [
      [512, 20],
      [1000, 10],
      [8192, 219],
      [16384, 439],
      [8192, Number.NaN],
    ] as const)
      assert.throws(() => assertSecure(degree, bits), { code: 'fhe.insecure-parameters' })
    assertSecure(8192, 218)
  })

  it('leave room to round an answer without wrapping', () => {
    for (const name of parameterSetNames) {
      const [q0 = 0, q1 = 0] = getParameters(name).coefficientModuli
      assert.ok((1n << 60n) - BigInt(q0) * BigInt(q1) > 1n << 39n)
    }
  })
})
