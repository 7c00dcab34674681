// Tensor models are served as compiled modules, with the root of their layer trace.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { compileModel } from '@tacit/compiler'
import { float32, parseOnnx, runGraph } from '@tacit/model'
import { toHex, traceRoot } from '@tacit/protocol'
import type { ModelDigest } from '@tacit/runtime'
import { loadModel } from '@tacit/runtime/node'
import { openCompiledFile } from '../src/node/compiled-model.ts'
import { zooDirectory } from '../src/node/local-network/zoo.ts'
import { serveTensorEngine } from '../src/worker/tensor-model.ts'
import type { RunEvent } from '../src/worker/served-model.ts'

const file = join(zooDirectory, 'digits/digits-relu.onnx')
const bytes = Uint8Array.from(readFileSync(file))
const digestOf = (content: Uint8Array): ModelDigest => `sha256:${createHash('sha256').update(content).digest('hex')}`
const values = Float32Array.from({ length: 64 }, (_, i) => (i % 17) / 16)
const x = { type: 'f32' as const, shape: [1, 64], data: values }
const terms = {
  id: `0x${'1'.repeat(64)}`,
  name: 'digits',
  root: `0x${'2'.repeat(64)}`,
  stepPrice: 1n,
  deadlineSeconds: 60,
} as unknown as Parameters<typeof serveTensorEngine>[1] // identifiers are branded; nothing here looks at them

async function serve(traceKey: Uint8Array): Promise<readonly RunEvent[]> {
  await using engine = await openCompiledFile(file, digestOf(bytes))
  const served = serveTensorEngine(engine, terms)
  const input = {
    kind: 'tensors' as const,
    tensors: [{ name: 'x', type: 'f32' as const, shape: [1, 64], data: toHex(new Uint8Array(values.slice().buffer)) }],
  }
  const { signal } = new AbortController()
  assert.deepEqual(await served.preflight(input, { signal }), { ok: true })
  const events: RunEvent[] = []
  for await (const event of served.run(input, { maxTokens: 1, signal, traceKey })) events.push(event)
  return events
}

describe('a served tensor model', () => {
  it("runs compiled, in the sandbox, with the interpreter's bits", async () => {
    await using engine = await openCompiledFile(file, digestOf(bytes))
    assert.equal(engine.info.engine, 'sandbox')
    const graph = parseOnnx(bytes)
    const expected = runGraph(graph, { x: float32([1, 64], values) })
    const { outputs } = await engine.run({ x })
    for (const [name, output] of Object.entries(outputs)) assert.deepEqual(output.data, expected[name]?.data)
  })

  it('ends with a trace root that whoever has input and key finds again', async () => {
    const key = new Uint8Array(32).fill(3)
    const [output, end] = await serve(key)
    assert.ok(output?.type === 'output' && end?.type === 'end')
    const { wasm, manifest } = await compileModel(parseOnnx(bytes), { profile: 'f32', obfuscate: { seed: 'another build' } })
    await using again = await loadModel(wasm, manifest)
    const { trace } = await again.run({ x }, { trace: 'hashes' })
    assert.ok(trace && trace.length >= 2)
    assert.equal(end.traceRoot, traceRoot(trace, key))
    assert.notEqual(end.traceRoot, traceRoot(trace, new Uint8Array(32).fill(4)))
  })

  it('is left to the interpreter, without a trace, where it cannot be compiled', async () => {
    await using engine = await openCompiledFile(file, digestOf(bytes), { maxMemoryBytes: 4096 })
    assert.equal(engine.info.engine, 'reference')
    await using compiled = await openCompiledFile(file, digestOf(bytes))
    const { outputs, trace } = await engine.run({ x }, { trace: 'hashes' })
    assert.deepEqual(outputs, (await compiled.run({ x })).outputs)
    assert.equal(trace, undefined)
  })

  it('is refused when the file is not the committed one', async () => {
    await assert.rejects(openCompiledFile(file, digestOf(Uint8Array.of(1))), { code: 'runtime.digest-mismatch' })
    await assert.rejects(openCompiledFile(`${file}.absent`, digestOf(bytes)), { code: 'runtime.model-not-found' })
  })
})
