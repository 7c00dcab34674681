// A FAKE of Ollama's HTTP API, for tests: it speaks the contract of ollama v0.17.4 (NDJSON, field names, statuses) and
// runs no model. `ollama-real.test.ts` holds the same promises against a real server.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How the fake answers the next chat. */
export type FakeBehaviour =
  | 'words'
  | 'endless'
  | 'error-midway'
  | 'break-off'
  | 'garbage'
  | 'silent'
  | 'too-long'
  | 'no-memory'
  | 'long-line'

export type FakeOllama = AsyncDisposable & {
  readonly address: string
  behaviour: FakeBehaviour
  digest: string
  /** Bodies of the chats and generations that arrived. */
  readonly requests: Record<string, unknown>[]
  /** Streams that are open right now. */
  readonly open: number
}

export async function startFakeOllama(): Promise<FakeOllama> {
  let open = 0
  const requests: Record<string, unknown>[] = []
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const fake: FakeOllama = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behaviour: 'words',
    digest: 'a'.repeat(64),
    requests,
    get open() {
      return open
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const body = parts.length === 0 ? {} : JSON.parse(Buffer.concat(parts).toString())
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
    switch (request.url) {
      case '/api/version':
        return json(200, { version: '0.17.4' })
      case '/api/tags':
        return json(200, {
          models: [
            {
              name: 'tiny:latest',
              model: 'tiny:latest',
              modified_at: '2026-01-01T00:00:00Z',
              size: 1234,
              digest: fake.digest,
              details: { format: 'gguf' },
            },
            {
              name: 'big:cloud',
              model: 'big:cloud',
              size: 1,
              digest: 'b'.repeat(64),
              remote_model: 'big',
              remote_host: 'https://ollama.com:443',
            },
            { name: 'odd', digest: 'not a digest' },
          ],
        })
      case '/api/show':
        return json(200, { template: '{{ .Prompt }}', model_info: { 'llama.context_length': 2048 }, capabilities: ['completion'] })
      case '/api/chat':
      case '/api/generate':
        requests.push(body)
        return stream(response, request.url === '/api/chat', json)
      default:
        return json(404, { error: 'not found' })
    }
  }

  async function stream(response: ServerResponse, isChat: boolean, json: (status: number, value: unknown) => void): Promise<void> {
    const { behaviour } = fake
    if (behaviour === 'too-long') return json(400, { error: 'the input length exceeds the context length' })
    if (behaviour === 'no-memory')
      return json(500, { error: 'model requires more system memory (9 GiB) than is available, prompt was: the secret' })
    open++
    response.on('close', () => open--)
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const line = (value: unknown): boolean => response.write(`${JSON.stringify(value)}\n`)
    const word = (text: string): boolean =>
      line({
        model: 'tiny',
        created_at: '',
        ...(isChat ? { message: { role: 'assistant', content: text } } : { response: text }),
        done: false,
      })
    response.flushHeaders()
    if (behaviour === 'silent') return
    if (behaviour === 'garbage') return void response.end('{"message": {"content"')
    if (behaviour === 'long-line') {
      for (let i = 0; i < 40 && !response.destroyed; i++) response.write('x'.repeat(1 << 16))
      return
    }
    if (behaviour === 'endless') {
      while (!response.destroyed) {
        word('more ')
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      return
    }
    // One line in two packets, and two lines in one.
    response.write('{"model":"tiny","message":{"role":"assistant","content":"')
    response.write(`caf\u00e9 "},${isChat ? '' : '"response":"caf\u00e9 ",'}"done":false}\n`)
    word('and ')
    if (behaviour === 'error-midway')
      return void response.end(`${JSON.stringify({ error: 'llama runner process has terminated: the secret' })}\n`)
    if (behaviour === 'break-off') return void response.end()
    word('tea')
    const counts = { total_duration: 9, load_duration: 1, prompt_eval_count: 7, prompt_eval_duration: 3, eval_count: 3, eval_duration: 5 }
    line({
      model: 'tiny',
      created_at: '',
      ...(isChat ? { message: { role: 'assistant', content: '' } } : { response: '' }),
      done: true,
      done_reason: 'stop',
      ...counts,
    })
    response.end()
  }

  return fake
}
