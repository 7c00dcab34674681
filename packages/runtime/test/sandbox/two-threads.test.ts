import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CompiledModel, compileModel } from '@tacit/compiler'
import { float32, type Graph, parseOnnx, quantizeGraph, quantizeInput } from '@tacit/model'
import { type ModuleManifest, type ModuleParallel, traceRoot } from '@tacit/protocol'
import { cnn, mlp, transformer } from '../../../compiler/bench/networks.ts'
import type { NamedTensors } from '../../src/engine.ts'
import { loadModel, nodeSandboxHost } from '../../src/node/sandbox-model.ts'
import { loadModelOn } from '../../src/sandbox/sandboxed-model.ts'
import type { SandboxHost } from '../../src/sandbox/worker-group.ts'
import { endlessBody, handMadePair } from './endless-model.ts'
import { input } from './networks.ts'

/** 12-72-40-7: several panels of columns, so that even one row can be shared. */
function dividable(): Promise<Graph> | Graph {
  return parseOnnx(mlp('f32', [12, 72, 40, 7]).onnx)
}

const key = new Uint8Array(32).fill(9)
const x: NamedTensors = { x: { type: 'f32', shape: [1, 12], data: input } }

async function answers({ wasm, manifest }: CompiledModel, inputs: NamedTensors, threads: 1 | 2) {
  await using model = await loadModel(wasm, manifest, { threads })
  assert.equal(model.threads.count, threads)
  const plain = await model.run(inputs)
  const again = await model.run(inputs)
  const traced = await model.run(inputs, { trace: 'activations' })
  assert.deepEqual(again.outputs, plain.outputs)
  assert.deepEqual(traced.outputs, plain.outputs)
  return { outputs: plain.outputs, boundaries: traced.boundaries, root: traceRoot(traced.trace ?? [], key) }
}

/** Two threads whose first exchange makes them wait for each other. */
const meeting = { toFirst: [{ offset: 1024, sizeBytes: 4, stepBytes: 0, count: 1 }], toSecond: [] }

describe('two threads', () => {
  it('give the answer, the boundaries and the trace root of one', async () => {
    for (const obfuscate of [undefined, { seed: 'two' }]) {
      const options = { threads: 2, ...(obfuscate === undefined ? {} : { obfuscate }) } as const
      const plain = [mlp('f32'), mlp('int8'), cnn('f32'), cnn('int8'), transformer('f32'), transformer('int8')]
      for (const { onnx, input: tensor } of obfuscate === undefined ? plain : [mlp('int8'), cnn('f32'), transformer('int8')]) {
        const compiled = await compileModel(await parseOnnx(onnx), { ...options, profile: 'f32' })
        const inputs: NamedTensors = { x: { type: 'f32', shape: tensor.shape, data: tensor.data as Float32Array } } // their inputs are floats
        assert.deepEqual(await answers(compiled, inputs, 2), await answers(compiled, inputs, 1))
      }
      const { q8 } = quantizeGraph(await dividable(), { inputs: [{ x: float32([1, 12], input) }] })
      const [boundary] = q8.boundaries
      assert.ok(boundary)
      const compiled = await compileModel(q8, { ...options, profile: 'q8', cutting: 'everything' })
      const inputs: NamedTensors = { a0: { type: 'i8', shape: [1, 12], data: quantizeInput(boundary, input) } }
      assert.deepEqual(await answers(compiled, inputs, 2), await answers(compiled, inputs, 1))
    }
  })

  it('keep the order of many runs', async () => {
    const { wasm, manifest } = await compileModel(await dividable(), { profile: 'f32', threads: 2, cutting: 'everything' })
    await using two = await loadModel(wasm, manifest, { threads: 2 })
    await using one = await loadModel(wasm, manifest)
    const scaled = (scale: number): NamedTensors => ({ x: { type: 'f32', shape: [1, 12], data: input.map((value) => value * scale) } })
    const runs = Array.from({ length: 50 }, (_, i) => i)
    const [shared, alone] = await Promise.all([two, one].map((model) => Promise.all(runs.map((i) => model.run(scaled(i))))))
    assert.deepEqual(shared, alone)
  })

  it('fall back to one, and say why, without stages or without shared memory', async (context) => {
    const single = await compileModel(await dividable(), { profile: 'f32' })
    await using plain = await loadModel(single.wasm, single.manifest, { threads: 2 })
    assert.deepEqual(plain.threads, { count: 1, note: 'The module has no stages for two threads.' })
    const double = await compileModel(await dividable(), { profile: 'f32', threads: 2, cutting: 'everything' })
    const { SharedArrayBuffer: shared } = globalThis
    context.after(() => void Object.assign(globalThis, { SharedArrayBuffer: shared }))
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer')
    await using isolated = await loadModel(double.wasm, double.manifest, { threads: 2 })
    assert.equal(isolated.threads.count, 1)
    assert.match(isolated.threads.note ?? '', /shared memory/)
    assert.deepEqual((await isolated.run(x)).outputs, (await plain.run(x)).outputs)
    assert.match(isolated.info.profile, /threads=1/)
  })
})

describe('the end of two threads', () => {
  /** Counts the workers that run. */
  function counting(): { readonly host: SandboxHost; running(): number } {
    const running = new Set<object>()
    const host: SandboxHost = {
      ...nodeSandboxHost,
      start(listeners) {
        const worker = nodeSandboxHost.start(listeners)
        running.add(worker)
        return {
          send: worker.send,
          terminate: () => {
            running.delete(worker)
            worker.terminate()
          },
        }
      },
    }
    return { host, running: () => running.size }
  }

  it('is that of both at the deadline, one computing and one waiting', async () => {
    const { wasm, manifest } = handMadePair({ first: endlessBody, second: () => undefined, after: meeting })
    const { host, running } = counting()
    await using model = await loadModelOn(host, { wasm, manifest }, { threads: 2 })
    for (let attempt = 1; attempt <= 2; attempt++) {
      await assert.rejects(model.run({}, { deadlineMs: 60 }), { code: 'runtime.sandbox-deadline' })
      assert.equal(running(), 0)
      assert.equal((await model.health()).restarts, attempt)
    }
  })

  it('is that of both when the signal says so', async () => {
    const { wasm, manifest } = handMadePair({ first: endlessBody, second: endlessBody, before: meeting })
    const { host, running } = counting()
    await using model = await loadModelOn(host, { wasm, manifest }, { threads: 2 })
    const controller = new AbortController()
    const reason = new Error('enough')
    const run = model.run({}, { signal: controller.signal, deadlineMs: 60_000 })
    setImmediate(() => {
      assert.equal(running(), 2)
      controller.abort(reason)
    })
    await assert.rejects(run, (error) => error === reason)
    assert.equal(running(), 0)
  })

  it('is that of both when one of them traps while the other waits', async () => {
    const { wasm, manifest } = handMadePair({
      first: () => undefined,
      second: (f) => void f.i32(65_533).i32(1).memory('i32.store'),
      after: meeting,
    })
    const { host, running } = counting()
    await using model = await loadModelOn(host, { wasm, manifest }, { threads: 2 })
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(model.run({}, { deadlineMs: 60_000 }), { code: 'runtime.sandbox-trap' })
      assert.equal(running(), 0)
    }
  })

  it('is that of both when the model is closed', async () => {
    const { wasm, manifest } = await compileModel(await dividable(), { profile: 'f32', threads: 2, cutting: 'everything' })
    const { host, running } = counting()
    const model = await loadModelOn(host, { wasm, manifest }, { threads: 2 })
    await model.run(x)
    assert.equal(running(), 2)
    await model[Symbol.asyncDispose]()
    assert.equal(running(), 0)
  })
})

describe('a manifest for two threads', () => {
  it('is refused when its stages are not those of the module, or reach too far', async () => {
    const { wasm, manifest } = await compileModel(await dividable(), { profile: 'f32', threads: 2, cutting: 'everything' })
    const { parallel, memoryPages } = manifest
    const [first, ...others] = parallel?.layers ?? []
    const [stage, ...later] = first?.stages ?? []
    assert.ok(parallel && first && stage)
    const withStage = (change: Partial<typeof stage>): ModuleParallel => ({
      ...parallel,
      layers: [{ ...first, stages: [{ ...stage, ...change }, ...later] }, ...others],
    })
    const span = (change: object) => [{ offset: 1024, sizeBytes: 16, stepBytes: 32, count: 2, ...change }]
    const limit = memoryPages * 65_536
    const wrong: readonly unknown[] = [
      withStage({ runExports: ['absent', stage.runExports[1]] }),
      withStage({ runExports: [stage.runExports[0], 'run'] }),
      withStage({ runWork: ['1', stage.runWork[1]] }),
      withStage({ runExports: ['run', 'run'], runWork: [manifest.runWork, manifest.runWork] }),
      withStage({ toFirst: span({ offset: limit - 15, count: 1 }) }),
      withStage({ toFirst: span({ offset: limit - 32, count: 2 }) }),
      withStage({ toSecond: span({ offset: -1 }) }),
      withStage({ toSecond: span({ stepBytes: 8 }) }),
      withStage({ toSecond: span({ count: 2 ** 31 }) }),
      withStage({ toSecond: span({ sizeBytes: 0 }) }),
      withStage({ toSecond: span({ sizeBytes: 1.5 }) }),
      withStage({ toSecond: Array.from({ length: 3 }, () => span({ offset: 0, sizeBytes: limit / 2, count: 1 })).flat() }),
      withStage({
        toSecond: span({ offset: 0, sizeBytes: 1, stepBytes: 1, count: 200_000 }),
        toFirst: span({ sizeBytes: 1, stepBytes: 1, count: 60_000 }),
      }),
      { ...parallel, layers: parallel.layers.slice(1) },
      { ...parallel, layers: [...parallel.layers, first] },
      { ...parallel, threads: 3 },
      { ...parallel, closing: span({ offset: limit }) },
      { ...parallel, extra: 1 },
      { layers: parallel.layers },
      null,
    ]
    for (const [place, hostile] of wrong.entries())
      await assert.rejects(
        loadModel(wasm, { ...manifest, parallel: hostile } as ModuleManifest, { threads: 2 }),
        { code: 'runtime.sandbox-refused', reason: 'manifest' },
        `number ${place}`,
      )
  })
})
