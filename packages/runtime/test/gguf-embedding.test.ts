// Embedding models in GGUF: llama.cpp through our child process and through node-llama-cpp's own API, which is the oracle.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { getLlama, type Llama, LlamaLogLevel } from 'node-llama-cpp'
import { openGgufEmbedding } from '../src/node/gguf-embedding.ts'
import { zooFile } from './language-zoo.ts'
import { tinyBert } from './tiny-bert.ts'

const texts = ['a fox', 'once there was a fox', 'z', 'q w e r t y', '[CLS] fox [SEP]']

describe('a GGUF embedding model', () => {
  let llama: Llama
  let folder: string
  const file = (name: string): string => join(folder, name)
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tacit-embedding-'))
    await writeFile(file('mean.gguf'), tinyBert('mean'))
    await writeFile(file('first.gguf'), tinyBert('first'))
    llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error, maxThreads: 1 })
  })
  after(async () => {
    await llama.dispose()
    await rm(folder, { recursive: true })
  })

  it('gives the vectors that node-llama-cpp gives: mean and first pooling, and the last token where none is written', async () => {
    for (const path of [file('mean.gguf'), file('first.gguf'), zooFile('q8_0')]) {
      const model = await llama.loadModel({ modelPath: path, useMmap: false, defaultContextFlashAttention: false })
      const oracle = await model.createEmbeddingContext({ contextSize: 64, batchSize: 64, threads: 1 })
      await using own = await openGgufEmbedding({ file: path, contextTokens: 64 })
      const vectors = await own.embed(texts)
      for (const [i, text] of texts.slice(0, 4).entries())
        assert.deepEqual(Array.from(vectors[i] ?? []), (await oracle.getEmbeddingFor(text)).vector, `${path}: ${text}`)
      assert.ok(vectors.every((vector) => vector.some((value) => value !== 0)))
      assert.deepEqual(await own.embed(texts), vectors, 'nothing of an earlier text stays')
      await model.dispose()
    }
  })

  it('names the weights as its space, and comes back after a crash', async () => {
    await using model = await openGgufEmbedding({ file: file('mean.gguf') })
    assert.match(model.model, /^gguf\/sha256:[0-9a-f]{64}$/)
    const before = await model.embed(['fox'])
    const pid = model.childPid
    assert.ok(pid !== undefined)
    process.kill(pid, 'SIGKILL')
    while (model.childPid !== undefined) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.deepEqual(await model.embed(['fox']), before)
  })

  it('never cuts a text, and refuses foreign files, aborted calls and calls after its end', async () => {
    const model = await openGgufEmbedding({ file: file('mean.gguf'), contextTokens: 16 })
    await assert.rejects(model.embed(['a '.repeat(40)]), { code: 'runtime.context-exceeded' })
    assert.equal((await model.embed(['a b c'])).length, 1)
    await assert.rejects(model.embed(['a'], { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
    await model[Symbol.asyncDispose]()
    await assert.rejects(model.embed(['a']), { code: 'runtime.engine-closed' })
    const digest = `sha256:${'ab'.repeat(32)}` as const
    await assert.rejects(openGgufEmbedding({ file: file('mean.gguf'), digest }), { code: 'runtime.digest-mismatch' })
    await writeFile(file('garbage.gguf'), 'GGUF garbage')
    await assert.rejects(openGgufEmbedding({ file: file('garbage.gguf') }), { code: 'runtime.model-malformed' })
    await assert.rejects(openGgufEmbedding({ file: file('missing.gguf') }), { code: 'runtime.model-not-found' })
  })
})
