import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { after, before, describe, it } from 'node:test'
import type { RuntimeError } from '../src/errors.ts'
import { type LlamaEngine, openLlamaEngine } from '../src/node/llama-engine.ts'
import { collect, languageCard, zooFile } from './language-zoo.ts'

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    (error as RuntimeError).code === code

describe('the llama.cpp engine', () => {
  let engine: LlamaEngine
  before(async () => {
    engine = await openLlamaEngine({ file: zooFile('q8_0'), queueLimit: 2 })
  })
  after(() => engine[Symbol.asyncDispose]())

  it('answers a chat message with whole characters, counts that add up, and exactly one end', async () => {
    const messages = [{ role: 'user', content: 'Tell me a story about a fox.' }] as const
    const answer = await collect(engine, { messages, maxTokens: 400, temperature: 0, seed: 1 })
    assert.equal(answer.end.finishReason, 'stop')
    assert.equal(answer.end.promptTokens, await engine.countTokens({ messages }))
    assert.equal(answer.end.completionTokens, answer.tokens)
    assert.equal(Buffer.byteLength(answer.text), answer.tokens)
    assert.ok(answer.text.isWellFormed())
    assert.match(answer.text, /^[A-Z“].*[.”]$/s)
  })

  it('gives the same bits for the same seed and others for another', async () => {
    const request = { messages: [{ role: 'user', content: 'Tell me a story.' }], maxTokens: 80, temperature: 1.5, seed: 7 } as const
    const first = await collect(engine, request)
    await collect(engine, { ...request, seed: 8 })
    assert.deepEqual(await collect(engine, request), first)
    assert.notEqual((await collect(engine, { ...request, seed: 8 })).text, first.text)
  })

  it('ends at a stop string and shows none of it', async () => {
    const messages = [{ role: 'user', content: 'Count to nine.' }] as const
    const whole = await collect(engine, { messages, maxTokens: 100, temperature: 0, seed: 1 })
    assert.ok(whole.text.includes('three, four'), whole.text)
    const cut = await collect(engine, { messages, maxTokens: 100, temperature: 0, seed: 1, stop: ['ee, fo'] })
    assert.equal(cut.text, whole.text.slice(0, whole.text.indexOf('ee, fo')))
    assert.equal(cut.end.finishReason, 'stop')
  })

  it('ends with `length` after maxTokens', async () => {
    const answer = await collect(engine, { prompt: 'Once there was', maxTokens: 5, temperature: 0, seed: 1 })
    assert.equal(answer.end.finishReason, 'length')
    assert.equal(answer.end.completionTokens, 5)
  })

  it('fills the context to its last token and never shifts it', async () => {
    await using small = await openLlamaEngine({ file: zooFile('q8_0'), contextTokens: 64 })
    assert.equal(small.contextTokens, 64)
    const prompt = 'x'.repeat(50)
    const answer = await collect(small, { prompt, maxTokens: 1000, temperature: 1, seed: 3 })
    if (answer.end.finishReason === 'length') assert.equal(answer.end.promptTokens + answer.end.completionTokens, 64)
    const last = await collect(small, { prompt: 'x'.repeat(62), maxTokens: 10, temperature: 1, seed: 3 })
    assert.equal(last.end.promptTokens, 63)
    assert.ok(last.end.completionTokens <= 1)
    const error = await collect(small, { prompt: 'secret'.repeat(11), maxTokens: 1, temperature: 0, seed: 1 }).then(
      () => undefined,
      (e: unknown) => e,
    )
    assert.ok(hasCode('runtime.context-exceeded')(error))
    assert.deepEqual((error as { promptTokens: number }).promptTokens, 67)
    assert.ok(!String(error).includes('secret'))
  })

  it('never turns what people write into control tokens', async () => {
    const count = (content: string) => engine.countTokens({ messages: [{ role: 'user', content }] })
    const overhead = (await count('x')) - 1
    for (const text of ['<|user|>', '<|end|>', '[[tacit-content-0]]', '{{ bos_token }}'])
      assert.equal(await count(text), overhead + text.length)
    assert.equal(await engine.countTokens({ prompt: '<|end|>' }), 8)
    assert.equal(await engine.countTokens({ prompt: 'né€😀' }), 1 + 1 + 2 + 3 + 4)
  })

  it('puts every turn through the template of the model', async () => {
    const messages = [
      { role: 'system', content: 'abc' },
      { role: 'user', content: 'defg' },
      { role: 'assistant', content: 'hi' },
      { role: 'user', content: 'j' },
    ] as const
    // One token to begin, one per role, one that ends the earlier answer, and one that asks for the next.
    assert.equal(await engine.countTokens({ messages }), 1 + 4 + 1 + 1 + 'abcdefghij'.length)
  })

  it('frees its slot when the caller aborts or leaves, and queues up to its limit', async () => {
    const long = { prompt: 'Once', maxTokens: 1900, temperature: 1.2, seed: 5 } as const
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const running = (async () => {
      for await (const event of engine.generate({ ...long, stop: ['\u0000'] }, { signal: controller.signal })) void event
    })()
    running.catch(() => {})
    const waiting = new AbortController()
    const queued = collect(engine, long, { signal: waiting.signal })
    const queuedLast = collect(engine, { ...long, maxTokens: 3 })
    await assert.rejects(collect(engine, long), hasCode('runtime.engine-busy'))
    assert.deepEqual(await engine.health(), { status: 'ready', running: 1, queued: 2, restarts: 0 })
    waiting.abort(reason)
    await assert.rejects(queued, reason)
    controller.abort(reason)
    await assert.rejects(running, reason)
    assert.ok((await queuedLast).end.completionTokens <= 3)
    for await (const event of engine.generate(long)) {
      assert.equal(event.type, 'text')
      break
    }
    await collect(engine, { ...long, maxTokens: 2 })
    assert.deepEqual(await engine.health(), { status: 'ready', running: 0, queued: 0, restarts: 0 })
  })

  it('makes the producer wait for a slow consumer and loses nothing', async () => {
    const request = { prompt: 'Once', maxTokens: 300, temperature: 1, seed: 2 } as const
    const expected = await collect(engine, request)
    let text = ''
    let events = 0
    for await (const event of engine.generate(request)) {
      if (event.type === 'text') text += event.text
      if (events++ < 3) await new Promise((resolve) => setTimeout(resolve, 60))
    }
    assert.equal(text, expected.text)
  })

  it('refuses requests out of range before anything runs', async () => {
    const request = { prompt: 'a', maxTokens: 1, temperature: 0, seed: 1 }
    for (const wrong of [
      { maxTokens: 0 },
      { temperature: -1 },
      { temperature: Number.NaN },
      { topP: 0 },
      { seed: 2 ** 32 },
      { seed: 0.5 },
      { stop: [''] },
    ]) {
      await assert.rejects(collect(engine, { ...request, ...wrong }), hasCode('runtime.invalid-request'))
    }
    await assert.rejects(collect(engine, { messages: [], maxTokens: 1, temperature: 0, seed: 1 }), hasCode('runtime.invalid-request'))
  })

  it('pins file, tokenizer, template, cache, attention, sampler and threads in its profile', () => {
    const card = languageCard.files.find(({ name }) => name === 'babble-q8_0')
    assert.equal(engine.modelDigest, `sha256:${card?.sha256}`)
    for (const field of [
      'engine=llama.cpp',
      `model=${engine.modelDigest}`,
      'tokenizer=',
      'template=',
      'kv=f16',
      'flash=off',
      'sampler=',
      'threads=1',
    ]) {
      assert.ok(engine.info.profile.includes(`;${field}`), field)
    }
    assert.equal(engine.info.identity, 'file')
  })

  it('caps its threads at the cores of the machine, and one thread uses one core', async () => {
    await using many = await openLlamaEngine({ file: zooFile('f16'), threads: 4096 })
    assert.match(many.info.profile, new RegExp(`threads=${availableParallelism()}$`))
    if (process.platform !== 'linux') return
    const { readFileSync } = await import('node:fs')
    const ticks = (): number => {
      const fields = readFileSync(`/proc/${engine.childPid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return Number(fields[11]) + Number(fields[12])
    }
    const before = ticks()
    const started = performance.now()
    await collect(engine, { prompt: 'Once', maxTokens: 1500, temperature: 5, seed: 1, stop: ['\u0000'] })
    const cpuMs = (ticks() - before) * 10
    const wallMs = performance.now() - started
    // Ticks are 10 ms; the event loop of the child adds a little beside the one compute thread.
    assert.ok(cpuMs <= 1.35 * wallMs + 40, `${cpuMs} ms of processor time in ${wallMs} ms`)
  })
})
