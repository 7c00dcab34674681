// Provers that lie about a softmax or a layer normalisation, at least one lie for every constraint and every range. Where it can be, a
// false intermediate value comes with everything that follows from it, so that one constraint alone has to refuse it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerNormSpec, SoftmaxSpec } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { invert, mod } from '../src/kernels/field.ts'
import { layerNormCells } from '../src/relation/layer-norm.ts'
import { softmaxCells } from '../src/relation/softmax.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { honestInstance, type Instance, proveAnything, statementOf } from './support/lying-prover.ts'

describe('attacks on rows', async () => {
  const engine = await createProofEngine()
  const verdict = (instance: Instance, claim: 'cells' | 'vectors'): boolean => {
    const statement = statementOf(instance)
    return verifyLayer(statement, proveAnything(instance, statement, { claim }), { engine }).ok
  }
  let turn = 0
  const refused = (instance: Instance, why: string): void => {
    assert.equal(verdict(instance, turn++ % 2 === 0 ? 'cells' : 'vectors'), false, why)
  }
  // one output per cell row: the masks are short and the slow prover quick
  const slotOf = (instance: Instance, output: number) => {
    const row = instance.cells[output] ?? []
    return {
      put: (at: number, width: number, value: number | bigint): void => {
        for (let k = 0; k < width; k++) row[at + k] = (BigInt(value) >> BigInt(k)) & 1n
      },
      set: (at: number, value: bigint): void => {
        row[at] = mod(value)
      },
      get: (at: number, width: number): number => {
        let value = 0
        for (let k = 0; k < width; k++) value += Number(row[at + k] ?? 0n) * 2 ** k
        return value
      },
    }
  }
  const change = (vector: bigint[] | undefined, at: number, by: bigint): void => {
    if (vector !== undefined) vector[at] = mod((vector[at] ?? 0n) + by)
  }

  describe('softmax', () => {
    const spec: SoftmaxSpec = {
      kind: 'softmax',
      rows: 2,
      heads: 1,
      size: 3,
      slots: 1,
      mask: 'causal',
      table: Array.from({ length: 256 }, (_, d) => Math.round(100 * Math.exp(-d / 4))),
    }
    const cells = softmaxCells(spec)
    const marker = 2 ** cells.sumBits
    // row 0 sees two values, row 1 all three; the maximum of row 1 is its second value
    const scores = Int8Array.of(4, 1, 9, -3, 7, 2)
    const honest = (): Instance => honestInstance(engine, spec, [scores])
    const slot = (instance: Instance, output: number) => slotOf(instance, output)
    const entry = (d: number): number => spec.table[d] ?? 0
    type Claim = { maximum: number; d: readonly number[]; masked?: readonly boolean[]; e?: readonly number[]; marks?: readonly boolean[] }
    /** Row 1 with cells and commitments for false intermediate values; later steps follow from earlier ones honestly. */
    const claim = ({ maximum, d, masked = [false, false, false], e, marks }: Claim): Instance => {
      const instance = honest()
      const values = d.map((difference, s) => (masked[s] === true ? 0 : (e?.[s] ?? entry(difference))))
      const marked = d.map((difference, s) => (marks?.[s] ?? difference === 0) && masked[s] !== true)
      const sum = values.reduce((a, b) => a + b, 0)
      const auxiliary = instance.auxiliary[0]?.[1]
      assert.ok(auxiliary !== undefined)
      auxiliary.vector = [...values.map((value, s) => BigInt(value + (marked[s] === true ? marker : 0))), BigInt(maximum)]
      d.forEach((difference, s) => {
        const p = Math.floor((510 * (values[s] ?? 0) + sum) / (2 * sum))
        const remainder = 510 * (values[s] ?? 0) + sum - 2 * sum * p
        const one = slot(instance, 3 + s)
        one.put(0, 32, 0)
        if (masked[s] !== true) one.put(difference >> 4, 1, 1)
        one.put(16 + (masked[s] === true ? 0 : difference & 15), 1, 1)
        one.put(cells.difference, 9, BigInt.asUintN(9, BigInt(maximum - (scores[3 + s] ?? 0))))
        one.put(cells.flag, 1, masked[s] === true ? 1 : 0)
        one.put(cells.sum, cells.sumBits, sum)
        one.put(cells.attained, cells.attainedBits, Math.max(0, marked.filter(Boolean).length - 1))
        one.put(cells.probability, 8, p)
        one.put(cells.remainder, cells.sumBits + 1, remainder)
        one.put(cells.slack, cells.sumBits + 1, 2 * sum - 1 - remainder)
        const output = instance.output[1]?.vector ?? []
        output[s] = BigInt(p - 128)
      })
      return instance
    }

    it('the same claim is accepted when it is true', () => {
      assert.ok(verdict(honest(), 'cells'))
      assert.ok(verdict(claim({ maximum: 7, d: [10, 0, 5] }), 'vectors'))
    })

    it('a maximum that no value reaches, with and without a mark; one that a value exceeds', () => {
      refused(claim({ maximum: 8, d: [11, 1, 6] }), 'not attained')
      refused(claim({ maximum: 8, d: [11, 1, 6], marks: [false, true, false] }), 'a mark where the difference is not zero')
      refused(claim({ maximum: 2, d: [5, 0, 0] }), 'exceeded: difference zero for -5')
      refused(claim({ maximum: 2, d: [5, 251, 0] }), 'exceeded: difference modulo 256')
      const half = claim({ maximum: 7, d: [10, 0, 5] })
      change(half.auxiliary[0]?.[1]?.vector, 3, invert(2n))
      refused(half, 'a maximum of one half more')
    })

    it('another exponential, a false difference, two entries at once', () => {
      refused(claim({ maximum: 7, d: [10, 0, 5], e: [entry(10), 100, entry(4)] }), 'a value that the table does not have there')
      refused(claim({ maximum: 7, d: [10, 0, 4] }), 'index of another difference')
      const two = honest()
      slot(two, 4).put(1, 1, 1)
      refused(two, 'two high nibbles')
      const none = honest()
      slot(none, 4).put(16, 16, 0)
      refused(none, 'no low nibble')
    })

    it('a position that is hidden, or seen, against the mask', () => {
      refused(claim({ maximum: 7, d: [10, 0, 5], masked: [false, false, true] }), 'hides a position')
      refused(claim({ maximum: 2, d: [5, 0, 0], masked: [false, true, false] }), 'hides the maximum')
      const open = honest()
      const one = slot(open, 2)
      one.put(cells.flag, 1, 0)
      one.put(0, 32, 0)
      one.put(0, 1, 1)
      one.put(16, 1, 1)
      refused(open, 'sees the future')
    })

    it('a sum, or a number of maxima, that is not the row', () => {
      const sum = honest()
      for (let s = 3; s < 6; s++) slot(sum, s).put(cells.sum, cells.sumBits, slot(sum, s).get(cells.sum, cells.sumBits) + 1)
      refused(sum, 'a larger sum')
      const attained = honest()
      for (let s = 3; s < 6; s++) slot(attained, s).put(cells.attained, 1, 1)
      refused(attained, 'two maxima')
      const moved = honest()
      change(moved.auxiliary[0]?.[1]?.vector, 0, 1n)
      change(moved.auxiliary[0]?.[1]?.vector, 1, -1n)
      refused(moved, 'a unit moved from one value to another')
      const exchanged = honest()
      exchanged.auxiliary = [[...(exchanged.auxiliary[0] ?? [])].reverse()]
      refused(exchanged, 'rows exchanged')
    })

    it('a probability off by one: remainder too small, too large, or wrapped', () => {
      const bits = cells.sumBits + 1
      for (const by of [1, -1]) {
        for (const s of [3, 4]) {
          const lie = honest()
          const one = slot(lie, s)
          const sum = one.get(cells.sum, cells.sumBits)
          const p = one.get(cells.probability, 8)
          const remainder = BigInt(one.get(cells.remainder, bits) - by * 2 * sum)
          if (p + by < 0 || p + by > 255) continue
          one.put(cells.probability, 8, p + by)
          one.put(cells.remainder, bits, BigInt.asUintN(bits, remainder))
          one.put(cells.slack, bits, BigInt.asUintN(bits, 2n * BigInt(sum) - 1n - remainder))
          change(lie.output[1]?.vector, s - 3, BigInt(by))
          refused(lie, `${by} at ${s}`)
          // the same with the negative number as one huge cell
          const target = remainder < 0n ? cells.remainder : cells.slack
          one.put(target, bits, 0)
          one.set(target, remainder < 0n ? remainder : 2n * BigInt(sum) - 1n - remainder)
          refused(lie, `${by} at ${s}, field element`)
        }
      }
    })

    it('an output that is not the probability, junk behind a row', () => {
      const output = honest()
      change(output.output[0]?.vector, 1, 1n)
      refused(output, 'output')
      const behind = honest()
      behind.output[0]?.vector.push(1n)
      refused(behind, 'junk in the output')
      const input = honest()
      input.inputs[0]?.[1]?.vector.push(1n)
      refused(input, 'junk in the input')
    })
  })

  describe('layer normalisation', () => {
    const spec: LayerNormSpec = {
      kind: 'layerNorm',
      rows: 1,
      size: 6,
      chunk: 6,
      slots: 1,
      gain: 9,
      epsilon: 2,
      zeroPoint: 1,
      low: -6,
      high: 9,
    }
    const cells = layerNormCells(spec)
    const x = Int8Array.of(3, -7, 20, 0, 1, -2)
    const honest = (): Instance => honestInstance(engine, spec, [x])
    const slot = (instance: Instance, output: number) => slotOf(instance, output)
    const centre = Array.from(x, (value) => 6 * value - x.reduce((a, b) => a + b, 0))
    const spread = centre.reduce((sum, c) => sum + c * c, 0) / 6 + 2
    const root = Math.floor(Math.sqrt(spread))
    /** All cells and commitments for a false root, or a false quotient of one output. */
    const claim = (lie: {
      sigma?: number
      slacks?: readonly [number, number]
      centre?: readonly number[]
      quotient?: readonly [number, number]
    }): Instance => {
      const instance = honest()
      const { sigma = root, slacks = [spread - root * root, 2 * root - (spread - root * root)] } = lie
      const digits = instance.auxiliary[1]?.[0]?.vector ?? []
      slacks.forEach((slack, which) => {
        for (let k = 0; k < cells.digits; k++)
          digits[which * cells.digits + k] = BigInt.asUintN(cells.digitBits, BigInt(slack) >> BigInt(cells.digitBits * k))
      })
      ;(lie.centre ?? centre).forEach((c, j) => {
        const one = slot(instance, j)
        const shift = lie.quotient?.[0] === j ? lie.quotient[1] : 0
        const rounded = sigma === 0 ? 0 : Math.floor((18 * c + sigma) / (2 * sigma)) + shift
        const remainder = 18 * c + sigma - 2 * sigma * rounded
        const distance = rounded + 7
        const value = Math.min(Math.max(distance, 0), 15)
        one.put(0, cells.centreBits, BigInt.asUintN(cells.centreBits, BigInt(c)))
        one.put(cells.root, cells.rootBits, sigma)
        one.put(cells.value, 4, value)
        one.put(cells.excess, cells.excessBits + 1, BigInt.asUintN(cells.excessBits + 1, BigInt(distance - value)))
        one.put(cells.remainder, cells.rootBits + 1, BigInt.asUintN(cells.rootBits + 1, BigInt(remainder)))
        one.put(cells.slack, cells.rootBits + 1, BigInt.asUintN(cells.rootBits + 1, BigInt(2 * sigma - 1 - remainder)))
        one.put(cells.digit, cells.digitBits, digits[j] ?? 0n)
        const squares = instance.auxiliary[0]?.[0]?.vector ?? []
        squares[j] = BigInt(c * c)
        const output = instance.output[0]?.vector ?? []
        output[j] = BigInt(value - 6)
      })
      return instance
    }

    it('the same claim is accepted when it is true', () => {
      assert.ok(verdict(honest(), 'cells'))
      assert.ok(verdict(claim({}), 'vectors'))
    })

    it('a root off by one, with every choice of slacks that keeps one of the two inequalities', () => {
      for (const sigma of [root - 1, root + 1]) {
        const first = spread - sigma * sigma
        refused(claim({ sigma, slacks: [first, 2 * sigma - first] }), `${sigma}: the negative slack cut to its digits`)
        refused(claim({ sigma, slacks: [first, 0] }), `${sigma}: no second slack`)
        refused(claim({ sigma, slacks: [0, 2 * sigma] }), `${sigma}: a first slack of zero`)
      }
      refused(claim({ sigma: 0, slacks: [spread, 0] }), 'zero')
    })

    it('digits that are not digits: a negative slack as one field element', () => {
      const sigma = root - 1
      const first = spread - sigma * sigma
      const lie = claim({ sigma, slacks: [first, 0] })
      change(lie.auxiliary[1]?.[0]?.vector, cells.digits, BigInt(2 * sigma - first))
      refused(lie, 'digit in the commitment only')
      slot(lie, cells.digits).set(cells.digit, BigInt(2 * sigma - first))
      refused(lie, 'digit in the cell too')
    })

    it('a mean or a square that is not the row', () => {
      refused(claim({ centre: centre.map((c) => c + 1) }), 'another mean')
      refused(claim({ centre: centre.map((c, j) => (j === 2 ? -c : c)) }), 'the sign of one value')
      const square = honest()
      change(square.auxiliary[0]?.[0]?.vector, 0, 1n)
      change(square.auxiliary[0]?.[0]?.vector, 1, -1n)
      refused(square, 'squares with the same sum')
      const wide = honest()
      // c = 18 and c = 18 - 2^12 differ in one cell that does not exist: a cell that is no bit
      slot(wide, 0).set(0, BigInt(centre[0] ?? 0))
      for (let k = 1; k < cells.centreBits; k++) slot(wide, 0).put(k, 1, 0)
      refused(wide, 'the whole number in one cell')
    })

    it('a quotient off by one, inside and outside the range', () => {
      for (const j of [0, 2, 5]) for (const by of [1, -1]) refused(claim({ quotient: [j, by] }), `${by} at ${j}`)
    })

    it('a clamp that is none: an excess inside the range, with the wrong sign, at the wrong end', () => {
      const inside = honest()
      const one = slot(inside, 0)
      const value = one.get(cells.value, 4)
      one.put(cells.value, 4, value - 1)
      one.put(cells.excess, cells.excessBits + 1, 1)
      change(inside.output[0]?.vector, 0, -1n)
      refused(inside, 'positive excess inside the range')
      const below = honest()
      const other = slot(below, 0)
      other.put(cells.value, 4, value + 1)
      other.put(cells.excess, cells.excessBits + 1, BigInt.asUintN(cells.excessBits + 1, -1n))
      change(below.output[0]?.vector, 0, 1n)
      refused(below, 'negative excess inside the range')
      const high = honest()
      const top = slot(high, 2)
      assert.ok(top.get(cells.excess, cells.excessBits) > 0, 'value 2 is clamped')
      top.put(cells.value, 4, 0)
      top.put(cells.excess, cells.excessBits + 1, top.get(cells.excess, cells.excessBits) + 15)
      change(high.output[0]?.vector, 2, -15n)
      refused(high, 'clamped to the other end')
    })

    it('an output that differs from its cells, an input that is not the row', () => {
      const output = honest()
      change(output.output[0]?.vector, 3, 1n)
      refused(output, 'output')
      const input = honest()
      change(input.inputs[0]?.[0]?.vector, 3, 1n)
      refused(input, 'input')
      const digit = honest()
      change(digit.auxiliary[1]?.[0]?.vector, 0, 1n)
      refused(digit, 'digit')
    })
  })
})
