import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, parseOnnx, quantizeGraph, quantizeInput, runGraph, runQ8 } from '@tacit/model'
import { moduleManifestSchema, sha256Hash } from '@tacit/protocol'
import { inspectModule } from '@tacit/wasm'
import { cnn, mlp, mlpStatic, transformer } from '../bench/networks.ts'
import { compileModel, UnsupportedNodeError } from '../src/index.ts'
import { randomCase } from './random-graphs.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'

/** Bits as in traces: one NaN only. */
function canonical(values: Float32Array): Uint8Array {
  return bytesOf(Float32Array.from(values))
}

describe('profile f32', () => {
  for (const network of [mlp('f32'), mlp('int8'), mlpStatic(), cnn('f32'), cnn('int8')])
    it(`gives the bits of the reference interpreter: ${network.name}`, async () => {
      const graph = await parseOnnx(network.onnx)
      const compiled = await compileModel(graph, { profile: 'f32' })
      const expected = runGraph(graph, { x: network.input })['y']?.data as Float32Array
      assert.deepEqual(runCompiled(compiled, bytesOf(network.input.data)).output, canonical(expected))
    })

  it('gives the bits of the reference interpreter on random graphs, plain and obfuscated', async () => {
    let compared = 0
    const seen = new Set<string>()
    // The last two once read a matrix backwards.
    const seeds = [
      ...Array.from({ length: 148 }, (_, i) => ({ seed: i + 1, steps: 5 })),
      { seed: 10_047, steps: 8 },
      { seed: 10_395, steps: 8 },
    ]
    for (const { seed, steps } of seeds) {
      const { graph, input, operators } = await randomCase(seed, steps)
      const expected = runGraph(graph, { x: input })['y']?.data as Float32Array
      try {
        for (const options of [{}, { obfuscate: { seed: `seed ${seed}`, dummies: 0.5 } }]) {
          const { output } = runCompiled(await compileModel(graph, { profile: 'f32', ...options }), bytesOf(input.data))
          assert.deepEqual(output, canonical(expected), `seed ${seed}: ${operators.join(', ')}`)
        }
        for (const operator of operators) seen.add(operator)
        compared++
      } catch (error) {
        if (!(error instanceof UnsupportedNodeError)) throw error
      }
    }
    assert.ok(compared >= 140, `only ${compared} of 150 graphs were compiled`)
    assert.ok(seen.size >= 30, [...seen].sort().join(', '))
  })

  it('canonicalises NaN at outputs and trace points', async () => {
    const graph = await parseOnnx(mlp('f32').onnx)
    const compiled = await compileModel(graph, { profile: 'f32' })
    const input = new Float32Array(784).fill(Number.NaN)
    new Uint32Array(input.buffer).fill(0xffc12345)
    const { output, boundaries } = runCompiled(compiled, bytesOf(input))
    for (const bytes of [output, ...boundaries]) assert.deepEqual(new Set(new Uint32Array(bytes.slice().buffer)), new Set([0x7fc00000]))
  })
})

describe('profile q8', () => {
  for (const network of [mlp('f32'), cnn('f32')])
    it(`gives the interpreter's bits at every boundary: ${network.name}`, async () => {
      const graph = await parseOnnx(network.onnx)
      const { q8 } = quantizeGraph(graph, { inputs: [{ x: network.input }] })
      const compiled = await compileModel(q8, { profile: 'q8' })
      const [boundary] = q8.boundaries
      assert.ok(boundary)
      const input = quantizeInput(boundary, network.input.data as Float32Array)
      const { activations } = runQ8(q8, [input])
      const obfuscated = await compileModel(q8, { profile: 'q8', obfuscate: { seed: 'x', dummies: 1 } })
      for (const model of [compiled, obfuscated])
        assert.deepEqual(runCompiled(model, bytesOf(input)).boundaries, activations.slice(1).map(bytesOf))
    })
})

describe('a compiled module', () => {
  it('has the same bytes every time, other ones for another seed, and the same trace for both', async () => {
    const graph = await parseOnnx(mlp('int8').onnx)
    const build = (seed?: string) => compileModel(graph, { profile: 'f32', ...(seed === undefined ? {} : { obfuscate: { seed } }) })
    const [first, second, other, plain] = [await build('a'), await build('a'), await build('b'), await build()]
    assert.deepEqual(first.wasm, second.wasm)
    assert.deepEqual(first.manifest, second.manifest)
    assert.notDeepEqual(first.wasm, other.wasm)
    const input = bytesOf(mlp('int8').input.data)
    const expected = runCompiled(plain, input)
    for (const model of [first, other]) assert.deepEqual(runCompiled(model, input), expected)
  })

  it('says nothing of names when obfuscated', async () => {
    const graph = await parseOnnx(mlp('f32').onnx)
    const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)
    const plain = await compileModel(graph, { profile: 'f32' })
    const hidden = await compileModel(graph, { profile: 'f32', obfuscate: { seed: 's' } })
    assert.ok(text(plain.wasm).includes('kernel 0'))
    assert.ok(!text(hidden.wasm).includes('kernel'))
    assert.deepEqual(new Set(hidden.manifest.layers.map(({ operator }) => operator)), new Set(['layer']))
  })

  it('passes inspection, and its manifest tells the truth', async () => {
    for (const options of [{}, { obfuscate: { seed: 's', dummies: 1 } }, { weights: 'external' as const }]) {
      const compiled = await compileModel(await parseOnnx(cnn('f32').onnx), { profile: 'f32', ...options })
      const inspection = inspectModule(compiled.wasm)
      assert.ok(inspection.accepted)
      const manifest = moduleManifestSchema(JSON.parse(JSON.stringify(compiled.manifest)), 'manifest')
      assert.equal(manifest.moduleSha256, sha256Hash(compiled.wasm))
      assert.equal(String(inspection.work.get('run')), manifest.runWork)
      for (const layer of manifest.layers) assert.equal(String(inspection.work.get(layer.runExport)), layer.runWork)
    }
  })

  it('runs with external weights as with inline ones', async () => {
    const graph = await parseOnnx(cnn('int8').onnx)
    const input = bytesOf(cnn('int8').input.data)
    const [inline, external] = [
      await compileModel(graph, { profile: 'f32' }),
      await compileModel(graph, { profile: 'f32', weights: 'external' }),
    ]
    assert.deepEqual(runCompiled(external, input), runCompiled(inline, input))
    assert.ok(external.wasm.length < inline.wasm.length / 2)
  })
})

describe('what cannot be compiled', () => {
  it('is refused by name', async () => {
    const graph = await parseOnnx(transformer('f32').onnx)
    await assert.rejects(compileModel(graph, { profile: 'f32', maxMemoryBytes: 2 ** 20 }), { code: 'compiler.over-memory' })
    await assert.rejects(compileModel(graph, { profile: 'q8' }), { code: 'model.q8-unsupported' })
    const x = float32([2], [1, 2])
    const types = new Map(
      [
        ['x', x],
        ['y', { elementType: 'int64' as const, shape: [1] }],
      ].map(([id, type]) => [id, type]),
    ) as never
    const unsupported = {
      name: 'g',
      inputs: ['x'],
      outputs: ['y'],
      nodes: [{ name: 'n', operation: { operator: 'HardSwish' as const }, inputs: ['x'], outputs: ['y'] }],
      constants: new Map(),
      types,
    }
    await assert.rejects(compileModel(unsupported, { profile: 'f32' }), {
      code: 'compiler.unsupported-node',
      node: 'n',
      operator: 'HardSwish',
    })
  })
})
