// Requests that must not reach a worker.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, it } from 'node:test'
import type { TacitClient } from '@tacit/client'
import { startGateway } from '@tacit/gateway'
import { readChatRequest } from '../src/chat-request.ts'

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

describe('a chat request that the network cannot carry', () => {
  it('is the fault of the caller, in the words of OpenAI errors', () => {
    const ask = (more: object) => () => readChatRequest(bytes({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...more }))
    assert.doesNotThrow(ask({}))
    for (const more of [
      { messages: [{ role: 'user', content: '\ud800' }] },
      { messages: Array.from({ length: 1025 }, () => ({ role: 'user', content: '' })) },
      { stop: 'x'.repeat(257) },
    ])
      assert.throws(ask(more), { status: 400, apiCode: 'invalid_value' })
  })
})

describe('a page of another site', () => {
  it('cannot spend what the user has', async () => {
    const client = { models: async () => [] } as unknown as TacitClient // a fake: what gets here was let through
    await using gateway = await startGateway({ client, findReceipt: async () => undefined })
    const statusFor = (origin: string | undefined): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = origin === undefined ? {} : { origin }
        request(`${gateway.url}/v1/models`, { headers }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on('error', reject)
          .end()
      })
    assert.equal(await statusFor(undefined), 200)
    assert.equal(await statusFor('http://localhost:3000'), 200)
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'http://127.0.0.1.nip.io'])
      assert.equal(await statusFor(origin), 403, origin)
  })
})
