// The promises of the Ollama engine against a real server. Runs only where OLLAMA_HOST names one, and says so otherwise.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { LanguageEngine } from '../src/engine.ts'
import type { RuntimeError } from '../src/errors.ts'
import { openLlamaEngine } from '../src/node/llama-engine.ts'
import { callOllama, detectOllama, ollamaAddress } from '../src/node/ollama-api.ts'
import { openOllamaEngine } from '../src/node/ollama-engine.ts'
import { collect, zooFile } from './language-zoo.ts'

const host = process.env['OLLAMA_HOST']
const skip = host === undefined || host === '' ? 'DID NOT RUN: set OLLAMA_HOST to the address of a real Ollama' : false
if (skip) console.warn(`ollama-real.test.ts ${skip}. Nothing below is evidence about a real server.`)

const name = 'tacit-runtime-test'
const timeout = (): AbortSignal => AbortSignal.timeout(60_000)

describe('the Ollama engine, against a real server', { skip }, () => {
  const address = skip ? '' : ollamaAddress(host)
  let engine: LanguageEngine
  before(async () => {
    const bytes = readFileSync(zooFile('f16'))
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const uploaded = await fetch(`${address}/api/blobs/${digest}`, { method: 'POST', body: new Uint8Array(bytes) })
    assert.ok(uploaded.ok, `upload: status ${uploaded.status}`)
    await callOllama(address, '/api/create', timeout(), { model: name, files: { 'babble.gguf': digest }, stream: false })
    engine = await openOllamaEngine({ address, model: name, contextTokens: 512 })
  })
  after(async () => {
    await engine?.[Symbol.asyncDispose]()
    await fetch(`${address}/api/delete`, { method: 'DELETE', body: JSON.stringify({ model: name }) })
  })

  it('is listed with the digest that the engine pins', async () => {
    const found = await detectOllama({ host })
    assert.equal(found?.models.find((model) => model.name === `${name}:latest`)?.digest, engine.modelDigest)
  })

  it('continues a prompt greedily just as llama.cpp does, with the same counts', async () => {
    await using direct = await openLlamaEngine({ file: zooFile('f16'), contextTokens: 512 })
    const request = { prompt: 'Once there was a clever fox who lived', maxTokens: 40, temperature: 0, seed: 1 } as const
    const [theirs, ours] = [await collect(engine, request), await collect(direct, request)]
    assert.equal(theirs.text, ours.text)
    // Ollama counts the prompt without the token that it puts before it.
    assert.ok(Math.abs(theirs.end.promptTokens - ours.end.promptTokens) <= 1)
    assert.equal(theirs.end.completionTokens, 40)
    assert.equal(theirs.end.finishReason, 'length')
  })

  it('answers chat messages, and counts the same whether or not it has seen them before', async () => {
    const messages = [{ role: 'user', content: 'Tell me a story.' }] as const
    const answer = await collect(engine, { messages, maxTokens: 20, temperature: 0, seed: 1, stop: ['\u0000'] })
    assert.ok(answer.text.length > 0)
    assert.equal(await engine.countTokens({ messages }), answer.end.promptTokens)
    assert.equal(await engine.countTokens({ messages }), answer.end.promptTokens)
  })

  it('repeats itself for the same seed', async () => {
    const request = { prompt: 'Once there was', maxTokens: 40, temperature: 1, seed: 5 } as const
    assert.equal((await collect(engine, request)).text, (await collect(engine, request)).text)
  })

  it('never cuts a prompt silently', async () => {
    const error = await collect(engine, { prompt: 'word '.repeat(300), maxTokens: 5, temperature: 0, seed: 1 }).then(
      () => undefined,
      (reason: unknown) => reason as RuntimeError,
    )
    assert.equal(error?.code, 'runtime.context-exceeded')
  })

  it('frees its slot when the caller aborts, and serves requests one after the other', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    await assert.rejects(async () => {
      for await (const event of engine.generate(
        { prompt: 'Once', maxTokens: 400, temperature: 2, seed: 1 },
        { signal: controller.signal },
      )) {
        if (event.type === 'text') controller.abort(reason)
      }
    }, reason)
    const short = { prompt: 'Once', maxTokens: 5, temperature: 0, seed: 1 } as const
    const answers = await Promise.all(Array.from({ length: 8 }, () => collect(engine, short)))
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
  })
})
