import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { LanguageEngine } from '../src/engine.ts'
import type { RuntimeError } from '../src/errors.ts'
import { detectOllama, ollamaAddress } from '../src/node/ollama-api.ts'
import { openOllamaEngine } from '../src/node/ollama-engine.ts'
import { type FakeBehaviour, type FakeOllama, startFakeOllama } from './fake-ollama.ts'
import { collect } from './language-zoo.ts'

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    (error as RuntimeError).code === code

const request = { messages: [{ role: 'user', content: 'the secret' }], maxTokens: 10, temperature: 0.5, seed: 3 } as const

describe('the Ollama engine, against a fake of its API', () => {
  let fake: FakeOllama
  let engine: LanguageEngine
  before(async () => {
    fake = await startFakeOllama()
    engine = await openOllamaEngine({ address: fake.address, model: 'tiny', stallTimeoutMs: 300, queueLimit: 1 })
  })
  after(async () => {
    await engine[Symbol.asyncDispose]()
    await fake[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    fake.behaviour = 'words'
    fake.digest = 'a'.repeat(64)
  })

  it('detects a server with its models in one call, and gives nothing where none answers', async () => {
    const found = await detectOllama({ host: fake.address })
    assert.deepEqual(
      found?.models.map(({ name, remote }) => [name, remote]),
      [
        ['tiny:latest', false],
        ['big:cloud', true],
      ],
    )
    // Port 1 is privileged and unused: nothing listens there.
    assert.equal(await detectOllama({ host: '127.0.0.1:1' }), undefined)
  })

  it('reads every form of OLLAMA_HOST', () => {
    const forms: readonly (readonly [string | undefined, string])[] = [
      [undefined, 'http://127.0.0.1:11434'],
      ['', 'http://127.0.0.1:11434'],
      ['0.0.0.0', 'http://127.0.0.1:11434'],
      ['0.0.0.0:8080', 'http://127.0.0.1:8080'],
      [':8080', 'http://127.0.0.1:8080'],
      ['localhost', 'http://localhost:11434'],
      ['https://models.example/ollama/', 'https://models.example/ollama'],
    ]
    for (const [host, address] of forms) assert.equal(ollamaAddress(host), address)
    assert.throws(() => ollamaAddress('http://:bad:'), hasCode('runtime.ollama-unreachable'))
  })

  it('streams text and counts, and asks for exactly what the request says', async () => {
    assert.deepEqual(await collect(engine, { ...request, topP: 0.9, stop: ['x'] }), {
      text: 'café and tea',
      tokens: 3,
      end: { type: 'end', finishReason: 'stop', promptTokens: 7, completionTokens: 3 },
    })
    const body = fake.requests.at(-1)
    assert.deepEqual(body?.['messages'], request.messages)
    assert.equal(body?.['truncate'], false)
    assert.equal(body?.['shift'], false)
    const { num_ctx, num_predict, seed, temperature, top_p, top_k, repeat_penalty, stop } = (body?.['options'] ?? {}) as Record<
      string,
      unknown
    >
    assert.deepEqual([num_ctx, num_predict, seed, temperature, top_p, top_k, repeat_penalty, stop], [2048, 10, 3, 0.5, 0.9, 0, 1, ['x']])
    assert.equal((await collect(engine, { prompt: 'raw', maxTokens: 4, temperature: 0, seed: 1 })).text, 'café and tea')
    assert.equal(fake.requests.at(-1)?.['raw'], true)
    assert.equal(await engine.countTokens({ messages: request.messages }), 7)
  })

  it('labels its digest as reported, pins it, and refuses when it changes', async () => {
    assert.equal(engine.info.identity, 'reported')
    assert.equal(engine.modelDigest, `sha256:${'a'.repeat(64)}`)
    fake.digest = 'c'.repeat(64)
    await assert.rejects(collect(engine, request), hasCode('runtime.digest-mismatch'))
    const pinned = openOllamaEngine({ address: fake.address, model: 'tiny', digest: engine.modelDigest })
    await assert.rejects(pinned, hasCode('runtime.digest-mismatch'))
    await assert.rejects(openOllamaEngine({ address: fake.address, model: 'absent' }), hasCode('runtime.model-not-found'))
  })

  it('refuses a model that forwards prompts to somebody else', async () => {
    await assert.rejects(openOllamaEngine({ address: fake.address, model: 'big:cloud' }), hasCode('runtime.ollama-remote-model'))
  })

  it('turns every broken answer into a named error that repeats nothing of the prompt', async () => {
    const broken: readonly (readonly [FakeBehaviour, string])[] = [
      ['error-midway', 'runtime.ollama-failed'],
      ['break-off', 'runtime.ollama-failed'],
      ['garbage', 'runtime.ollama-failed'],
      ['long-line', 'runtime.ollama-failed'],
      ['silent', 'runtime.ollama-failed'],
      ['no-memory', 'runtime.ollama-failed'],
      ['too-long', 'runtime.context-exceeded'],
    ]
    for (const [behaviour, code] of broken) {
      fake.behaviour = behaviour
      const error = await collect(engine, request).then(
        () => undefined,
        (reason: unknown) => reason as RuntimeError,
      )
      assert.equal(error?.code, code, behaviour)
      assert.ok(!String(error).includes('secret'), behaviour)
      assert.ok(!String((await engine.health()).detail).includes('secret'))
    }
    fake.behaviour = 'words'
    await collect(engine, request)
    assert.deepEqual(await engine.health(), { status: 'ready', running: 0, queued: 0, restarts: 0 })
  })

  it('closes the socket when the caller aborts or leaves, and queues up to its limit', async () => {
    fake.behaviour = 'endless'
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const running = collect(engine, request, { signal: controller.signal })
    running.catch(() => {})
    await waitFor(() => fake.open === 1)
    const queued = new AbortController()
    const waiting = collect(engine, request, { signal: queued.signal })
    waiting.catch(() => {})
    await assert.rejects(collect(engine, request), hasCode('runtime.engine-busy'))
    queued.abort(reason)
    controller.abort(reason)
    await assert.rejects(running, reason)
    await assert.rejects(waiting, reason)
    await waitFor(() => fake.open === 0)
    for await (const event of engine.generate(request)) {
      assert.equal(event.type, 'text')
      break
    }
    await waitFor(() => fake.open === 0)
    assert.equal((await engine.health()).running, 0)
  })

  it('says so when the server is gone', async () => {
    const other = await startFakeOllama()
    await using orphan = await openOllamaEngine({ address: other.address, model: 'tiny:latest' })
    await other[Symbol.asyncDispose]()
    await assert.rejects(collect(orphan, request), hasCode('runtime.ollama-unreachable'))
    assert.equal((await orphan.health()).status, 'failed')
  })
})

async function waitFor(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(condition())
}
