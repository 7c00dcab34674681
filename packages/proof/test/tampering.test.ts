import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec, LayerStatement } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { scalarBytes } from '../src/kernels/field.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { proofLayout } from '../src/protocol/messages.ts'
import { r } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { Transcript } from '../src/transcript.ts'
import { verifyLayer, verifyLayers } from '../src/verifier/verify-layer.ts'
import { buildLayer, convolutionSpec, denseSpec, random, requantisation, seeded } from './support/layers.ts'
import { smallLayers } from './support/small-layers.ts'

const small = requantisation({ shift: 6, excessBits: 28 })
const spec = denseSpec({ inputSize: 5, outputSize: 3, inputChunk: 3, outputChunk: 2, slots: 2, requantisation: small })
const convolution = convolutionSpec({
  window: { channels: 1, height: 3, width: 3, kernel: [2, 2], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
  outputChannels: 2,
  outputPlanes: 1,
  requantisation: small,
})

describe('tampering', async () => {
  const engine = await createProofEngine()
  const make = async (layer: LayerSpec, seed: number) => {
    const { statement, witness } = await buildLayer(engine, layer, { seed })
    return { statement, witness, proof: await proveLayer(statement, witness, { engine, random }) }
  }
  const dense = await make(spec, 11)
  const ok = (statement: LayerStatement, proof: Uint8Array): boolean => verifyLayer(statement, proof, { engine }).ok
  const changed = (proof: Uint8Array, at: number, mask: number): Uint8Array => proof.map((byte, k) => (k === at ? byte ^ mask : byte))

  it('every element of a dense, a convolution, a softmax and a layer normalisation proof matters', async () => {
    const { softmax, layerNorm } = smallLayers
    assert.ok(softmax !== undefined && layerNorm !== undefined)
    const rows = [await make({ ...softmax, slots: 1 }, 13), await make({ ...layerNorm, slots: 1 }, 14)]
    for (const { statement, proof } of [dense, await make(convolution, 12), ...rows]) {
      assert.ok(ok(statement, proof))
      const { points, scalars } = proofLayout(createRelation(statement.spec))
      const starts = [
        ...Array.from({ length: points }, (_, k) => 33 * k),
        ...Array.from({ length: scalars }, (_, k) => 33 * points + 32 * k),
      ]
      for (const [k, start] of starts.entries()) {
        for (const at of [start, start + 1 + (k % 31)]) assert.equal(ok(statement, changed(proof, at, 1 << (k % 8))), false, `byte ${at}`)
      }
    }
  })

  it('both verifiers agree on changed, swapped, shortened and extended proofs', () => {
    const { statement, proof } = dense
    const next = seeded(4)
    const layout = proofLayout(createRelation(spec))
    const variants = [
      proof.subarray(0, -1),
      proof.subarray(1),
      new Uint8Array(0),
      Uint8Array.from([...proof, 0]),
      new Uint8Array(proof.length),
    ]
    for (let k = 0; k < 12; k++) variants.push(changed(proof, Math.floor(next() * proof.length), 1 << Math.floor(next() * 8)))
    for (let k = 0; k + 1 < 5; k++) {
      const swapped = proof.slice()
      swapped.set(proof.subarray(33 * k, 33 * k + 33), 33 * (k + 1))
      swapped.set(proof.subarray(33 * (k + 1), 33 * (k + 2)), 33 * k)
      variants.push(swapped)
    }
    const scalarAt = 33 * layout.points
    const twice = proof.slice()
    twice.copyWithin(scalarAt, scalarAt + 32, scalarAt + 64)
    variants.push(twice)
    for (const variant of variants) {
      assert.equal(ok(statement, variant), false)
      assert.equal(verifyLayerSlowly(statement, variant).ok, false)
    }
  })

  it('refuses non-canonical scalars and points by name', () => {
    const { statement, proof } = dense
    const layout = proofLayout(createRelation(spec))
    const verdict = (bytes: Uint8Array) => verifyLayer(statement, bytes, { engine })
    for (const value of [r, r + 1n, 2n ** 256n - 1n]) {
      const bytes = proof.slice()
      bytes.set(scalarBytes(value), 33 * layout.points)
      assert.deepEqual(verdict(bytes), { ok: false, failedCheck: 'scalar' })
    }
    for (const sign of [0, 1, 4, 6, 130]) {
      const bytes = proof.slice()
      bytes[0] = sign
      assert.deepEqual(verdict(bytes), { ok: false, failedCheck: 'point' })
    }
    assert.deepEqual(verdict(proof.subarray(1)), { ok: false, failedCheck: 'length' })
  })

  it('refuses every changed field of the statement', async () => {
    const { statement, proof } = dense
    const other = await make(spec, 13)
    const c = statement.context
    const variants: LayerStatement[] = [
      { ...statement, output: other.statement.output },
      { ...statement, inputs: other.statement.inputs },
      { ...statement, weights: other.statement.weights },
      { ...statement, inputs: [] },
      { ...statement, inputs: [statement.inputs[0] ?? '0x', statement.inputs[0] ?? '0x'] },
      { ...statement, weights: null },
      { ...statement, weights: '0x02' },
      { ...statement, output: `0x${'02'.repeat(66)}` },
      { ...statement, inputs: [`0x02${'ff'.repeat(32)}02${'ff'.repeat(32)}`] },
      { ...statement, spec: { ...spec, inputZeroPoint: -127 } },
      { ...statement, spec: { ...spec, requantisation: { ...small, shift: 7, excessBits: 21 } } },
      { ...statement, spec: { ...spec, requantisation: { ...small, zeroPoint: -127 } } },
      { ...statement, spec: { ...spec, requantisation: { ...small, low: -127, zeroPoint: -127 } } },
      { ...statement, spec: { ...spec, slots: 1 } },
      { ...statement, spec: { ...spec, outputSize: 4 } },
      { ...statement, spec: { ...spec, rows: 2 } },
      { ...statement, spec: { kind: 'argmax', size: 5, chunk: 3, slots: 1 } },
      { ...statement, context: { ...c, chainId: '31338' } },
      { ...statement, context: { ...c, registry: c.payee } },
      { ...statement, context: { ...c, modelId: c.requestId as never } },
      { ...statement, context: { ...c, requestId: c.nonce } },
      { ...statement, context: { ...c, nonce: c.requestId } },
      { ...statement, context: { ...c, payee: c.registry } },
      { ...statement, context: { ...c, layerIndex: 1 } },
    ]
    for (const [k, variant] of variants.entries()) assert.equal(ok(variant, proof), false, `variant ${k}`)
    assert.equal(ok(other.statement, proof), false)
  })

  it('refuses specs outside the argument: wrapping shifts, empty ranges, chunks and groups that do not fit', () => {
    const { statement, proof } = dense
    const bad: LayerSpec[] = [
      { ...spec, requantisation: { ...small, shift: 40, excessBits: 22 } },
      { ...spec, requantisation: { ...small, shift: 200 } },
      { ...spec, requantisation: { ...small, shift: 0 } },
      { ...spec, requantisation: { ...small, excessBits: -1 } },
      { ...spec, requantisation: { ...small, low: 5, high: 5, zeroPoint: 5 } },
      { ...spec, requantisation: { ...small, zeroPoint: 100, high: 50 } },
      { ...spec, outputChunk: 9 },
      { ...spec, inputChunk: 9 },
      { ...spec, slots: 9 },
      { ...spec, outputSize: 2 ** 21 },
      { ...spec, rows: 2049, outputSize: 257, outputChunk: 1, slots: 1, inputChunk: 3 },
      { ...spec, inputSize: 300_000, inputChunk: 8192 },
      { kind: 'table', size: 4, chunk: 4, slots: 1, table: [1, 2, 3] },
      { kind: 'argmax', size: 2 ** 20, chunk: 8192, slots: 64 },
      { ...convolution, group: 3 },
      { ...convolution, window: { ...convolution.window, kernel: [9, 9] } },
      {
        kind: 'maxPool',
        window: { channels: 1, height: 3, width: 3, kernel: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] },
        planes: 1,
        slots: 1,
      },
    ]
    for (const wrong of bad) {
      const verdict = verifyLayer({ ...statement, spec: wrong }, proof, { engine })
      assert.ok(!verdict.ok && (verdict.failedCheck === 'statement' || verdict.failedCheck === 'length'), JSON.stringify(wrong))
      assert.throws(() => createRelation(wrong), { code: 'proof.unsupported-layer' })
    }
  })

  it('every absorbed message matters: leaving one out changes the challenges', async () => {
    const { statement, proof } = await make(convolution, 14)
    const absorbWord = Transcript.prototype.absorbWord
    const tags = ['context', 'layer', 'input', 'output', 'cells', 'tau', 'alpha', 'lambda', 'link', 'claim', 'mu', 'nu', 'omega', 'psi']
    for (const dropped of [...tags, 'round', 'r', 'masks', 'phi', 'c', 'responses', 'gamma', 'index', 'spec', 'points']) {
      let used = 0
      Transcript.prototype.absorbWord = function (tag, word) {
        if (tag === dropped) used++
        else absorbWord.call(this, tag, word)
      }
      try {
        const verdict = verifyLayer(statement, proof, { engine })
        assert.ok(used > 0, `${dropped} is absorbed`)
        // gamma and the responses only choose how the four equations are added up
        assert.equal(verdict.ok, dropped === 'gamma' || dropped === 'responses', dropped)
      } finally {
        Transcript.prototype.absorbWord = absorbWord
      }
    }
  })

  it('a short proof of a huge layer is refused at once', () => {
    const { statement, proof } = dense
    const huge: LayerSpec = { ...spec, rows: 1024, outputSize: 1024, outputChunk: 1024, slots: 1 }
    const before = engine.memoryBytes
    assert.deepEqual(verifyLayer({ ...statement, spec: huge }, proof, { engine }), { ok: false, failedCheck: 'length' })
    assert.equal(engine.memoryBytes, before)
  })

  it('batches accept exactly what single verification accepts', async () => {
    const more = [dense, await make(spec, 15), await make(convolution, 16)]
    assert.deepEqual(verifyLayers(more, { engine }), { ok: true })
    const last = more[2] ?? dense
    const bad = { ...last, proof: changed(last.proof, last.proof.length - 1, 1) }
    assert.deepEqual(verifyLayers([...more, bad], { engine }), { ok: false, index: 3, failedCheck: 'equation' })
    assert.deepEqual(verifyLayers([{ ...dense, proof: new Uint8Array(3) }], { engine }), { ok: false, index: 0, failedCheck: 'length' })
  })

  it('proofs whose points are all equal take bounded time', () => {
    const { statement, proof } = dense
    const layout = proofLayout(createRelation(spec))
    const same = proof.slice()
    for (let k = 0; k < layout.points; k++) same.set(proof.subarray(0, 33), 33 * k)
    assert.equal(ok(statement, same), false)
    const opposite = same.slice()
    for (let k = 0; k < layout.points; k += 2) opposite[33 * k] = (opposite[33 * k] ?? 0) ^ 1
    assert.equal(ok(statement, opposite), false)
    for (const value of [0n, 1n, r - 1n]) {
      const bytes = same.slice()
      for (let k = 0; k < layout.scalars; k++) bytes.set(scalarBytes(value), 33 * layout.points + 32 * k)
      assert.equal(ok(statement, bytes), false)
    }
  })
})
