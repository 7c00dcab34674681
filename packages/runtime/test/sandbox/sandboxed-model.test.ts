import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileModel } from '@tacit/compiler'
import { float32, quantizeInput, runGraph, runQ8 } from '@tacit/model'
import { openTrace, sha256Hash, traceRoot, verifyTraceOpening } from '@tacit/protocol'
import { loadModel } from '../../src/node/sandbox-model.ts'
import { endlessModel, handMade } from './endless-model.ts'
import { compileSmall, input, smallGraph, smallQ8 } from './networks.ts'

const x = { type: 'f32' as const, shape: [1, 12], data: input }

describe('a sandboxed model', () => {
  it('answers with the bits of the reference interpreter', async () => {
    const { wasm, manifest } = await compileSmall()
    await using model = await loadModel(wasm, manifest)
    const { outputs } = await model.run({ x })
    const expected = runGraph(await smallGraph(), { x: float32([1, 12], input) })
    assert.deepEqual(outputs['y']?.data, expected['y']?.data)
  })

  it('gives the same trace root every time, and opens each layer against it', async () => {
    const q8 = await smallQ8()
    const { wasm, manifest } = await compileModel(q8, { profile: 'q8' })
    const [boundary] = q8.boundaries
    assert.ok(boundary)
    const quantized = quantizeInput(boundary, input)
    await using model = await loadModel(wasm, manifest)
    const inputs = { a0: { type: 'i8' as const, shape: [1, 12], data: quantized } }
    const first = await model.run(inputs, { trace: 'activations' })
    const second = await model.run(inputs, { trace: 'hashes' })
    assert.ok(first.trace && second.trace && first.boundaries)
    assert.equal(second.boundaries, undefined)
    const key = new Uint8Array(32).fill(5)
    const root = traceRoot(first.trace, key)
    assert.equal(traceRoot(second.trace, key), root)
    assert.notEqual(traceRoot(second.trace, new Uint8Array(32).fill(6)), root, 'another key gives another root')
    const reference = runQ8(q8, [quantized]).activations
    for (const [index, entry] of first.trace.entries()) {
      assert.equal(entry.activationHash, sha256Hash(new Uint8Array((reference[index + 1] ?? new Int8Array()).buffer)))
      assert.ok(verifyTraceOpening(root, openTrace(first.trace, key, index)))
    }
    assert.deepEqual(
      first.boundaries.map(({ tensor }) => tensor.data),
      reference.slice(1),
    )
  })

  it('is ended at its deadline, and works again afterwards', async () => {
    const { wasm, manifest } = endlessModel()
    await using model = await loadModel(wasm, manifest)
    await assert.rejects(model.run({}, { deadlineMs: 50 }), { code: 'runtime.sandbox-deadline' })
    await assert.rejects(model.run({}, { deadlineMs: 50 }), { code: 'runtime.sandbox-deadline' })
    assert.equal((await model.health()).restarts, 2)
  })

  it('is ended by its signal, and rejects with the reason', async () => {
    const { wasm, manifest } = endlessModel()
    await using model = await loadModel(wasm, manifest)
    const controller = new AbortController()
    const run = model.run({}, { signal: controller.signal, deadlineMs: 60_000 })
    const reason = new Error('changed my mind')
    setImmediate(() => controller.abort(reason))
    await assert.rejects(run, (error) => error === reason)
    await assert.rejects(model.run({}, { signal: AbortSignal.abort(reason) }), (error) => error === reason)
    assert.equal((await model.health()).running, 0)
  })

  it('cannot leave its memory', async () => {
    const { wasm, manifest } = handMade((f) => f.i32(65_533).i32(1).memory('i32.store'))
    await using model = await loadModel(wasm, manifest)
    await assert.rejects(model.run({}), { code: 'runtime.sandbox-trap' })
  })

  it('runs one request at a time, in order', async () => {
    const { wasm, manifest } = await compileSmall()
    await using model = await loadModel(wasm, manifest)
    const runs = await Promise.all([1, 2, 3].map((scale) => model.run({ x: { ...x, data: input.map((value) => value * scale) } })))
    const again = await model.run({ x: { ...x, data: input.map((value) => value * 2) } })
    assert.deepEqual(runs[1]?.outputs, again.outputs)
    assert.notDeepEqual(runs[0]?.outputs, runs[2]?.outputs)
  })

  it('takes external weights, and only those of its manifest', async () => {
    const { wasm, manifest, weights } = await compileSmall('external')
    assert.ok(weights)
    const inline = await compileSmall()
    assert.ok(wasm.length < inline.wasm.length)
    await using model = await loadModel(wasm, manifest, { weights })
    await using reference = await loadModel(inline.wasm, inline.manifest)
    assert.deepEqual((await model.run({ x })).outputs, (await reference.run({ x })).outputs)
    const other = weights.slice()
    other[5] = (other[5] ?? 0) ^ 1
    for (const wrong of [undefined, other, weights.slice(1)])
      await assert.rejects(loadModel(wasm, manifest, wrong === undefined ? {} : { weights: wrong }), { code: 'runtime.sandbox-refused' })
  })

  it('refuses inputs that do not fit', async () => {
    const { wasm, manifest } = await compileSmall()
    await using model = await loadModel(wasm, manifest)
    await assert.rejects(model.run({}), { code: 'runtime.input-mismatch' })
    await assert.rejects(model.run({ x: { type: 'f32', shape: [12], data: input } }), { code: 'runtime.input-mismatch' })
  })

  it('runs nothing after it was closed', async () => {
    const { wasm, manifest } = await compileSmall()
    const model = await loadModel(wasm, manifest)
    await model.run({ x })
    await model[Symbol.asyncDispose]()
    await assert.rejects(model.run({ x }), { code: 'runtime.engine-closed' })
  })
})

describe('loading', () => {
  it('refuses a module that is not the one of the manifest, or does other work', async () => {
    const { wasm, manifest } = await compileSmall()
    const flipped = wasm.slice()
    flipped[wasm.length - 1] = (flipped[wasm.length - 1] ?? 0) ^ 1
    await assert.rejects(loadModel(flipped, manifest), { code: 'runtime.sandbox-refused' })
    const [layer] = manifest.layers
    assert.ok(layer)
    for (const wrong of [
      { ...manifest, runWork: String(BigInt(manifest.runWork) + 1n) },
      { ...manifest, memoryPages: manifest.memoryPages + 1 },
      { ...manifest, layers: [{ ...layer, runExport: 'absent' }] },
      { ...manifest, layers: [{ ...layer, traceWork: '1' }] },
    ])
      await assert.rejects(loadModel(wasm, wrong), { code: 'runtime.sandbox-refused', reason: 'manifest' })
  })

  it('refuses what inspection refuses, with its reason', async () => {
    const { wasm, manifest } = endlessModel()
    await assert.rejects(loadModel(wasm, manifest, { policy: { maxWork: 1000 } }), { code: 'runtime.sandbox-refused', reason: 'work' })
    await assert.rejects(loadModel(Uint8Array.of(1, 2, 3), manifest), { code: 'runtime.sandbox-refused', reason: 'malformed' })
  })
})
