// The extractor of the soundness argument, run: a prover is rewound to its last challenge; from as many answers as the argument says,
// interpolation finds every combined vector, the empty power, and the claim. What it finds is what the prover committed to.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { createProofEngine } from '../src/engine.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { inner, mod, power, ReferenceTranscript, toNumber } from '../src/reference/arithmetic.ts'
import { type Challenges, digitSizes, existingRows, gateParts, shapeOf, weightsOf } from '../src/reference/layer.ts'
import { wiresOf } from '../src/reference/wires.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { type Instance, proveAnything, statementOf } from './support/lying-prover.ts'
import { smallInstance, smallLayers } from './support/small-layers.ts'

const hashed = (label: string): bigint => mod(toNumber(keccak_256(new TextEncoder().encode(label))))
const bits = (n: number): number => Math.ceil(Math.log2(n))

/** Runs the prover with fixed coins and challenges, except the last challenge; returns f1(c). */
function answer(instance: Instance, c: bigint): readonly bigint[] {
  const { challenge } = ReferenceTranscript.prototype
  const original = globalThis.crypto.getRandomValues
  let coins = 0
  const used = new Map<string, number>()
  ReferenceTranscript.prototype.challenge = (tag) => {
    const k = used.get(tag) ?? 0
    used.set(tag, k + 1)
    return tag === 'c' ? c : hashed(`${tag} ${k}`)
  }
  globalThis.crypto.getRandomValues = ((out: Uint8Array) => {
    const seed = keccak_256(new TextEncoder().encode(`coin ${coins++}`))
    out.set([...seed, ...seed].slice(0, out.length))
    return out
  }) as typeof original
  try {
    const proof = proveAnything(instance, statementOf(instance))
    const { points, f1 } = proofLayout(createRelation(instance.spec))
    return Array.from({ length: f1 }, (_, k) => toNumber(proof.subarray(33 * points + 32 * k, 33 * points + 32 * (k + 1))))
  } finally {
    ReferenceTranscript.prototype.challenge = challenge
    globalThis.crypto.getRandomValues = original
  }
}

/** Coefficients of the polynomial of degree below n with these values at 1 .. n. */
function interpolate(values: readonly bigint[]): readonly bigint[] {
  const n = values.length
  let coefficients = new Array<bigint>(n).fill(0n)
  values.forEach((value, i) => {
    let basis = [1n]
    let scale = 1n
    for (let j = 0; j < n; j++) {
      if (j === i) continue
      const root = BigInt(j + 1)
      basis = [...basis, 0n].map((_, k) => mod((basis[k - 1] ?? 0n) - root * (basis[k] ?? 0n)))
      scale = mod(scale * BigInt(i - j))
    }
    const factor = mod(value * power(scale, -1))
    coefficients = coefficients.map((sum, k) => mod(sum + factor * (basis[k] ?? 0n)))
  })
  return coefficients
}

describe('extraction', async () => {
  const engine = await createProofEngine()
  for (const name of ['dense', 'convolution', 'matmul', 'add', 'averagePool', 'argmax', 'softmax', 'layerNorm']) {
    it(`${name}: rewinding the last challenge opens every vector; the claim is theirs and that of the cells`, () => {
      const spec = smallLayers[name]
      assert.ok(spec !== undefined)
      const instance = smallInstance(engine, spec)
      const shape = shapeOf(spec)
      const degree = Math.max(...shape.vectors)
      const answers = Array.from({ length: degree + 1 }, (_, k) => answer(instance, BigInt(k + 1)))
      const columns = Array.from({ length: shape.columns }, (_, column) => interpolate(answers.map((f1) => f1[column] ?? 0n)))
      const vector = (exponent: number): readonly bigint[] => columns.map((coefficients) => coefficients[exponent] ?? 0n)
      // one more answer lies on the same polynomial
      const more = BigInt(degree + 2)
      assert.deepEqual(
        answer(instance, more),
        columns.map((coefficients) => mod(coefficients.reduce((sum, value, k) => sum + value * more ** BigInt(k), 0n))),
      )
      // powers at which no vector stands are empty
      for (let k = 0; k <= degree; k++)
        if (!shape.vectors.includes(k))
          assert.ok(
            vector(k).every((value) => value === 0n),
            `power ${k}`,
          )
      // the challenges that the prover was given
      const rowBits = digitSizes(shape)
        .slice(0, -1)
        .reduce((sum, size) => sum + bits(size), 0)
      const drawn = (tag: string, n: number): bigint[] => Array.from({ length: n }, (_, k) => hashed(`${tag} ${k}`))
      const tau = drawn('tau', rowBits + bits(shape.slots))
      const challenges: Challenges = {
        tau,
        alpha: hashed('alpha 0'),
        lambda: drawn('lambda', shape.constraints),
        mu: drawn('mu', 3),
        nu: hashed('nu 0'),
        omega: hashed('omega 0'),
        psi: hashed('psi 0'),
      }
      const weights = weightsOf(shape, tau)
      const wires = wiresOf(spec, shape, weights, challenges)
      let coefficient = 0n
      for (const a of shape.vectors) {
        if (shape.product && shape.vectors.includes(shape.target - a))
          coefficient += wires.quadratic * inner(vector(a), vector(shape.target - a))
        const form = wires.forms.get(shape.target - a)
        if (form !== undefined) coefficient += 2n * inner(vector(a), form)
      }
      const lambda = mod(coefficient * power(2n, -1) + wires.constant)
      // the same number from the cells: sum of eq(tau, row) Q(row)
      const eq = tau.slice(0, rowBits).reduce<bigint[]>((table, t) => table.flatMap((v) => [mod(v * (1n - t)), mod(v * t)]), [1n])
      let gate = 0n
      existingRows(shape).forEach((index, k) => {
        weights.slots.forEach((weight, slot) => {
          const [quadratic, linear] = gateParts(
            spec,
            (instance.cells[k] ?? []).slice(slot * shape.cells, (slot + 1) * shape.cells),
            challenges,
          )
          gate += (eq[index] ?? 0n) * mod(weight * (quadratic + linear))
        })
      })
      assert.equal(lambda, mod(gate))
    })
  }
})
