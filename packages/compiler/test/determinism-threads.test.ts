// Two threads give the bits of one, at every boundary. The threads take turns here; packages/runtime runs them at the same time.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, parseOnnx, quantizeGraph } from '@tacit/model'
import { cnn, mlp, transformer } from '../bench/networks.ts'
import { type CompileOptions, compileModel, type ModelSource } from '../src/index.ts'
import { randomCase } from './random-graphs.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'
import { runDivided } from './run-divided.ts'

type Case = { readonly name: string; readonly source: ModelSource; readonly profile: 'f32' | 'q8'; readonly input: Uint8Array }

async function networks(): Promise<readonly Case[]> {
  const floats = [mlp('f32'), mlp('int8'), cnn('f32'), cnn('int8'), transformer('f32'), transformer('int8')]
  const cases: Case[] = []
  for (const { name, onnx, input } of floats)
    cases.push({ name, source: await parseOnnx(onnx), profile: 'f32', input: bytesOf(input.data) })
  for (const { name, onnx, input } of [mlp('f32', [784, 128, 64, 10]), cnn('f32')]) {
    const { q8 } = quantizeGraph(await parseOnnx(onnx), { inputs: [{ x: float32(input.shape, input.data as Float32Array) }] })
    const bytes = Uint8Array.from({ length: input.data.length }, (_, i) => i * 31)
    cases.push({ name: `${name} in q8`, source: q8, profile: 'q8', input: bytes })
  }
  return cases
}

async function compareThreads(source: ModelSource, input: Uint8Array, options: CompileOptions) {
  const one = await compileModel(source, options)
  const two = await compileModel(source, { ...options, threads: 2 })
  assert.equal(one.manifest.parallel, undefined)
  const [expected, alone] = [runCompiled(one, input), runCompiled(two, input)]
  assert.deepEqual(alone.output, expected.output, 'the same module on one thread')
  if (two.manifest.parallel === undefined) return { two, traffic: undefined }
  const shared = runDivided(two, [input])
  assert.deepEqual(shared.output, expected.output)
  assert.deepEqual(shared.boundaries, expected.boundaries)
  return { two, traffic: shared.traffic }
}

describe('two threads', () => {
  it('give the bits of one, whatever the network, obfuscated or not', async () => {
    for (const { name, source, profile, input } of await networks())
      for (const options of [{}, { cutting: 'everything', obfuscate: { seed: 'threads' } }] as const) {
        const { two } = await compareThreads(source, input, { profile, ...options })
        if ('cutting' in options) assert.ok(two.manifest.parallel, `${name} is shared`)
      }
  })

  it('meet twice in a transformer block, and do half of the work each', async () => {
    const { onnx, input } = transformer('f32')
    const { two, traffic } = await compareThreads(await parseOnnx(onnx), bytesOf(input.data), { profile: 'f32' })
    assert.equal(traffic?.meetings, 2)
    const { parallel, runWork } = two.manifest
    for (const thread of [0, 1]) {
      const work = parallel?.layers.flatMap(({ stages }) => stages).reduce((sum, stage) => sum + Number(stage.runWork[thread]), 0) ?? 0
      assert.ok(work < 0.52 * Number(runWork), `thread ${thread} does ${work} of ${runWork}`)
    }
  })

  it('give the bits of one on random graphs, with everything cut that can be', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { graph, input } = await randomCase(seed, 8)
      for (const obfuscate of [undefined, { seed: `threads ${seed}` }])
        await compareThreads(graph, bytesOf(input.data), { profile: 'f32', cutting: 'everything', ...(obfuscate ? { obfuscate } : {}) })
    }
  })

  it('are compiled to the same bytes every time', async () => {
    const graph = await parseOnnx(mlp('f32', [20, 40, 30, 5]).onnx)
    const options = { profile: 'f32', threads: 2, cutting: 'everything' } as const
    assert.deepEqual(await compileModel(graph, options), await compileModel(graph, options))
  })
})
