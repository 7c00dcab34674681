// The gateway as programs meet it: the unmodified `openai` client against a real local network.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startGateway } from '@tacit/gateway'
import type { HttpServer } from '@tacit/network/node'
import { receiptFileSchema } from '@tacit/protocol'
import OpenAI from 'openai'
import { startTestNetwork, type TestNetwork } from '../../../test/e2e/network.ts'

/** What the gateway understands beyond OpenAI's fields. */
const immediate = { provider: { stream: 'immediate' } }

describe('the gateway', () => {
  let world: TestNetwork
  let gateway: HttpServer
  let openai: OpenAI

  before(async () => {
    world = await startTestNetwork({ workers: 1, maxJobs: 1, redeemSeconds: 3600 })
    gateway = await startGateway({ client: world.client, findReceipt: async (id) => world.store.findReceipt(id) })
    openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'unused', maxRetries: 0 })
  })
  after(async () => {
    await gateway?.close()
    await world?.[Symbol.asyncDispose]()
  })

  const ask = (content: string, more: object = {}): OpenAI.ChatCompletionCreateParamsNonStreaming =>
    // The extension fields are the gateway's own; the client passes them on.
    ({ model: 'babble', messages: [{ role: 'user', content }], max_tokens: 24, seed: 1, ...immediate, ...more }) as never

  const stream = (content: string, more: object = {}): OpenAI.ChatCompletionCreateParamsStreaming =>
    ({ ...ask(content, more), stream: true }) as never

  const failure = async (
    promise: Promise<unknown>,
  ): Promise<{ readonly status: number; readonly code: string; readonly message: string }> => {
    try {
      await promise
    } catch (error) {
      assert.ok(error instanceof OpenAI.APIError, String(error))
      return { status: error.status ?? 0, code: String(error.code), message: error.message }
    }
    return assert.fail('the request succeeded')
  }

  it('lists the language models and describes one', async () => {
    const models = await openai.models.list()
    assert.deepEqual(
      models.data.map(({ id, object }) => [id, object]),
      [['babble', 'model']],
    )
    assert.equal((await openai.models.retrieve('babble')).id, 'babble')
    assert.deepEqual(await failure(openai.models.retrieve('gpt-4o')).then(({ status, code }) => [status, code]), [404, 'model_not_found'])
  })

  it('answers a chat whole, with usage, and hands out its receipt', async () => {
    const { data, response } = await openai.chat.completions.create(ask('Tell me a tale.')).withResponse()
    assert.equal(response.status, 200)
    const [choice] = data.choices
    assert.ok((choice?.message.content ?? '').length > 0)
    assert.equal(choice?.message.role, 'assistant')
    assert.ok(['stop', 'length'].includes(choice?.finish_reason ?? ''))
    assert.ok(data.usage !== undefined && data.usage.prompt_tokens > 0 && data.usage.completion_tokens <= 24)
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens)
    const { provider } = data as unknown as { provider: { receipt: string; verified: boolean; stream: string; notice: string } }
    assert.equal(provider.verified, true)
    assert.equal(provider.stream, 'immediate')
    assert.match(provider.notice, /babbles/)
    const id = response.headers.get('x-receipt-id')
    assert.equal(id, provider.receipt)
    const found = await fetch(`${gateway.url}/v1/receipts/${id}`)
    assert.equal(found.status, 200)
    const file = receiptFileSchema(await found.json(), 'receipt')
    assert.equal(file.receipt.document.delivered.finishReason === 'length' ? 'length' : 'stop', choice?.finish_reason)
    assert.equal((await fetch(`${gateway.url}/v1/receipts/0x00`)).status, 404)
  })

  it('streams the same text in parts, with one finish reason and one usage chunk', async () => {
    const whole = (await openai.chat.completions.create(ask('Who are you?'))).choices[0]?.message.content
    const { data, response } = await openai.chat.completions
      .create(stream('Who are you?', { stream_options: { include_usage: true } }))
      .withResponse()
    let text = ''
    const reasons: string[] = []
    const usages: number[] = []
    let chunks = 0
    const ids = new Set<string>()
    for await (const chunk of data) {
      chunks++
      ids.add(chunk.id)
      text += chunk.choices[0]?.delta.content ?? ''
      for (const { finish_reason: reason } of chunk.choices) if (reason !== null) reasons.push(reason)
      if (chunk.usage) {
        usages.push(chunk.usage.completion_tokens)
        assert.equal(chunk.choices.length, 0)
      }
    }
    assert.equal(text, whole)
    assert.equal(reasons.length, 1)
    assert.equal(usages.length, 1)
    assert.ok((usages[0] ?? 0) > 0)
    assert.equal(ids.size, 1)
    assert.ok(chunks > 3)
    const receipt = await fetch(`${gateway.url}/v1/receipts/${response.headers.get('x-receipt-id')}`)
    assert.equal(receipt.status, 200)
    receiptFileSchema(await receipt.json(), 'receipt')
  })

  it('sends no usage chunk that nobody asked for', async () => {
    for await (const chunk of await openai.chat.completions.create(stream('hi', { max_tokens: 4 }))) {
      assert.equal(chunk.usage ?? null, null)
      assert.equal(chunk.choices.length, 1)
    }
  })

  it('ends the text at a stop word and keeps it out', async () => {
    const text = (await openai.chat.completions.create(ask('Tell me a tale.'))).choices[0]?.message.content ?? ''
    const stop = text.slice(6, 9)
    const cut = (await openai.chat.completions.create(ask('Tell me a tale.', { stop }))).choices[0]
    assert.equal(cut?.finish_reason, 'stop')
    assert.equal(cut?.message.content, text.slice(0, text.indexOf(stop)))
  })

  // The worker has a single place: a request after the aborted one shows that it is free again.
  it('frees the place of a stream that is aborted in the middle', async () => {
    const running = await openai.chat.completions.create(stream('Tell me a tale.', { max_tokens: 2000, temperature: 0.9 }))
    for await (const chunk of running) if ((chunk.choices[0]?.delta.content ?? '') !== '') break
    running.controller.abort()
    const started = performance.now()
    for (;;) {
      const next = await openai.chat.completions.create(ask('hi', { max_tokens: 2 })).then(
        (answer) => answer.choices.length,
        (error: unknown) => error,
      )
      if (next === 1) break
      assert.ok(next instanceof OpenAI.APIError && next.status === 503, String(next))
      assert.ok(performance.now() - started < 5_000, 'the place is still taken after five seconds')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })

  it('answers 503 and nothing else while every place is taken', async () => {
    const running = await openai.chat.completions.create(stream('Tell me a tale.', { max_tokens: 2000, temperature: 0.9 }))
    const iterator = running[Symbol.asyncIterator]()
    while (((await iterator.next()).value?.choices[0]?.delta.content ?? '') === '');
    const refused = await failure(openai.chat.completions.create(ask('hi')))
    assert.deepEqual([refused.status, refused.code], [503, 'busy'])
    running.controller.abort()
  })

  it('names what it cannot do instead of ignoring it', async () => {
    const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }]
    const cases: readonly (readonly [object, number, string])[] = [
      [{ model: 'nope' }, 404, 'model_not_found'],
      [{ model: 'digits' }, 400, 'model_not_supported'],
      [{ tools }, 400, 'unsupported_parameter'],
      [{ n: 2 }, 400, 'unsupported_parameter'],
      [{ logprobs: true }, 400, 'unsupported_parameter'],
      [{ response_format: { type: 'json_object' } }, 400, 'unsupported_parameter'],
      [{ frequency_penalty: 1 }, 400, 'unsupported_parameter'],
      [{ wibble: 1 }, 400, 'unsupported_parameter'],
      [{ temperature: 3 }, 400, 'invalid_value'],
      [{ max_tokens: 0 }, 400, 'invalid_value'],
      [{ messages: [] }, 400, 'missing_required_parameter'],
      [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }, 400, 'unsupported_content'],
      [{ provider: { privacy: 'attested' } }, 412, 'level_not_offered'],
      [{ provider: { verification: 'proved' } }, 412, 'level_not_offered'],
      [{ provider: { privacy: 'none' } }, 400, 'invalid_value'],
      [{ provider: { stream: 'immediate', max_price: '1' } }, 412, 'quote_rejected'],
    ]
    for (const [fields, status, code] of cases) {
      for (const request of [ask('hi', fields), stream('hi', fields)]) {
        const found = await failure(openai.chat.completions.create(request))
        assert.deepEqual([found.status, found.code], [status, code], `${JSON.stringify(fields)}: ${found.message}`)
      }
    }
  })

  it('refuses a prompt over the context length, never cuts it', async () => {
    for (const request of [ask('word '.repeat(3000)), stream('word '.repeat(3000))]) {
      const { status, code, message } = await failure(openai.chat.completions.create(request))
      assert.deepEqual([status, code], [400, 'context_length_exceeded'])
      assert.match(message, /\d+ tokens/)
    }
  })

  it('never answers 200 with an empty body', async () => {
    const bodies = ['', '{', '[]', '{"model":"babble"}', '{"model":"babble","messages":"hi"}', '\u0000']
    for (const body of bodies) {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body })
      assert.equal(response.status, 400, body)
      const { error } = (await response.json()) as { error: { message: string; type: string; code: string } }
      assert.ok(error.message !== '' && error.type !== '' && error.code !== '')
    }
    assert.equal((await fetch(`${gateway.url}/v1/nothing`)).status, 404)
    const large = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body: 'x'.repeat((1 << 20) + 1) })
    assert.equal(large.status, 413)
  })
})
