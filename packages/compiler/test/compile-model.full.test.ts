import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseOnnx, quantizeGraph, runGraph } from '@tacit/model'
import { cnn, mlp } from '../bench/networks.ts'
import { compileModel, UnsupportedNodeError } from '../src/index.ts'
import { randomCase } from './random-graphs.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'

it('has the same answers and traces for 100 seeds', async () => {
  const images = cnn('f32')
  const { q8 } = quantizeGraph(await parseOnnx(images.onnx), { inputs: [{ x: images.input }] })
  const small = mlp('f32', [96, 64, 48, 10])
  for (const [model, profile, input] of [
    [q8, 'q8', Uint8Array.from({ length: 3072 }, (_, i) => i * 31)],
    [await parseOnnx(small.onnx), 'f32', bytesOf(small.input.data)],
    [await parseOnnx(cnn('int8').onnx), 'f32', bytesOf(cnn('int8').input.data)],
  ] as const) {
    const expected = runCompiled(await compileModel(model, { profile }), input)
    const modules = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      const compiled = await compileModel(model, { profile, obfuscate: { seed: `seed ${seed}`, dummies: 0.5, decoys: 0.5 } })
      assert.deepEqual(runCompiled(compiled, input), expected, `seed ${seed}`)
      modules.add(compiled.manifest.moduleSha256)
    }
    assert.equal(modules.size, 100)
  }
})

it('has the bits of the reference interpreter on 5,000 random graphs', async () => {
  let compared = 0
  for (let seed = 10_001; seed <= 15_000; seed++) {
    const { graph, input, operators } = await randomCase(seed, 8)
    const expected = bytesOf(Float32Array.from(runGraph(graph, { x: input })['y']?.data as Float32Array))
    try {
      for (const options of [{}, { obfuscate: { seed: `${seed}` } }])
        assert.deepEqual(
          runCompiled(await compileModel(graph, { profile: 'f32', ...options }), bytesOf(input.data)).output,
          expected,
          `seed ${seed}: ${operators.join(', ')}`,
        )
      compared++
    } catch (error) {
      if (!(error instanceof UnsupportedNodeError)) throw error
    }
  }
  assert.ok(compared > 4900, `${compared}`)
})
