// Steps of the soundness argument (docs/spec/proofs.md, section 9), computed instead of believed: weights of outputs are a basis, powers
// of c meet as the tables of section 5 say, every surplus column has a power of psi of its own.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mod } from '../src/reference/arithmetic.ts'
import { type Challenges, digitSizes, shapeOf, weightsOf } from '../src/reference/layer.ts'
import { wiresOf } from '../src/reference/wires.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { phiExponents } from '../src/relation/relation.ts'
import { denseSpec } from './support/layers.ts'
import { smallLayers } from './support/small-layers.ts'

const bits = (n: number): number => Math.ceil(Math.log2(n))

describe('steps of the soundness argument', () => {
  for (const [name, spec] of Object.entries(smallLayers)) {
    const relation = createRelation(spec)
    const shape = shapeOf(spec)

    it(`${name}: at every corner of tau one index has weight one, and every output has its corner`, () => {
      const l = digitSizes(shape).reduce((sum, size) => sum + bits(size), 0)
      const hit = new Set<number>()
      for (let corner = 0; corner < 2 ** l; corner++) {
        const tau = Array.from({ length: l }, (_, k) => BigInt((corner >> (l - 1 - k)) & 1))
        const { groups, chunks, columns, total } = weightsOf(shape, tau)
        const ones: number[] = []
        groups.forEach((g, t) => {
          chunks.forEach((d, c) => {
            columns.forEach((e, column) => {
              const weight = mod(g * d * e)
              assert.ok(weight === 0n || weight === 1n)
              const place = c * shape.chunk + column
              if (weight === 1n) ones.push(place < shape.length ? t * shape.length + place : -1)
            })
          })
        })
        assert.ok(ones.length <= 1, `corner ${corner}`)
        // E is the sum over the outputs that exist
        assert.equal(total, ones.filter((output) => output >= 0).length === 1 ? 1n : 0n)
        for (const output of ones) {
          if (output < 0) continue
          assert.ok(!hit.has(output), 'two corners for one output')
          hit.add(output)
        }
      }
      assert.equal(hit.size, shape.groups * shape.length)
    })

    it(`${name}: the mask meets nothing at the checked power, every form meets one vector, no vector stands there`, () => {
      const { vectorExponents: vectors, formExponents: forms, target, hasProduct } = relation
      assert.equal(new Set(vectors).size, vectors.length)
      assert.equal(new Set(forms).size, forms.length)
      const atTarget = (exponents: readonly number[], other: number): boolean => exponents.includes(target - other)
      assert.ok(!atTarget(forms, 0), 'the mask meets a form')
      if (hasProduct) assert.ok(!atTarget(vectors, 0), 'the mask meets a vector')
      for (const form of forms) assert.ok(vectors.includes(target - form) && target - form !== 0, `form ${form}`)
      if (hasProduct) assert.ok(!vectors.includes(target), 'the empty power')
      // every hidden vector is checked by something: a form, or a product with another vector
      for (const vector of vectors.filter((v) => v !== 0))
        assert.ok(atTarget(forms, vector) || (hasProduct && atTarget(vectors, vector)), `vector ${vector}`)
      const powers = phiExponents(relation)
      const arity = Math.max(...powers, target) - Math.min(...powers, target) + 1
      const A = (target - 1) / 2
      assert.equal(arity, spec.kind === 'conv' ? 13 : hasProduct ? 4 * A + 6 : 2 * forms.length)
    })

    it(`${name}: each surplus column carries one power of psi, no power occurs twice`, () => {
      // with every other challenge zero, the forms hold nothing but powers of psi = 2
      const l = digitSizes(shape).reduce((sum, size) => sum + bits(size), 0)
      const none: Challenges = {
        tau: new Array<bigint>(l).fill(3n),
        alpha: 0n,
        lambda: new Array<bigint>(shape.constraints).fill(0n),
        mu: [1n, 1n, 1n],
        nu: 0n,
        omega: 0n,
        psi: 2n,
      }
      const { forms } = wiresOf(spec, shape, weightsOf(shape, none.tau), none)
      const entries = [...forms.values()].flat().filter((value) => value !== 0n)
      const powers = entries.map((value) => value.toString(2).length - 1).sort((a, b) => a - b)
      assert.deepEqual(
        powers,
        Array.from({ length: entries.length }, (_, k) => k + 1),
      )
      assert.ok(entries.every((value) => value === 2n ** BigInt(value.toString(2).length - 1)))
      // output columns behind the chunk are surplus, whatever the kind
      const surplus = Math.max(0, relation.columns - relation.output.chunk)
      assert.equal(
        forms
          .get(-1)
          ?.slice(relation.output.chunk)
          .filter((value) => value === 0n).length,
        0,
      )
      assert.ok(entries.length >= surplus)
    })
  }

  it('no number of chunks makes powers meet that should not', () => {
    for (let chunks = 1; chunks <= 64; chunks++) {
      const { vectorExponents, formExponents, target } = createRelation(
        denseSpec({ inputSize: chunks, inputChunk: 1, outputSize: 2, slots: 1 }),
      )
      const pairs = vectorExponents.flatMap((a) => vectorExponents.filter((b) => a < b && a + b === target).map((b) => [a, b]))
      assert.deepEqual(
        pairs,
        Array.from({ length: chunks }, (_, k) => [k + 1, target - k - 1]),
      )
      assert.equal(formExponents.filter((f) => vectorExponents.includes(target - f)).length, chunks + 1)
      assert.ok(!vectorExponents.includes(target) && !formExponents.includes(target))
    }
  })
})
