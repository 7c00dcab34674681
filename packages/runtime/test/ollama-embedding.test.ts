import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { openOllamaEmbedding } from '../src/node/ollama-embedding.ts'

const digest = 'ab'.repeat(32)

/** A fake Ollama: one local and one remote model, and whatever is given as the reply to /api/embed. */
async function startFake(embeddings: (texts: readonly string[]) => unknown) {
  const fake = { digest, remote: false }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const body = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
    const models = [
      { name: 'embedder:latest', digest: fake.digest, size: 1, ...(fake.remote ? { remote_host: 'https://example.invalid' } : {}) },
      { name: 'far:latest', digest, size: 1, remote_host: 'https://example.invalid' },
    ]
    response.end(JSON.stringify(request.url === '/api/tags' ? { models } : { embeddings: embeddings(body.input) }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { fake, address: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => void server.close() }
}

describe('an embedding model of Ollama', () => {
  it('gives one vector per text and pins name and manifest', async () => {
    await using fake = await startFake((texts) => texts.map((text) => [text.length, 1, -0.5]))
    const model = await openOllamaEmbedding({ model: 'embedder', address: fake.address })
    assert.equal(model.model, `ollama/embedder:latest@sha256:${digest}`)
    assert.deepEqual(await model.embed(['ab', 'abc']), [Float64Array.of(2, 1, -0.5), Float64Array.of(3, 1, -0.5)])
    assert.deepEqual(await model.embed([]), [])
  })

  it('refuses models that are missing, changed, or would send texts away', async () => {
    await using fake = await startFake(() => [])
    const { address } = fake
    await assert.rejects(openOllamaEmbedding({ model: 'other', address }), { code: 'runtime.model-not-found' })
    await assert.rejects(openOllamaEmbedding({ model: 'far', address }), { code: 'runtime.ollama-remote-model' })
    await assert.rejects(openOllamaEmbedding({ model: 'embedder', address, digest: `sha256:${'cd'.repeat(32)}` }), {
      code: 'runtime.digest-mismatch',
    })
  })

  it('sends no text once the name is that of another model, or of one elsewhere', async () => {
    let sent = 0
    await using server = await startFake(() => [[++sent]])
    const model = await openOllamaEmbedding({ model: 'embedder', address: server.address })
    await model.embed(['text'])
    server.fake.remote = true
    await assert.rejects(model.embed(['text']), { code: 'runtime.ollama-remote-model' })
    Object.assign(server.fake, { remote: false, digest: 'cd'.repeat(32) })
    await assert.rejects(model.embed(['text']), { code: 'runtime.digest-mismatch' })
    assert.equal(sent, 1)
  })

  it('refuses replies that are not vectors', async () => {
    for (const reply of [null, [], [[1, 'x']], [[]], [[1], [1]], [[true]]]) {
      await using fake = await startFake(() => reply)
      const model = await openOllamaEmbedding({ model: 'embedder', address: fake.address })
      await assert.rejects(model.embed(['text']), { code: 'runtime.ollama-failed' })
    }
  })
})
