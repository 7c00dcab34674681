// Provers that follow the protocol with a false witness. Every lie is tried with the claim taken from the committed vectors and with
// the claim taken from the false cells; both verifiers must refuse, and both must accept the same prover when it is honest.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { mod } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { convolutionSpec, denseSpec, randomTensor, randomWeights, requantisation, seeded } from './support/layers.ts'
import { honestInstance, type Instance, type Lies, proveAnything, statementOf } from './support/lying-prover.ts'

const small = requantisation({ shift: 4, zeroPoint: 0, low: 0, high: 15, excessBits: 6 })
const weightsFor = (spec: LayerSpec, seed: number) => {
  const next = seeded(seed)
  const random = randomWeights(spec, next)
  return {
    weights: random.weights.map((w) => Math.round(w / 16)),
    multipliers: random.multipliers.map((_, k) => 1 + (k % 2)),
    biases: random.biases.map((_, k) => BigInt(40 - 37 * k)),
  }
}
const tensor = (n: number, seed: number): Int8Array => randomTensor(n, seeded(seed)).map((v) => (v & 7) - 2)

describe('lying provers', async () => {
  const engine = await createProofEngine()
  const verdicts = (instance: Instance, lies: Lies = {}): readonly (boolean | string)[] => {
    const statement = statementOf(instance)
    const proof = proveAnything(instance, statement, lies)
    const slow = verifyLayerSlowly(statement, proof)
    return [verifyLayer(statement, proof, { engine }).ok, slow.ok ? true : slow.failed]
  }
  let turn = 0
  const refused = (instance: Instance, lies: Lies = {}): void => {
    const statement = statementOf(instance)
    // the fast verifier sees every lie twice, the slow one every third lie, in turns
    const slowly = [undefined, 'vectors', undefined, undefined, 'cells', undefined][turn++ % 6]
    for (const claim of ['vectors', 'cells'] as const) {
      const proof = proveAnything(instance, statement, { ...lies, claim })
      assert.deepEqual(verifyLayer(statement, proof, { engine }), { ok: false, failedCheck: 'equation' }, `claim from ${claim}`)
      if (claim !== slowly) continue
      const slow = verifyLayerSlowly(statement, proof)
      assert.ok(!slow.ok && slow.failed !== 'encoding', `slow verifier, claim from ${claim}`)
    }
  }

  const dense = denseSpec({
    inputSize: 5,
    outputSize: 3,
    inputChunk: 3,
    outputChunk: 2,
    slots: 2,
    inputZeroPoint: 0,
    requantisation: small,
  })
  const make = (seed = 3): Instance => honestInstance(engine, dense, [tensor(5, seed)], weightsFor(dense, seed))
  const width = 4 + 4 + 6 + 1
  /** Sets value, excess, sign and remainder of output `o` (chunk o >> 1, slot o & 1). */
  const setCells = (instance: Instance, o: number, change: { Y?: number; E?: number; sigma?: number; r?: number }): void => {
    const row = instance.cells[o >> 1] ?? []
    const from = (o & 1) * width
    const put = (at: number, n: number, value: number | undefined): void => {
      if (value === undefined) return
      for (let k = 0; k < n; k++) row[from + at + k] = BigInt((value >> k) & 1)
    }
    put(0, 4, change.r)
    put(4, 4, change.Y)
    put(8, 6, change.E)
    put(14, 1, change.sigma)
  }
  const read = (instance: Instance, o: number) => {
    const row = (instance.cells[o >> 1] ?? []).slice((o & 1) * width, (o & 1) * width + width)
    const value = (at: number, n: number): number => row.slice(at, at + n).reduce((sum, bit, k) => sum + Number(bit) * 2 ** k, 0)
    return { r: value(0, 4), Y: value(4, 4), E: value(8, 6), sigma: value(14, 1) }
  }
  const setOutput = (instance: Instance, o: number, value: number): void => {
    const chunk = instance.output[o >> 1]
    if (chunk !== undefined) chunk.vector[o & 1] = BigInt(value)
  }

  it('the same prover is accepted when it is honest, with either claim', () => {
    for (const seed of [3, 4]) {
      assert.deepEqual(verdicts(make(seed), { claim: 'vectors' }), [true, true])
      assert.deepEqual(verdicts(make(seed), { claim: 'cells' }), [true, true])
    }
  })

  it('rounding up or down by one', () => {
    for (let o = 0; o < 3; o++) {
      const instance = make()
      const { Y } = read(instance, o)
      const lie = Y < 15 ? Y + 1 : Y - 1
      setCells(instance, o, { Y: lie })
      setOutput(instance, o, lie)
      refused(instance)
    }
  })

  it('every pair of a false value and a false excess, sign or remainder', () => {
    const truth = read(make(), 0)
    for (const change of [
      { Y: 0, E: truth.Y + truth.E, sigma: 0 },
      { Y: 0, E: truth.Y, sigma: 1 },
      { Y: 15, E: 0, sigma: 0 },
      { Y: 15, E: Math.abs(15 - truth.Y), sigma: 1 },
      { E: truth.E ^ 1 },
      { sigma: 1 - truth.sigma, E: truth.E ^ 3 },
      { r: truth.r ^ 1 },
      { Y: truth.Y ^ 1, r: truth.r ^ 8 },
    ]) {
      const instance = make()
      setCells(instance, 0, change)
      setOutput(instance, 0, change.Y ?? truth.Y)
      refused(instance)
    }
  })

  it('an output commitment that differs from the cells', () => {
    const instance = make()
    setOutput(instance, 1, read(instance, 1).Y ^ 1)
    refused(instance)
  })

  it('cells that are not bits, though every sum stays right', () => {
    for (const [at, step] of [
      [0, 1],
      [4, 1],
      [8, 1],
    ] as const) {
      const instance = make()
      const row = instance.cells[0] ?? []
      row[at] = (row[at] ?? 0n) + 2n
      row[at + step] = (row[at + step] ?? 0n) - 1n
      refused(instance)
    }
    const half = make()
    const row = half.cells[0] ?? []
    row[14] = mod(2n ** 255n) // any field element as a sign
    refused(half)
  })

  it('an output that wraps around the field', () => {
    const instance = make()
    const { Y } = read(instance, 0)
    const row = instance.cells[0] ?? []
    // v + r is divisible by another power of two: take the value cell that makes the equation true in the field
    const inverse = mod(2n ** 252n)
    row[4] = mod((row[4] ?? 0n) + inverse)
    const chunk = instance.output[0]
    if (chunk !== undefined) chunk.vector[0] = mod(BigInt(Y) + inverse)
    refused(instance)
  })

  it('junk in output columns behind the chunk', () => {
    const instance = make()
    const chunk = instance.output[0]
    if (chunk !== undefined) chunk.vector = [...chunk.vector, 5n]
    refused(instance)
  })

  it('junk in the unused columns of the last output chunk', () => {
    const instance = make()
    const chunk = instance.output[1]
    if (chunk !== undefined) chunk.vector = [chunk.vector[0] ?? 0n, 5n]
    refused(instance)
  })

  it('junk in input columns behind the row, the bias column included', () => {
    for (const [chunk, column] of [
      [0, 3],
      [1, 2],
      [1, 3],
    ] as const) {
      const instance = make()
      const opened = instance.inputs[0]?.[chunk]
      if (opened !== undefined) {
        while (opened.vector.length <= column) opened.vector.push(0n)
        opened.vector[column] = 1n
      }
      refused(instance)
    }
  })

  it('one weight, one bias or one input changed under the same commitments', () => {
    const bump = (opened: { vector: bigint[] } | undefined, column: number, by: bigint): void => {
      if (opened !== undefined) opened.vector[column] = (opened.vector[column] ?? 0n) + by
    }
    const changes: ((instance: Instance) => void)[] = [
      (i) => bump(i.weights[0], 1, 1n),
      (i) => bump(i.weights[4], 3, 16n),
      (i) => bump(i.inputs[0]?.[1], 0, 1n),
    ]
    for (const change of changes) {
      const honest = make()
      const statement = statementOf(honest)
      change(honest)
      const proof = proveAnything(honest, statement)
      assert.equal(verifyLayer(statement, proof, { engine }).ok, false)
    }
  })

  it('a false round polynomial, a claim moved after its commitment', () => {
    for (const wrongRound of [0]) refused(make(), { wrongRound })
    refused(make(), { shiftClaimAfterwards: 5n })
  })

  it('cells in a slot that no output has', () => {
    const instance = make()
    setCells(instance, 3, { Y: 3, E: 3, sigma: 1 })
    refused(instance)
  })

  const convolution = convolutionSpec({
    window: { channels: 2, height: 3, width: 3, kernel: [2, 2], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
    outputChannels: 2,
    outputPlanes: 1,
    slots: 2,
    inputZeroPoint: 0,
    requantisation: small,
  })
  const makeConvolution = (): Instance => honestInstance(engine, convolution, [tensor(18, 5)], weightsFor(convolution, 6))

  it('a convolution whose gathered input is false, or holds junk behind its taps', () => {
    assert.deepEqual(verdicts(makeConvolution()), [true, true])
    refused(makeConvolution(), { link: (v) => v.map((x, k) => (k === 3 ? mod(x + 1n) : x)) })
    refused(makeConvolution(), { link: (v) => [...v, 1n] })
  })

  it('a malicious owner and prover with a weight in the bias column and junk in output columns of a convolution', () => {
    const instance = makeConvolution()
    for (const row of instance.weights) row.vector[8] = 40_000n
    refused(instance, { link: (v) => [...v, 3n] })
    const output = makeConvolution()
    const plane = output.output[0]
    if (plane !== undefined) plane.vector = [...plane.vector, 77n]
    refused(output)
  })

  it('maximum pool: a value that is not the largest, not in the window, or selected twice', () => {
    const spec: LayerSpec = {
      kind: 'maxPool',
      window: { channels: 1, height: 2, width: 4, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] },
      planes: 1,
      slots: 2,
    }
    const instance = (): Instance => honestInstance(engine, spec, [Int8Array.of(1, 5, -3, 9, 2, 4, 9, 0)])
    assert.deepEqual(verdicts(instance()), [true, true])
    const larger = instance() // y = 6: differences 5, 1, 4, 2, selector of the true maximum stays
    ;[5, 1, 4, 2].forEach((d, k) => {
      for (let b = 0; b < 8; b++) (larger.cells[0] as bigint[])[8 * k + b] = BigInt((d >> b) & 1)
    })
    ;(larger.output[0]?.vector as bigint[])[0] = 6n
    refused(larger)
    const none = instance()
    ;(none.cells[0] as bigint[])[32 + 1] = 0n
    refused(none)
    const twice = instance()
    ;(twice.cells[0] as bigint[])[32] = 1n
    refused(twice)
    const smaller = instance()
    ;(smaller.output[0]?.vector as bigint[])[0] = 4n
    refused(smaller)
  })

  it('argmax: another index, a later one of equal values, two winners', () => {
    const spec: LayerSpec = { kind: 'argmax', size: 4, chunk: 4, slots: 2 }
    const values = Int8Array.of(3, 7, 7, -1)
    const instance = (): Instance => honestInstance(engine, spec, [values])
    assert.deepEqual(verdicts(instance()), [true, true])
    const claimIndex = (winner: number): Instance => {
      const lie = instance()
      lie.output = [{ vector: [BigInt(winner)], blinder: 5n }]
      lie.auxiliary = [[{ vector: [...Array.from(values, (_, k) => (k === winner ? 1n : 0n)), 7n], blinder: 6n }]]
      values.forEach((value, k) => {
        const distance = 7 - value - (k < winner ? 1 : 0)
        const row = lie.cells[k >> 1] as bigint[]
        row[(k & 1) * 9] = k === winner ? 1n : 0n
        for (let b = 0; b < 8; b++) row[(k & 1) * 9 + 1 + b] = BigInt((distance >> b) & 1)
      })
      return lie
    }
    assert.deepEqual(verdicts(claimIndex(1)), [true, true])
    for (const winner of [0, 2, 3]) refused(claimIndex(winner))
    const index = instance()
    index.output = [{ vector: [2n], blinder: 1n }]
    refused(index)
    const two = instance()
    two.auxiliary = [[{ vector: [0n, 1n, 1n, 0n, 7n], blinder: 1n }]]
    ;(two.cells[1] as bigint[])[0] = 1n
    refused(two)
  })

  it('table: another entry, two entries at once, none', () => {
    const spec: LayerSpec = {
      kind: 'table',
      size: 2,
      chunk: 2,
      slots: 1,
      table: Array.from({ length: 256 }, (_, k) => ((k * 7) % 256) - 128),
    }
    const instance = (): Instance => honestInstance(engine, spec, [Int8Array.of(9, -6)])
    assert.deepEqual(verdicts(instance()), [true, true])
    const move = (from: number, to: number): Instance => {
      const lie = instance()
      const row = lie.cells[0] ?? []
      row[from] = 0n
      row[to] = 1n
      return lie
    }
    const index = 9 + 128
    const other = move(16 + (index & 15), 16 + ((index + 1) & 15))
    other.output = [{ vector: [BigInt((((index + 1) * 7) % 256) - 128), BigInt(((122 * 7) % 256) - 128)], blinder: 3n }]
    refused(other)
    // 16 (a - 1) + (b + 16): the same index from a nibble that does not exist, and from two at once
    refused(move(index >> 4, (index >> 4) - 1))
    const both = instance()
    const row = both.cells[0] ?? []
    row[(index >> 4) - 1] = 1n
    refused(both)
    const wrong = instance()
    wrong.output = [{ vector: [1n, 2n], blinder: 3n }]
    refused(wrong)
  })

  it('product of activations: a false product, junk behind a row of either factor', () => {
    const spec: LayerSpec = {
      kind: 'matmul',
      rows: 2,
      heads: 1,
      inner: 3,
      outputs: 2,
      orderB: 'tokens',
      innerChunk: 2,
      outputChunk: 2,
      slots: 1,
      zeroPointA: 1,
      zeroPointB: -1,
      multiplier: 1,
      bias: 0,
      requantisation: small,
    }
    const instance = (): Instance => honestInstance(engine, spec, [Int8Array.of(1, 5, -3, 9, 2, 4), Int8Array.of(1, 0, 2, -2, 3, 3)])
    assert.deepEqual(verdicts(instance()), [true, true])
    for (const factor of [0, 1]) {
      const junk = instance()
      junk.inputs[factor]?.[1]?.vector.push(1n)
      refused(junk)
      const changed = instance()
      const vector = changed.inputs[factor]?.[0]?.vector ?? []
      vector[1] = (vector[1] ?? 0n) + 40n
      refused(changed)
    }
  })

  it('square: input cells that are not the committed input', () => {
    const spec: LayerSpec = {
      kind: 'square',
      size: 2,
      chunk: 2,
      slots: 2,
      inputZeroPoint: 0,
      multiplier: 1,
      bias: 0,
      requantisation: { ...small, excessBits: 12 },
    }
    const instance = (): Instance => honestInstance(engine, spec, [Int8Array.of(9, -6)])
    assert.deepEqual(verdicts(instance()), [true, true])
    const lie = honestInstance(engine, spec, [Int8Array.of(11, -6)])
    lie.inputs = instance().inputs
    refused(lie)
  })
})
